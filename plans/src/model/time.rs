//! Times as people and inventories write them.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use earthcatalog_stac_rows::time;

/// Milliseconds since 1970 UTC of a date or time, which is UTC where it names no zone; `None` if it is neither.
pub(crate) fn parse_millis(text: &str) -> Option<i64> {
    time::parse(text).map(|time| time.micros.div_euclid(1_000))
}

/// The first and the last microsecond of a year (`2015`), a month (`2015-05`) or a day (`2015-05-31`) in UTC, or twice
/// the moment of a time. `None` if the text is none of these.
pub fn parse_period(text: &str) -> Option<RangeInclusive<DateTime<Utc>>> {
    let period = time::parse_period(text)?;
    Some(DateTime::from_timestamp_micros(*period.start())?..=DateTime::from_timestamp_micros(*period.end())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_of_any_zone_are_read() {
        for (text, millis) in [
            ("1970-01-02", Some(86_400_000)),
            ("1970-01-01T01:00:00.5+01:00", Some(500)),
            ("1969-12-31 23:59:59.9999", Some(-1)),
            ("yesterday", None),
        ] {
            assert_eq!(parse_millis(text), millis, "{text}");
        }
    }
}
