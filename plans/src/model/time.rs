//! Times as people and inventories write them.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use earthcatalog_stac_rows::time;

/// Milliseconds since 1970 UTC of a date or time, which is UTC where it names no zone; `None` if it is neither.
pub(crate) fn parse_millis(text: &str) -> Option<i64> {
    time::parse(text).map(|time| time.micros.div_euclid(1_000))
}

/// The same of when an object was last modified, as lists of objects have it: also as HTTP says it (`Mon, 02 Jan 2023 10:00:00 GMT`), and
/// as seconds or, from twelve digits on, milliseconds since 1970.
pub(crate) fn parse_modified(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i64>()
        && text.len() > 8
    {
        return if text.len() < 12 { number.checked_mul(1_000) } else { Some(number) };
    }
    let of_http = || DateTime::parse_from_rfc2822(text).ok().map(|time| time.timestamp_millis());
    parse_millis(text).or_else(of_http)
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
            assert_eq!(parse_modified(text), millis, "{text}");
        }
        for (text, millis) in [
            ("Mon, 02 Jan 2023 10:00:00 GMT", Some(1_672_653_600_000)),
            ("1700000000", Some(1_700_000_000_000)),
            ("1700000000123", Some(1_700_000_000_123)),
            ("20240101", None),
            ("01.01.2023", None),
        ] {
            assert_eq!(parse_modified(text), millis, "{text}");
        }
    }
}
