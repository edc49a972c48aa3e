//! JSON number literals as decimals, and whether a column holds them exactly.

use std::fmt::{LowerExp, Write};

/// A number literal: ± `significand` × 10^`exponent`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decimal<'a> {
    literal: &'a str,
    negative: bool,
    /// The first 19 digits, leading zeros apart.
    significand: u64,
    /// How many digits there are, leading zeros apart.
    digits: u32,
    /// Of the last digit of the literal.
    exponent: i64,
}

/// The digits of 10^19 fit `u64` no longer.
const MAX_DIGITS: u32 = 19;
/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

impl<'a> Decimal<'a> {
    /// Reads the number at byte `at` of `text`: the decimal, and the offset behind it. `None` if no JSON number is there.
    #[inline]
    pub fn read(text: &'a str, at: usize) -> Option<(Self, usize)> {
        let bytes = text.as_bytes();
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let mut end = at;
        let negative = byte(end) == b'-';
        end += usize::from(negative);
        let mut number = Self { literal: "", negative, significand: 0, digits: 0, exponent: 0 };
        match byte(end) {
            b'0' => end += 1,
            b'1'..=b'9' => end = number.digits(bytes, end),
            _ => return None,
        }
        if byte(end) == b'.' {
            let start = end + 1;
            end = number.digits(bytes, start);
            if end == start {
                return None;
            }
            number.exponent = start as i64 - end as i64;
        }
        if let b'e' | b'E' = byte(end) {
            end += 1;
            let down = byte(end) == b'-';
            end += usize::from(matches!(byte(end), b'-' | b'+'));
            let start = end;
            let mut exponent = 0i64;
            while byte(end).is_ascii_digit() {
                exponent = exponent.saturating_mul(10).saturating_add(i64::from(byte(end) - b'0'));
                end += 1;
            }
            if end == start {
                return None;
            }
            number.exponent = number.exponent.saturating_add(if down { -exponent } else { exponent });
        }
        number.literal = &text[at..end];
        Some((number, end))
    }

    /// `text` as a whole.
    pub fn parse(text: &'a str) -> Option<Self> {
        Self::read(text, 0).filter(|(_, end)| *end == text.len()).map(|(number, _)| number)
    }

    /// Takes the digits from byte `at` on; the offset behind them.
    #[inline(always)]
    fn digits(&mut self, bytes: &[u8], at: usize) -> usize {
        let (mut significand, mut digits, mut end) = (self.significand, self.digits, at);
        for byte in bytes.get(at..).unwrap_or_default() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            if digits < MAX_DIGITS {
                significand = significand * 10 + u64::from(digit);
            }
            digits += u32::from(significand != 0);
            end += 1;
        }
        (self.significand, self.digits) = (significand, digits);
        end
    }

    /// The nearest double; infinite if the number is beyond all doubles.
    #[inline]
    pub fn to_f64(self) -> f64 {
        // Clinger's fast path: both operands are exact, so the one operation rounds correctly.
        if self.significand <= 1 << 53 && self.digits <= MAX_DIGITS && self.exponent.unsigned_abs() < 23 {
            let power = EXACT_POWERS[self.exponent.unsigned_abs() as usize];
            let significand = self.significand as f64;
            let magnitude = if self.exponent < 0 { significand / power } else { significand * power };
            return if self.negative { -magnitude } else { magnitude };
        }
        // Rust's syntax of floats includes JSON's, so this parses.
        self.literal.parse().unwrap_or(f64::INFINITY)
    }

    /// The nearest double, if its shortest decimal form is this very number.
    pub fn to_exact_f64(self) -> Option<f64> {
        let value = self.to_f64();
        self.is_shortest_of(value).then_some(value)
    }

    /// Whether the shortest decimal that reads as `value` is this very number, so that nothing is lost in `value`.
    #[inline]
    pub fn is_shortest_of(self, value: f64) -> bool {
        // Every decimal of up to 15 digits in the range of normal doubles comes back from its double.
        self.digits == 0
            || self.digits <= 15 && (1e-290..1e290).contains(&value.abs())
            || value.is_finite() && self.equals_shortest_of(value)
    }

    /// The nearest single, if the shortest decimal forms of it and of the double equal to it both are this very number.
    pub fn to_exact_f32(self) -> Option<f32> {
        let (single, double) = (self.to_f64() as f32, self.to_f64());
        let exact = f64::from(single) == double && self.is_shortest_of(double) && self.equals_shortest_of(single);
        (single.is_finite() && exact).then_some(single)
    }

    fn equals_shortest_of(self, value: impl LowerExp) -> bool {
        let mut shortest = Scientific::default();
        // `Scientific` has room for the 24 bytes of the longest double, so this cannot fail.
        let _ = write!(shortest, "{value:e}");
        normalise(shortest.as_str()) == normalise(self.literal)
    }

    /// The integer that the number is, such as 85 for `85.0` and `8.5e1`.
    pub fn to_i64(self) -> Option<i64> {
        if self.digits > MAX_DIGITS {
            return None;
        }
        let (mut magnitude, mut exponent) = (i128::from(self.significand), self.exponent);
        while exponent < 0 && magnitude != 0 {
            if magnitude % 10 != 0 {
                return None;
            }
            (magnitude, exponent) = (magnitude / 10, exponent + 1);
        }
        while exponent > 0 && magnitude != 0 {
            if magnitude > i128::from(i64::MAX) {
                return None;
            }
            (magnitude, exponent) = (magnitude * 10, exponent - 1);
        }
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }
}

/// The significant digits of a number literal and the exponent of the last of them; `None` beyond the 17 digits that
/// a double can need. Zero has no digits.
fn normalise(literal: &str) -> Option<(u64, i64)> {
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    // Exponents that overflow belong to zero or to no double.
    let mut exponent: i64 = exponent.parse().unwrap_or(i64::MAX / 2);
    let (mut significand, mut digits, mut zeros, mut fraction) = (0u64, 0, 0, false);
    for byte in mantissa.bytes() {
        match byte {
            b'.' => fraction = true,
            b'-' => {}
            digit => {
                exponent -= i64::from(fraction);
                if digit == b'0' {
                    zeros += i64::from(digits > 0);
                    // Zeros before the first digit count for nothing, zeros behind the last one only move the point.
                    continue;
                }
                digits += zeros + 1;
                if digits > 17 {
                    return None;
                }
                significand = significand * 10u64.pow(zeros as u32 + 1) + u64::from(digit - b'0');
                zeros = 0;
            }
        }
    }
    Some(if digits == 0 { (0, 0) } else { (significand, exponent + zeros) })
}

/// Text of a double in scientific notation, without an allocation.
#[derive(Default)]
struct Scientific {
    bytes: [u8; 32],
    length: usize,
}

impl Scientific {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Write for Scientific {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(literal: &str) -> Decimal<'_> {
        Decimal::parse(literal).unwrap_or_else(|| panic!("{literal}"))
    }

    #[test]
    fn a_number_survives_a_double_if_its_shortest_form_is_the_same_decimal() {
        for exact in [
            "0",
            "-0.0",
            "0e99999999999999999999",
            "1.10",
            "1e2",
            "-122.59750209999999",
            "0.1",
            "5e-324",
            "1e23",
            "9007199254740993e-16",
            "1.7976931348623157e308",
            "100000000000000000000000",
            "1.10000000000000000000000000",
            "0.00000000000000000000000001",
        ] {
            assert!(number(exact).to_exact_f64().is_some(), "{exact}");
        }
        for lossy in [
            "0.10000000000000001",
            "12.345678901234567890",
            "9007199254740993",
            "1e400",
            "1e-400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "3e-324",
            "-122.597502099999991",
        ] {
            assert_eq!(number(lossy).to_exact_f64(), None, "{lossy}");
        }
    }

    #[test]
    fn a_number_survives_a_single_only_if_it_is_printed_alike_as_single_and_as_double() {
        assert_eq!(number("22.5").to_exact_f32(), Some(22.5));
        for lossy in ["22.37", "22.3700008392334", "16777217", "1e39"] {
            assert_eq!(number(lossy).to_exact_f32(), None, "{lossy}");
        }
    }

    #[test]
    fn an_integer_is_one_in_whatever_notation() {
        for (literal, integer) in [
            ("85", Some(85)),
            ("85.0", Some(85)),
            ("8.5e1", Some(85)),
            ("8500e-2", Some(85)),
            ("-0", Some(0)),
            ("85.5", None),
            ("0.00", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1e300", None),
            ("0e300", Some(0)),
            ("1e-300", None),
        ] {
            assert_eq!(number(literal).to_i64(), integer, "{literal}");
        }
    }

    #[test]
    fn what_json_does_not_call_a_number_is_none() {
        for text in ["", "-", "01", "+1", ".5", "1.", "1e", "1e+", "0x1", " 1", "1 ", "NaN", "inf", "1_0"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn doubles_are_rounded_as_the_standard_library_does(literal in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?") {
            let expected: f64 = literal.parse().unwrap();
            prop_assert_eq!(number(&literal).to_f64().to_bits(), expected.to_bits());
        }

        #[test]
        fn the_shortest_form_of_a_double_survives(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            for literal in [format!("{value}"), format!("{value:e}")] {
                prop_assert_eq!(number(&literal).to_exact_f64(), Some(value));
            }
        }

        #[test]
        fn a_survivor_is_the_same_decimal_as_its_shortest_form(literal in "-?[1-9][0-9]{0,3}\\.[0-9]{10,18}") {
            if let Some(value) = number(&literal).to_exact_f64() {
                prop_assert_eq!(literal.trim_end_matches('0').trim_end_matches('.'), format!("{value}"));
            }
        }
    }
}
