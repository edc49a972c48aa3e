//! Numbers as people read them.

use std::collections::BTreeMap;

/// `10 (malformed_json 3, missing 7)`.
pub fn with_parts(total: u64, parts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<_> = parts.iter().map(|(name, n)| format!("{name} {}", count(*n))).collect();
    match parts.is_empty() {
        true => count(total),
        false => format!("{} ({})", count(total), parts.join(", ")),
    }
}

/// `1234567` as `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 row`, `1,234 rows`.
pub fn counted(n: u64, of: &str) -> String {
    format!("{} {of}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Decimal units, as object stores bill: `35.2 MB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Cut to three digits after the point: seconds to milliseconds.
pub fn millis(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_readable() {
        assert_eq!([count(0), count(999), count(1_000), count(63_000_000)], ["0", "999", "1,000", "63,000,000"]);
        assert_eq!([counted(0, "row"), counted(1, "row"), counted(1_234, "row")], ["0 rows", "1 row", "1,234 rows"]);
        assert_eq!(
            [bytes(999), bytes(1_000), bytes(999_950), bytes(2_000_000_000_000_000)],
            ["999 B", "1.0 kB", "1.0 MB", "2000.0 TB"]
        );
    }
}
