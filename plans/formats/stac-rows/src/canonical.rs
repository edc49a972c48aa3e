//! How the value of a column is written as JSON: the one form that the decoder need not keep the source text for.

use std::io::Write as _;

use arrow::temporal_conversions::timestamp_us_to_datetime;

/// A time in microseconds since 1970: `YYYY-MM-DDTHH:MM:SSZ`, with six digits of fraction where there is one.
///
/// Writes nothing and gives false for a time that the calendar does not reach, beyond 262,000 years.
pub fn write_time(out: &mut Vec<u8>, micros: i64) -> bool {
    let Some(time) = timestamp_us_to_datetime(micros) else { return false };
    let form = if micros % 1_000_000 == 0 { "\"%Y-%m-%dT%H:%M:%SZ\"" } else { "\"%Y-%m-%dT%H:%M:%S%.6fZ\"" };
    // Writing to memory does not fail.
    let _ = write!(out, "{}", time.format(form));
    true
}

/// The shortest number that reads as the same 64-bit float: `180.0`, `1e300`; `null` if it is not finite.
pub fn write_float(out: &mut Vec<u8>, value: f64) {
    let _ = if value.is_finite() { write!(out, "{value:?}") } else { write!(out, "null") };
}

/// The shortest number that reads as the same 32-bit float: `0.1`; `null` if it is not finite.
pub fn write_float32(out: &mut Vec<u8>, value: f32) {
    let _ = if value.is_finite() { write!(out, "{value:?}") } else { write!(out, "null") };
}

/// A JSON string.
pub fn write_text(out: &mut Vec<u8>, value: &str) {
    // A string is always serialisable, and memory always writable.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(micros: i64) -> String {
        let mut out = vec![];
        assert!(write_time(&mut out, micros));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_have_a_fraction_only_where_there_is_one() {
        assert_eq!(time(0), r#""1970-01-01T00:00:00Z""#);
        assert_eq!(time(1_500_000), r#""1970-01-01T00:00:01.500000Z""#);
        assert_eq!(time(-1), r#""1969-12-31T23:59:59.999999Z""#);
        assert_eq!(time(-62_135_596_800_000_000), r#""0001-01-01T00:00:00Z""#);
        assert!(!write_time(&mut vec![], i64::MAX));
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let written = |value| {
            let mut out = vec![];
            write_float(&mut out, value);
            String::from_utf8(out).unwrap()
        };
        assert_eq!([0.1, 180.0, 1e300, 1e-7, f64::NAN].map(written), ["0.1", "180.0", "1e300", "1e-7", "null"]);
        let mut out = vec![];
        write_float32(&mut out, 0.1);
        assert_eq!(out, b"0.1");
    }
}
