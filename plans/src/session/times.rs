//! Every form in which SQL compares and computes with times, in years of all kinds, against chrono.

use std::sync::Arc;

use arrow::array::{AsArray, Int32Array, RecordBatch, TimestampMicrosecondArray};
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, SecondsFormat, TimeDelta, Timelike, Utc};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

/// The ends of what Items may have and of nanoseconds, and what lies between.
const YEARS: [i32; 8] = [1, 1600, 1677, 1678, 1970, 2262, 2263, 9999];

type Time = DateTime<Utc>;

fn times() -> Vec<Time> {
    let of_year = |year: i32| {
        let at = |month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
        [
            at(1, 1).and_hms_micro_opt(0, 0, 0, 0),
            at(5, 31).and_hms_micro_opt(12, 34, 56, 789_012),
            at(12, 31).and_hms_micro_opt(23, 59, 59, 999_999),
        ]
        .map(|time| time.unwrap().and_utc())
    };
    YEARS.into_iter().flat_map(of_year).collect()
}

/// Table `t` has the times as `datetime`, each with a `number` from 0 on, and a row without a time at the end.
fn session() -> SessionContext {
    let times = times();
    let numbers = Int32Array::from_iter_values(0..=times.len() as i32);
    let micros = times.iter().map(|time| Some(time.timestamp_micros())).chain([None]);
    let micros = micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC");
    let rows = RecordBatch::try_from_iter([("number", Arc::new(numbers) as _), ("datetime", Arc::new(micros) as _)]);
    let rows = rows.unwrap();
    let context = super::session(2).unwrap();
    context.register_table("t", Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap())).unwrap();
    context
}

async fn ask(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>> {
    context.sql(sql).await?.collect().await
}

/// The values of an expression, row by row, as text.
async fn values(context: &SessionContext, expression: &str) -> Vec<String> {
    let sql = format!("SELECT {expression} AS v FROM t ORDER BY number");
    let batches = ask(context, &sql).await.unwrap_or_else(|e| panic!("{expression}: {e}"));
    let column = |batch: &RecordBatch| {
        let value = |row| array_value_to_string(batch.column(0), row).unwrap();
        (0..batch.num_rows()).map(value).collect::<Vec<_>>()
    };
    batches.iter().flat_map(column).collect()
}

fn rfc3339(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// How a time of no zone is shown.
fn local(time: Time) -> String {
    rfc3339(time).trim_end_matches('Z').to_owned()
}

/// Constants that stand for a time, or for the first moment of its day, month or year.
fn constants(time: Time) -> Vec<(String, Time)> {
    let text = rfc3339(time);
    let midnight = time.date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let date = &text[..10];
    vec![
        (format!("'{text}'"), time),
        (format!("'{}'", text.replace('T', " ").replace('Z', "+00:00")), time),
        (format!("'{}'", text.replace('.', ",").replace('Z', " UTC")), time),
        (format!("TIMESTAMP '{text}'"), time),
        (format!("CAST('{text}' AS TIMESTAMP)"), time),
        (format!("'{}'::timestamp", local(time)), time),
        (format!("TRY_CAST('{text}' AS TIMESTAMP)"), time),
        (format!("CAST('{text}' AS TIMESTAMP WITH TIME ZONE)"), time),
        (format!("TIMESTAMP '{text}' AT TIME ZONE 'UTC'"), time),
        (format!("arrow_cast('{text}', 'Timestamp(Microsecond, Some(\"UTC\"))')"), time),
        (format!("to_timestamp('{text}')"), time),
        (format!("to_timestamp_micros('{text}')"), time),
        (format!("to_timestamp_micros({})", time.timestamp_micros()), time),
        (format!("to_timestamp({})", midnight.timestamp()), midnight),
        (format!("CAST({} AS TIMESTAMP)", midnight.timestamp()), midnight),
        (
            format!("to_timestamp({}.25)", midnight.timestamp()),
            midnight + TimeDelta::milliseconds(if midnight.timestamp() < 0 { -250 } else { 250 }),
        ),
        (format!("from_unixtime({})", midnight.timestamp()), midnight),
        (format!("date_trunc('day', TIMESTAMP '{text}')"), midnight),
        (format!("date_trunc('day', '{text}')"), midnight),
        (format!("DATE '{date}'"), midnight),
        (format!("to_date('{date}')"), midnight),
        (format!("make_date({}, {}, {})", time.year(), time.month(), time.day()), midnight),
        (format!("'{date}'"), midnight),
        (format!("'{}'", &date[..7]), midnight.with_day(1).unwrap()),
        (format!("'{}'", &date[..4]), midnight.with_day(1).unwrap().with_month(1).unwrap()),
        (format!("TIMESTAMP '{}'", &date[..4]), midnight.with_day(1).unwrap().with_month(1).unwrap()),
    ]
}

#[tokio::test]
async fn comparisons_with_constants_are_exact_in_all_years() {
    let (context, times) = (session(), times());
    type Holds = fn(Time, Time) -> bool;
    let forms: [(&str, Holds); 12] = [
        ("datetime < $", |a, b| a < b),
        ("datetime <= $", |a, b| a <= b),
        ("datetime = $", |a, b| a == b),
        ("datetime <> $", |a, b| a != b),
        ("$ <= datetime", |a, b| a >= b),
        ("datetime > $", |a, b| a > b),
        ("datetime BETWEEN $ AND $", |a, b| a == b),
        ("$ BETWEEN datetime AND datetime + INTERVAL '1 day'", |a, b| a <= b && b <= a + TimeDelta::days(1)),
        ("datetime IN ($, '1850-01-01')", |a, b| a == b),
        ("NOT (datetime IS DISTINCT FROM $)", |a, b| a == b),
        ("CASE datetime WHEN $ THEN true ELSE false END", |a, b| a == b),
        ("nullif(datetime, $) IS NULL", |a, b| a == b),
    ];
    for bound in &times {
        let constants = constants(*bound);
        // All forms of a constant in one statement.
        let columns: Vec<_> = constants
            .iter()
            .flat_map(|(constant, _)| forms.map(|(form, _)| form.replace('$', constant)))
            .enumerate()
            .map(|(n, form)| format!("{form} AS c{n}"))
            .collect();
        let sql = format!("SELECT {} FROM t WHERE datetime IS NOT NULL ORDER BY number", columns.join(", "));
        let batches = ask(&context, &sql).await.unwrap_or_else(|e| panic!("{bound}: {e}"));
        let expected = constants.iter().flat_map(|(_, moment)| forms.map(|(_, holds)| (moment, holds)));
        for (n, (moment, holds)) in expected.enumerate() {
            let found: Vec<_> = batches.iter().flat_map(|batch| batch.column(n).as_boolean().iter()).collect();
            let right: Vec<_> = times.iter().map(|time| Some(holds(*time, *moment))).collect();
            assert_eq!(found, right, "{}", columns[n]);
        }
    }
}

#[tokio::test]
async fn filters_find_what_comparisons_say() {
    let (context, times) = (session(), times());
    for bound in times.iter().step_by(2) {
        for (constant, moment) in constants(*bound) {
            let sql = format!("SELECT count(*) AS n FROM t WHERE datetime < {constant}");
            let batches = ask(&context, &sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
            let found = array_value_to_string(batches[0].column(0), 0).unwrap();
            assert_eq!(found, times.iter().filter(|time| **time < moment).count().to_string(), "{sql}");
        }
    }
}

#[tokio::test]
async fn functions_are_right_in_all_years() {
    type Value = fn(Time) -> String;
    fn begin(time: Time, month: u32, day: u32, hour: u32) -> Time {
        NaiveDate::from_ymd_opt(time.year(), month, day).unwrap().and_hms_opt(hour, 0, 0).unwrap().and_utc()
    }
    fn midnight(time: Time) -> Time {
        begin(time, time.month(), time.day(), 0)
    }
    let functions: [(&str, Value); 48] = [
        ("datetime", rfc3339),
        ("date_trunc('year', datetime)", |t| rfc3339(begin(t, 1, 1, 0))),
        ("date_trunc('quarter', datetime)", |t| rfc3339(begin(t, t.month0() / 3 * 3 + 1, 1, 0))),
        ("date_trunc('month', datetime)", |t| rfc3339(begin(t, t.month(), 1, 0))),
        ("datetrunc('week', datetime)", |t| {
            rfc3339(midnight(t) - Days::new(t.weekday().num_days_from_monday().into()))
        }),
        ("date_trunc('day', datetime)", |t| rfc3339(midnight(t))),
        ("date_trunc('hour', datetime)", |t| rfc3339(begin(t, t.month(), t.day(), t.hour()))),
        ("date_trunc('minute', datetime)", |t| rfc3339(t.with_second(0).unwrap().with_nanosecond(0).unwrap())),
        ("date_trunc('second', datetime)", |t| rfc3339(t.with_nanosecond(0).unwrap())),
        ("date_trunc('millisecond', datetime)", |t| {
            rfc3339(t.with_nanosecond(t.nanosecond() / 1_000_000 * 1_000_000).unwrap())
        }),
        ("date_trunc('microsecond', datetime)", rfc3339),
        ("date_trunc('month', CAST(datetime AS DATE))", |t| local(begin(t, t.month(), 1, 0))),
        ("date_trunc('month', CAST(datetime AS VARCHAR))", |t| local(begin(t, t.month(), 1, 0))),
        ("date_bin(INTERVAL '1 day', datetime)", |t| rfc3339(midnight(t))),
        ("date_bin(INTERVAL '15 minutes', datetime)", |t| {
            let hour = begin(t, t.month(), t.day(), t.hour());
            rfc3339(hour + TimeDelta::minutes(i64::from(t.minute() / 15 * 15)))
        }),
        ("date_bin(INTERVAL '1 day', datetime, TIMESTAMP '0001-01-01T06:00:00Z')", |t| {
            let six = midnight(t) + TimeDelta::hours(6);
            rfc3339(if six <= t { six } else { six - TimeDelta::days(1) })
        }),
        ("date_bin(INTERVAL '1 month', datetime, '9999-12-01')", |t| rfc3339(begin(t, t.month(), 1, 0))),
        ("date_bin(INTERVAL '1 year', datetime)", |t| rfc3339(begin(t, 1, 1, 0))),
        ("date_bin(INTERVAL '5 months', datetime, '2000-01-15')", |t| {
            let origin: Time = "2000-01-15T00:00:00Z".parse().unwrap();
            let mut bin = origin;
            while bin > t {
                bin = bin.checked_sub_months(Months::new(5)).unwrap();
            }
            loop {
                match bin.checked_add_months(Months::new(5)).unwrap() {
                    next if next <= t => bin = next,
                    _ => return rfc3339(bin),
                }
            }
        }),
        ("to_char(datetime, '%Y-%m-%d %H:%M:%S%.6f')", |t| t.format("%Y-%m-%d %H:%M:%S%.6f").to_string()),
        ("to_char(CAST(datetime AS DATE), '%d.%m.%Y')", |t| t.format("%d.%m.%Y").to_string()),
        ("date_format(datetime, '%j')", |t| t.format("%j").to_string()),
        ("date_part('year', datetime)", |t| t.year().to_string()),
        ("date_part('isoyear', datetime)", |t| t.iso_week().year().to_string()),
        ("date_part('quarter', datetime)", |t| (t.month0() / 3 + 1).to_string()),
        ("date_part('month', datetime)", |t| t.month().to_string()),
        ("date_part('week', datetime)", |t| t.iso_week().week().to_string()),
        ("date_part('day', datetime)", |t| t.day().to_string()),
        ("date_part('doy', datetime)", |t| t.ordinal().to_string()),
        ("date_part('dow', datetime)", |t| t.weekday().num_days_from_sunday().to_string()),
        ("date_part('isodow', datetime)", |t| t.weekday().number_from_monday().to_string()),
        ("date_part('hour', datetime)", |t| t.hour().to_string()),
        ("date_part('minute', datetime)", |t| t.minute().to_string()),
        ("date_part('second', datetime)", |t| t.second().to_string()),
        ("date_part('millisecond', datetime)", |t| (t.second() * 1_000 + t.nanosecond() / 1_000_000).to_string()),
        ("date_part('microsecond', datetime)", |t| (t.second() * 1_000_000 + t.nanosecond() / 1_000).to_string()),
        ("CAST(round(date_part('epoch', datetime)) AS BIGINT)", |t| {
            ((t.timestamp_micros() as f64 / 1e6).round() as i64).to_string()
        }),
        ("extract(year FROM datetime)", |t| t.year().to_string()),
        ("extract(day FROM CAST(datetime AS VARCHAR))", |t| t.day().to_string()),
        ("CAST(datetime AS DATE)", |t| t.date_naive().to_string()),
        ("to_date(CAST(datetime AS VARCHAR))", |t| t.date_naive().to_string()),
        ("CAST(CAST(datetime AS VARCHAR) AS TIMESTAMP)", local),
        ("to_timestamp(CAST(datetime AS VARCHAR))", local),
        ("to_timestamp_millis(CAST(date_trunc('millisecond', datetime) AS VARCHAR))", |t| {
            local(t.with_nanosecond(t.nanosecond() / 1_000_000 * 1_000_000).unwrap())
        }),
        ("to_unixtime(date_trunc('second', datetime))", |t| t.timestamp().to_string()),
        ("to_unixtime(CAST(date_trunc('second', datetime) AS VARCHAR))", |t| t.timestamp().to_string()),
        ("to_local_time(datetime)", local),
        ("datetime - INTERVAL '1 month 1 day'", |t| {
            rfc3339(t.checked_sub_months(Months::new(1)).unwrap() - Days::new(1))
        }),
    ];
    let (context, times) = (session(), times());
    for (function, value) in functions {
        let found = values(&context, function).await;
        let expected: Vec<_> = times.iter().map(|time| value(*time)).chain([String::new()]).collect();
        assert_eq!(found, expected, "{function}");
    }
    // Of a constant as of a column.
    for time in times {
        for (function, value) in functions {
            let constant = format!("TIMESTAMP '{}' AT TIME ZONE 'UTC'", rfc3339(time));
            let found = values(&context, &function.replace("datetime", &constant)).await;
            assert_eq!(found[0], value(time), "{function} of {constant}");
        }
    }
}

#[tokio::test]
async fn differences_and_the_present_are_microseconds() {
    let context = session();
    for (sql, expected) in [
        ("SELECT max(datetime) - min(datetime) FROM t", "PT315537897599.999999S"),
        ("SELECT max(datetime) - DATE '0001-01-01' FROM t", "PT315537897599.999999S"),
        ("SELECT count(*) FROM t WHERE datetime < now()", "15"),
        ("SELECT count(*) FROM t WHERE datetime > current_timestamp - INTERVAL '1 day'", "9"),
        ("SELECT count(*) FROM t WHERE datetime > current_date", "9"),
        ("SELECT count(*) FROM t WHERE now() BETWEEN '2020' AND '9999-12'", "25"),
        ("SELECT arrow_typeof(now())", "Timestamp(µs)"),
        ("SELECT count(*) FROM t AS a JOIN t AS b ON CAST(a.datetime AS VARCHAR) = CAST(b.datetime AS VARCHAR)", "24"),
        ("SELECT count(*) FROM t AS a JOIN t AS b ON a.datetime = CAST(b.datetime AS VARCHAR)", "24"),
        (
            "SELECT count(*) FROM t AS a WHERE EXISTS (SELECT 1 FROM t AS b WHERE a.datetime = b.datetime AND b.datetime > '9999')",
            "2",
        ),
        (
            "SELECT max(d) FROM (SELECT datetime AS d FROM t UNION ALL SELECT TIMESTAMP '9999-12-31T23:59:59.999999')",
            "9999-12-31T23:59:59.999999Z",
        ),
        ("SELECT max(column1) FROM (VALUES (TIMESTAMP '9999-12-31'), (TIMESTAMP '0001-01-01'))", "9999-12-31T00:00:00"),
        ("SELECT greatest(datetime, '9999') FROM t WHERE number = 0", "9999-01-01T00:00:00Z"),
        (
            "SELECT count(*) FROM (SELECT * FROM (SELECT TIMESTAMP '9999-01-01' AS d) AS s) AS r WHERE d < DATE '9999-12-31'",
            "1",
        ),
        ("SELECT to_timestamp('31.12.2020', '%d.%m.%Y')", "2020-12-31T00:00:00"),
        ("SELECT to_timestamp(NULL)", ""),
        ("SELECT date_trunc('year', arrow_cast(253402300799, 'Timestamp(Second, None)'))", "9999-01-01T00:00:00"),
    ] {
        let batches = ask(&context, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!(array_value_to_string(batches[0].column(0), 0).unwrap(), expected, "{sql}");
    }
}

#[tokio::test]
async fn views_tables_and_inserts_keep_microseconds() {
    let context = session();
    for sql in [
        "CREATE VIEW v AS SELECT *, TIMESTAMP '9999-12-31' AS last FROM t WHERE datetime < '9999-12-31' AND datetime > DATE '0001-01-01'",
        "CREATE TABLE copied AS SELECT * FROM v",
        "CREATE TABLE nanos AS SELECT to_timestamp_nanos(datetime) AS at FROM t WHERE number = 12",
        "INSERT INTO nanos SELECT TIMESTAMP '2020-01-01'",
        "INSERT INTO nanos VALUES ('2021-01-01'), (TIMESTAMP '2022-01-01')",
    ] {
        ask(&context, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    for (sql, expected) in [
        ("SELECT count(*) FROM v", "22"),
        ("SELECT count(*) FROM copied WHERE last > datetime", "22"),
        ("SELECT arrow_typeof(last) FROM copied LIMIT 1", "Timestamp(µs)"),
        ("SELECT max(at) FROM nanos WHERE at > '2021'", "2022-01-01T00:00:00"),
    ] {
        let batches = ask(&context, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!(array_value_to_string(batches[0].column(0), 0).unwrap(), expected, "{sql}");
    }
}

#[tokio::test]
async fn what_is_no_time_is_an_error_that_says_how_to_write_one() {
    let context = session();
    for (sql, words) in [
        (
            "SELECT * FROM t WHERE datetime > '31.1.2025'",
            "'31.1.2025' is not a time; write a time ('2025-01-31T12:00:00Z')",
        ),
        ("SELECT * FROM t WHERE datetime IN ('2020', 'yesterday')", "'yesterday' is not a time"),
        ("SELECT TIMESTAMP '2020-02-30'", "'2020-02-30' is not a time"),
        ("SELECT date_bin(INTERVAL '0 days', datetime) FROM t", "the stride must be longer than nothing"),
        ("SELECT date_bin(INTERVAL '1 month 1 day', datetime) FROM t", "the stride must be of months"),
        ("SELECT to_timestamp(1e300)", "since 1970 is not a time"),
        ("SELECT to_timestamp(arrow_cast('NaN', 'Float64'))", "NaN s since 1970 is not a time"),
        ("SELECT date_trunc('aeon', datetime) FROM t", "aeon"),
        ("SELECT date_trunc('day', TIMESTAMP '9999-06-15' AT TIME ZONE 'Europe/Paris')", "out of range"),
        ("SELECT datetime + INTERVAL '300000 years' FROM t", ""),
    ] {
        let error = ask(&context, sql).await.unwrap_err().to_string();
        assert!(error.contains(words), "{sql}: {error}");
    }
    let found = ask(&context, "SELECT TRY_CAST('yesterday' AS TIMESTAMP) IS NULL").await.unwrap();
    assert!(found[0].column(0).as_boolean().value(0));
}
