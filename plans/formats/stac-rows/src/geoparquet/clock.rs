//! Dates in milliseconds, times of a day and durations as text (ISO 8601).

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date64Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
};
use chrono::{NaiveTime, TimeDelta};

use super::{Unwritable, json};

/// Writes the value at `row`, which is not null: `"2020-01-31"`, `"2020-01-31T12:00:00Z"` where a date has a time,
/// `"12:00:00.5"`, `"PT90.5S"`.
pub(super) fn write(column: &str, array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let text = match array.data_type() {
        DataType::Date64 => date(array, row),
        DataType::Duration(_) => duration(array, row).map(iso),
        _ => time(array, row).map(|time| time.format("%H:%M:%S%.f").to_string()),
    };
    match text {
        Some(text) => json(text, out),
        None => return Err(format!("column {column}: a time is out of range")),
    }
    Ok(())
}

fn date(array: &ArrayRef, row: usize) -> Option<String> {
    let moment = array.as_primitive::<Date64Type>().value_as_datetime(row)?;
    Some(match moment.time() {
        NaiveTime::MIN => moment.date().to_string(),
        _ => moment.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string(),
    })
}

fn time(array: &ArrayRef, row: usize) -> Option<NaiveTime> {
    match array.data_type() {
        DataType::Time32(TimeUnit::Second) => array.as_primitive::<Time32SecondType>().value_as_time(row),
        DataType::Time32(_) => array.as_primitive::<Time32MillisecondType>().value_as_time(row),
        DataType::Time64(TimeUnit::Microsecond) => array.as_primitive::<Time64MicrosecondType>().value_as_time(row),
        _ => array.as_primitive::<Time64NanosecondType>().value_as_time(row),
    }
}

fn duration(array: &ArrayRef, row: usize) -> Option<TimeDelta> {
    match array.data_type() {
        DataType::Duration(TimeUnit::Second) => {
            TimeDelta::try_seconds(array.as_primitive::<DurationSecondType>().value(row))
        }
        DataType::Duration(TimeUnit::Millisecond) => {
            TimeDelta::try_milliseconds(array.as_primitive::<DurationMillisecondType>().value(row))
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            Some(TimeDelta::microseconds(array.as_primitive::<DurationMicrosecondType>().value(row)))
        }
        _ => Some(TimeDelta::nanoseconds(array.as_primitive::<DurationNanosecondType>().value(row))),
    }
}

fn iso(duration: TimeDelta) -> String {
    let sign = if duration < TimeDelta::zero() { "-" } else { "" };
    let duration = duration.abs();
    match duration.subsec_nanos() {
        0 => format!("{sign}PT{}S", duration.num_seconds()),
        nanos => {
            let fraction = format!("{nanos:09}");
            format!("{sign}PT{}.{}S", duration.num_seconds(), fraction.trim_end_matches('0'))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Date64Array, DurationMillisecondArray, DurationNanosecondArray, DurationSecondArray, Time32SecondArray,
        Time64MicrosecondArray,
    };

    use super::*;

    #[test]
    fn each_is_text_as_iso_8601_has_it() {
        let second = 1_000;
        for (array, expected) in [
            (Arc::new(Date64Array::from(vec![86_400 * second])) as ArrayRef, "1970-01-02"),
            (Arc::new(Date64Array::from(vec![86_400 * second + 1_500])), "1970-01-02T00:00:01.500Z"),
            (Arc::new(Time32SecondArray::from(vec![3_661])), "01:01:01"),
            (Arc::new(Time64MicrosecondArray::from(vec![1_500_000])), "00:00:01.500"),
            (Arc::new(DurationSecondArray::from(vec![90])), "PT90S"),
            (Arc::new(DurationMillisecondArray::from(vec![-1_500])), "-PT1.5S"),
            (Arc::new(DurationNanosecondArray::from(vec![1])), "PT0.000000001S"),
        ] {
            let mut out = vec![];
            write("c", &array, 0, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{expected}\""));
        }
    }
}
