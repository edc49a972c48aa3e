//! [`Interval`]: parameter `datetime`, and the condition that it is.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, lit};

use super::cql2::instant;
use crate::query::in_time;

/// From `start` to `end`, both included; `None` is an open end. An instant starts and ends at once.
///
/// An Item is in it if its `datetime` is, or if the interval from its `start_datetime` to its `end_datetime` shares a
/// moment with it ([`in_time`]). Times are compared in microseconds; what is finer is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub start: Option<DateTime<Utc>>,
    pub end: Option<DateTime<Utc>>,
}

impl FromStr for Interval {
    type Err = String;

    /// Reads `time`, `start/end`, `start/..`, `../end`, with times as RFC 3339 has them; an empty end is open, too.
    fn from_str(text: &str) -> Result<Self, String> {
        let time = |text: &str| {
            let invalid = || {
                format!(
                    "{text:?} is not a time; give one as in 2025-01-31T12:00:00Z, or an interval START/END with .. for an open end"
                )
            };
            instant(text).map(Some).ok_or_else(invalid)
        };
        let Some((start, end)) = text.split_once('/') else {
            let instant = time(text)?;
            return Ok(Self { start: instant, end: instant });
        };
        let bound = |text: &str| if matches!(text, "" | "..") { Ok(None) } else { time(text) };
        let (start, end) = (bound(start)?, bound(end)?);
        match (start, end) {
            (None, None) => Err(format!("{text:?} is open at both ends; leave it out")),
            (Some(start), Some(end)) if start > end => Err(format!("{text:?} ends before it starts")),
            _ => Ok(Self { start, end }),
        }
    }
}

impl Interval {
    /// Whether the Item of a row is in the interval.
    pub(super) fn condition(&self) -> Expr {
        in_time(self.start, self.end).unwrap_or_else(|| lit(true))
    }
}

/// A time as the columns have them.
pub(super) fn literal(time: DateTime<Utc>) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(time.timestamp_micros()), Some("UTC".into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_an_instant_or_has_one_open_end_at_most() {
        let read = |text: &str| text.parse::<Interval>().unwrap();
        let day = "2020-01-01T00:00:00Z".parse().ok();
        assert_eq!(read("2020-01-01T00:00:00Z"), Interval { start: day, end: day });
        assert_eq!(read("2020-01-01T01:00:00+01:00/.."), Interval { start: day, end: None });
        assert_eq!(read("/2020-01-01T00:00:00Z"), Interval { start: None, end: day });
        for (text, words) in [
            ("../..", "is open at both ends"),
            ("/", "is open at both ends"),
            ("2020-01-02T00:00:00Z/2020-01-01T00:00:00Z", "ends before it starts"),
            ("2020-01-01", "is not a time"),
            ("2020-01-01T00:00:00", "is not a time"),
            ("2020-01-01 00:00:00Z", "is not a time"),
            ("2020-01-01T00:00:00Z/2021-01-01T00:00:00Z/..", "is not a time"),
            ("", "is not a time"),
        ] {
            let error = text.parse::<Interval>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
