//! Times as people and inventories write them.

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;

/// Milliseconds since 1970 UTC of a date or time, which is UTC where it names no zone; `None` if it is neither.
pub(crate) fn parse_millis(text: &str) -> Option<i64> {
    string_to_timestamp_nanos(text).ok().map(|nanos| nanos.div_euclid(1_000_000))
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
