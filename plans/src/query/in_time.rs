//! [`in_time`]: Items of a time, as a predicate on `datetime`, `start_datetime` and `end_datetime`.

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::col;
use datafusion::sql::unparser::expr_to_sql;

/// The predicate that a row's `datetime` lies between `start` and `end`, or its interval (`start_datetime` to
/// `end_datetime`) shares a moment with them. Both are inclusive, and `None` is an open end; `None` with neither.
///
/// So an Item with an instant and an interval, such as a monthly mosaic, is found by either, and one with
/// `"datetime": null` by its interval: STAC API leaves it to a server which of an Item's times count, and here all do.
///
/// Files are left out by the bounds of the three columns. Their year alone leaves out none, as an interval may begin
/// or end in another.
pub fn in_time(start: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>) -> Option<Expr> {
    meets(start, end, |at| ScalarValue::TimestampMicrosecond(Some(at.timestamp_micros()), Some("UTC".into())))
}

/// [`in_time`] in SQL.
pub fn in_time_sql(start: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>) -> Result<Option<String>> {
    let predicate = meets(start, end, |at| at.to_rfc3339_opts(SecondsFormat::Micros, true).into());
    predicate.map(|predicate| Ok(expr_to_sql(&predicate)?.to_string())).transpose()
}

fn meets(
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    value: impl Fn(DateTime<Utc>) -> ScalarValue,
) -> Option<Expr> {
    let from = |column, start| col(column).gt_eq(lit(value(start)));
    let until = |column, end| col(column).lt_eq(lit(value(end)));
    let (instant, interval) = match (start, end) {
        (None, None) => return None,
        // An interval around both would meet each of them.
        (Some(start), Some(end)) if start > end => return Some(lit(false)),
        (Some(start), None) => (from("datetime", start), from("end_datetime", start)),
        (None, Some(end)) => (until("datetime", end), until("start_datetime", end)),
        (Some(start), Some(end)) => (
            from("datetime", start).and(until("datetime", end)),
            until("start_datetime", end).and(from("end_datetime", start)),
        ),
    };
    Some(instant.or(interval))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::AsArray;
    use datafusion::prelude::SessionContext;
    use proptest::prelude::*;

    use super::*;
    use crate::query::ItemsTable;
    use crate::scan::WarehouseTable;
    use crate::table::testing::{Row, warehouse, write_part};
    use crate::table::{Change, Committer, Warehouse};

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(day * 86_400, 0).unwrap()
    }

    /// An Item of days since 1970, with an instant, an interval, or both.
    fn item(id: &str, instant: Option<i64>, interval: Option<[i64; 2]>) -> Row {
        let micros = |day| at(day).timestamp_micros();
        let [start, end] = [0, 1].map(|side| interval.map(|interval| micros(interval[side])));
        let mut row = Row::new(id, None);
        (row.datetime, row.start_datetime, row.end_datetime) = (instant.map(micros), start, end);
        row
    }

    /// Each row in a file of its own.
    async fn filled(folder: &tempfile::TempDir, rows: &[Row]) -> Warehouse {
        let warehouse = warehouse(folder).await;
        let add = rows.iter().map(|row| write_part(&warehouse, "81a", &row.id, std::slice::from_ref(row))).collect();
        Committer::new(warehouse.clone()).commit(Change { add, ..Change::default() }).await.unwrap();
        warehouse
    }

    async fn found(context: &SessionContext, predicate: Expr) -> Vec<String> {
        let rows = context.table("items").await.unwrap().filter(predicate).unwrap();
        ids(rows).await
    }

    async fn ids(rows: datafusion::prelude::DataFrame) -> Vec<String> {
        let batches = rows.select_columns(&["id"]).unwrap().collect().await.unwrap();
        let ids = batches.iter().flat_map(|batch| batch.column(0).as_string_view().iter());
        let mut ids: Vec<_> = ids.map(|id| id.unwrap().to_owned()).collect();
        ids.sort();
        ids
    }

    fn reading(warehouse: &Warehouse) -> SessionContext {
        let context = crate::session::session(2).unwrap();
        context.register_table("items", Arc::new(ItemsTable::new(warehouse.clone()))).unwrap();
        context
    }

    #[tokio::test]
    async fn files_of_other_times_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        // 1970, 1972 and, over the turn of the year, 1971.
        let rows = [
            item("instant", Some(10), None),
            item("both", Some(800), Some([790, 810])),
            item("interval", None, Some([300, 400])),
        ];
        let warehouse = filled(&folder, &rows).await;
        let table = WarehouseTable::new(warehouse.clone());
        let state = reading(&warehouse).state();
        for (start, end, files) in [
            (None, Some(5), 0),
            (None, Some(10), 1),
            (Some(11), None, 2),
            (Some(370), Some(380), 1),
            (Some(401), Some(789), 0),
            (Some(805), Some(806), 1),
            (Some(811), None, 0),
            (Some(380), Some(370), 0),
        ] {
            let predicate = in_time(start.map(at), end.map(at)).unwrap();
            let chosen = table.files_for(&state, &[predicate]).await.unwrap();
            assert_eq!(chosen.files.len(), files, "{start:?} to {end:?}: {chosen:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

        #[test]
        fn an_interval_meets_an_interval(
            times in prop::collection::vec((prop::option::of(-900i64..900), prop::option::of((-900i64..900, 0i64..60))), 1..12),
            questions in prop::collection::vec((prop::option::of(-950i64..950), prop::option::of(-950i64..950)), 8),
        ) {
            let rows: Vec<_> = times.iter().enumerate().map(|(n, (instant, interval))| {
                item(&format!("i{n:02}"), *instant, interval.map(|(start, days)| [start, start + days]))
            }).collect();
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let folder = tempfile::tempdir().unwrap();
                let context = reading(&filled(&folder, &rows).await);
                for (start, end) in questions {
                    let (from, until) = (start.unwrap_or(i64::MIN), end.unwrap_or(i64::MAX));
                    // Written for days, one by one, so that it is another way to the same answer.
                    let is_asked = |day: i64| from <= day && day <= until;
                    let meets = |instant: Option<i64>, interval: Option<(i64, i64)>| {
                        instant.is_some_and(is_asked)
                            || interval.is_some_and(|(first, days)| (first..=first + days).any(is_asked))
                    };
                    let mut expected = vec![];
                    for (n, (instant, interval)) in times.iter().enumerate() {
                        if meets(*instant, *interval) {
                            expected.push(format!("i{n:02}"));
                        }
                    }
                    let (start, end) = (start.map(at), end.map(at));
                    let Some(predicate) = in_time(start, end) else { continue };
                    assert_eq!(found(&context, predicate).await, expected, "{start:?} to {end:?} of {times:?}");
                    let sql = format!("SELECT * FROM items WHERE {}", in_time_sql(start, end).unwrap().unwrap());
                    assert_eq!(ids(context.sql(&sql).await.unwrap()).await, expected, "{sql}");
                }
            });
        }
    }
}
