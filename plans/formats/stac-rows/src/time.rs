//! Times as people and catalogs write them: RFC 3339, the forms close to it that are found in the wild, and periods of
//! the calendar.

use std::iter;
use std::ops::RangeInclusive;

/// In microseconds.
const DAY: i64 = 86_400_000_000;

/// A time in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    pub micros: i64,
    /// Whether the text was `YYYY-MM-DDTHH:MM:SSZ`, or that with six fraction digits that are not all zero:
    /// the form in which the time is written back.
    pub canonical: bool,
}

/// Reads RFC 3339 in any offset, and leniently what can mean one moment only:
///
/// - no zone is UTC, which may also be written `UTC` or `GMT`; the minutes of an offset may be left out;
/// - a date alone is its midnight; hour 24 is the midnight at the end of its day (ISO 8601);
/// - a space may stand for `T`, before the zone, and round the whole; a comma may stand before the fraction;
/// - seconds may be left out, and all of `-` and `:` (ISO 8601's basic format, with `T` and a zone).
///
/// Fractions are cut at microseconds; second 60 (RFC 3339, section 5.7) is the first of the next minute.
///
/// `None` if the text is no such time, or names a day or an hour that does not exist.
pub fn parse(text: &str) -> Option<Time> {
    let trimmed = text.trim_ascii();
    let Some(basic) = extended(trimmed) else {
        let time = parse_extended(trimmed)?;
        return Some(Time { canonical: time.canonical && trimmed.len() == text.len(), ..time });
    };
    Some(Time { canonical: false, ..parse_extended(&basic)? })
}

/// The moments from the first to the last microsecond of a year (`2015`), a month (`2015-05`) or a day (`2015-05-31`) in
/// UTC, or the one moment of any other time that [`parse`] reads.
pub fn parse_period(text: &str) -> Option<RangeInclusive<i64>> {
    let text = text.trim_ascii();
    let year = |digits: &[u8]| Some(two(&digits[..2])? * 100 + two(&digits[2..])?);
    let (first, days) = match text.as_bytes() {
        digits @ [_, _, _, _] => {
            let year = year(digits)?;
            let first = days_since_epoch(year, 1, 1);
            (first, days_since_epoch(year + 1, 1, 1) - first)
        }
        [digits @ .., b'-', tens, ones] if digits.len() == 4 => {
            let (year, month) = (year(digits)?, two(&[*tens, *ones])?);
            if !(1..=12).contains(&month) {
                return None;
            }
            (days_since_epoch(year, month, 1), days_of(year, month))
        }
        [_, _, _, _, b'-', _, _, b'-', _, _] => (parse(text)?.micros.div_euclid(DAY), 1),
        _ => {
            let micros = parse(text)?.micros;
            return Some(micros..=micros);
        }
    };
    Some(first * DAY..=(first + days) * DAY - 1)
}

/// `20190524T140821Z` as `2019-05-24T14:08:21Z`; `None` for other forms.
fn extended(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(8)?;
    let time = rest.strip_prefix(['T', 't'])?;
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, is_date) = (digits(time), digits(date) == 8);
    if !is_date || ![4, 6].contains(&count) {
        return None;
    }
    let (clock, zone) = time.split_at(count);
    // Without one, such digits are names of files as often as times.
    if zone.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',')).is_empty() {
        return None;
    }
    let clock: Vec<&str> = [0, 2, 4].into_iter().filter_map(|at| clock.get(at..at + 2)).collect();
    Some(format!("{}-{}-{}T{}{zone}", &date[..4], &date[4..6], &date[6..], clock.join(":")))
}

fn parse_extended(text: &str) -> Option<Time> {
    let bytes = text.as_bytes();
    let date = bytes.first_chunk::<10>()?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let year = two(&date[..2])? * 100 + two(&date[2..4])?;
    let (month, day) = (two(&date[5..7])?, two(&date[8..])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    let midnight = days_since_epoch(year, month, day) * 86_400;
    let rest = &bytes[10..];
    if rest.is_empty() {
        return Some(Time { micros: midnight * 1_000_000, canonical: false });
    }

    let (hour, minute) = (two(rest.get(1..3)?)?, two(rest.get(4..6)?)?);
    if !matches!(rest[0], b'T' | b't' | b' ') || rest[3] != b':' || hour > 24 || minute > 59 {
        return None;
    }
    let mut canonical = rest[0] == b'T' && hour < 24;
    let mut rest = &rest[6..];
    let mut second = 0;
    if let [b':', tens, ones, after @ ..] = rest {
        second = two(&[*tens, *ones])?;
        rest = after;
    } else {
        canonical = false;
    }
    if second > 59 {
        canonical = false;
        if second > 60 {
            return None;
        }
    }
    let mut micros = 0;
    if let [b'.' | b',', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let values = fraction[..digits].iter().map(|digit| i64::from(digit - b'0'));
        micros = values.chain(iter::repeat(0)).take(6).fold(0, |micros, digit| micros * 10 + digit);
        canonical &= rest[0] == b'.' && digits == 6 && micros != 0;
        rest = &fraction[digits..];
    }
    if hour == 24 && (minute, second, micros) != (0, 0, 0) {
        return None;
    }
    canonical &= rest == b"Z";
    let seconds = midnight + hour * 3600 + minute * 60 + second - offset(rest)?;
    Some(Time { micros: seconds * 1_000_000 + micros, canonical })
}

/// Seconds east of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let zone = match zone {
        [b' ', zone @ ..] if !zone.is_empty() => zone,
        zone => zone,
    };
    let (sign, hours, minutes) = match zone {
        [] | [b'Z' | b'z'] => return Some(0),
        name if [b"UTC", b"GMT"].iter().any(|utc| name.eq_ignore_ascii_case(*utc)) => return Some(0),
        [sign, a, b] => (sign, two(&[*a, *b])?, 0),
        [sign, a, b, c, d] | [sign, a, b, b':', c, d] => (sign, two(&[*a, *b])?, two(&[*c, *d])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    match sign {
        b'+' => Some(hours * 3600 + minutes * 60),
        b'-' => Some(-hours * 3600 - minutes * 60),
        _ => None,
    }
}

#[inline(always)]
fn two(digits: &[u8]) -> Option<i64> {
    match digits {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(i64::from(a - b'0') * 10 + i64::from(b - b'0')),
        _ => None,
    }
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar, by eras of 400 years that start in March
/// (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, SecondsFormat, Utc};
    use proptest::prelude::*;

    use super::*;

    fn micros(rfc3339: &str) -> i64 {
        rfc3339.parse::<DateTime<Utc>>().unwrap().timestamp_micros()
    }

    #[test]
    fn forms_in_the_wild_are_read_and_only_the_canonical_ones_are_called_so() {
        for (text, same, canonical) in [
            ("2019-05-24T14:08:21Z", "2019-05-24T14:08:21Z", true),
            ("2019-05-24T14:08:21.040000Z", "2019-05-24T14:08:21.04Z", true),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z", true),
            ("2019-05-24T14:08:21.000000Z", "2019-05-24T14:08:21Z", false),
            ("2019-05-24T14:08:21.04Z", "2019-05-24T14:08:21.04Z", false),
            ("2019-05-24T14:08:21.123456789Z", "2019-05-24T14:08:21.123456Z", false),
            ("2019-05-24t14:08:21z", "2019-05-24T14:08:21Z", false),
            ("2019-05-24T14:08:21+00:00", "2019-05-24T14:08:21Z", false),
            ("2019-05-24T14:08:21+05:45", "2019-05-24T08:23:21Z", false),
            ("2019-05-24 14:08:21.5-0800", "2019-05-24T22:08:21.5Z", false),
            ("2019-05-24 14:08:21 +00", "2019-05-24T14:08:21Z", false),
            ("2019-05-24T14:08:21", "2019-05-24T14:08:21Z", false),
            ("2019-05-24T14:08Z", "2019-05-24T14:08:00Z", false),
            ("2019-05-24", "2019-05-24T00:00:00Z", false),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", false),
            ("2019-05-24T24:00:00Z", "2019-05-25T00:00:00Z", false),
            ("2019-12-31T24:00:00.000+01:00", "2019-12-31T23:00:00Z", false),
            ("2019-05-24T14:08:21,5Z", "2019-05-24T14:08:21.5Z", false),
            ("2019-05-24T14:08:21,040000Z", "2019-05-24T14:08:21.04Z", false),
            ("2019-05-24 14:08:21 UTC", "2019-05-24T14:08:21Z", false),
            ("2019-05-24T14:08:21.5utc", "2019-05-24T14:08:21.5Z", false),
            ("2019-05-24T14:08:21 GMT", "2019-05-24T14:08:21Z", false),
            (" 2019-05-24T14:08:21Z\n", "2019-05-24T14:08:21Z", false),
            ("20190524T140821Z", "2019-05-24T14:08:21Z", false),
            ("20190524T140821.25+0100", "2019-05-24T13:08:21.25Z", false),
            ("20190524T1408Z", "2019-05-24T14:08:00Z", false),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", true),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z", true),
        ] {
            assert_eq!(parse(text), Some(Time { micros: micros(same), canonical }), "{text}");
        }
    }

    #[test]
    fn what_names_no_moment_is_none() {
        for text in [
            "",
            "N/A",
            "NaT",
            "not-a-date",
            "20190524",
            "20190524T14",
            "20190524T1408",
            "20190524T140821",
            "20190524T140821.25",
            "20190532T140821Z",
            "2019-05-24T140821",
            "2019-W21-5",
            "2019-02-30T00:00:00Z",
            "2019-13-01T00:00:00Z",
            "0000-00-00T00:00:00Z",
            "2019-05-24T25:61:00Z",
            "2019-05-24T24:00:01Z",
            "2019-05-24T24:00:00.5Z",
            "2019-05-24T24:01Z",
            "2019-05-24T14:08:21,Z",
            "2019-05-24T14:08:21 CET",
            "2019-05-24T14:08:21 UTC+1",
            "2019-05-24T14:08:61Z",
            "2019-05-24T14:08:21.Z",
            "2019-05-24T14:08:21ZZ",
            "2019-05-24T14:08:21+24:00",
            "2019-05-24T14:08:21*05:45",
            "2019-05-24T14",
            "2019-05-24T14:0",
            "2019-05-24T14:08:2",
            "2019-05-2é",
            "1900-02-29",
            "12-Jan-2023 05:22:37",
            "+2019-05-24",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_period_has_all_moments_of_a_year_a_month_or_a_day() {
        for (text, first, after) in [
            ("2015", "2015-01-01T00:00:00Z", "2016-01-01T00:00:00Z"),
            ("2015-12", "2015-12-01T00:00:00Z", "2016-01-01T00:00:00Z"),
            ("2016-02", "2016-02-01T00:00:00Z", "2016-03-01T00:00:00Z"),
            ("1969-12-31", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
            (" 0001 ", "0001-01-01T00:00:00Z", "0002-01-01T00:00:00Z"),
            ("9999", "9999-01-01T00:00:00Z", "+10000-01-01T00:00:00Z"),
            ("9999-12", "9999-12-01T00:00:00Z", "+10000-01-01T00:00:00Z"),
            ("9999-12-31", "9999-12-31T00:00:00Z", "+10000-01-01T00:00:00Z"),
            ("2015-05-31T12:00+01:00", "2015-05-31T11:00:00Z", "2015-05-31T11:00:00.000001Z"),
        ] {
            assert_eq!(parse_period(text), Some(micros(first)..=micros(after) - 1), "{text}");
        }
        for text in
            ["", "15", "20155", "2015-", "2015-00", "2015-13", "2015-5", "2015-02-30", "20é5", "2015-05-", "2015/05"]
        {
            assert_eq!(parse_period(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(micros in -62_167_219_200_000_000i64..253_402_300_800_000_000, minutes in -1439i32..1440) {
            let utc = DateTime::<Utc>::from_timestamp_micros(micros).unwrap();
            let fraction = if micros % 1_000_000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
            prop_assert_eq!(parse(&utc.to_rfc3339_opts(fraction, true)), Some(Time { micros, canonical: true }));
            let local = utc.with_timezone(&chrono::FixedOffset::east_opt(minutes * 60).unwrap()).to_rfc3339();
            if local.len() < 34 && !local.starts_with(['-', '+']) {
                prop_assert_eq!(parse(&local), Some(Time { micros, canonical: false }));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}|[0-9]{2,8}[-T][-0-9:T]{0,8}|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]?[-0-9:.Z+é]{0,20}") {
            parse(&text);
            parse_period(&text);
        }
    }
}
