//! Values of flags that are more than a number or a text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use earthcatalog_plans::model::time::parse_period;
use earthcatalog_plans::runtime::MaxRejects;
use log::LevelFilter;
use thiserror::Error;
use url::Url;

/// `--since`: a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    At(DateTime<Utc>),
    /// That of the newest object that the table has seen.
    Last,
}

#[derive(Debug, Error, PartialEq)]
#[error(
    "it must be a date (2025-01-31, midnight UTC), a month (2025-01), a year (2025) or a time (2025-01-31T12:00:00Z)"
)]
pub struct InvalidSince;

impl FromStr for Since {
    type Err = InvalidSince;

    fn from_str(text: &str) -> Result<Self, InvalidSince> {
        if text == "last" {
            return Ok(Self::Last);
        }
        from(text).map(Self::At).map_err(|InvalidTime| InvalidSince)
    }
}

/// Reads `--start`: a time, or the first microsecond of a day, a month or a year.
pub fn from(text: &str) -> Result<DateTime<Utc>, InvalidTime> {
    parse_period(text).map(|period| *period.start()).ok_or(InvalidTime)
}

/// Reads `--end`: a time, or the last microsecond of a day, a month or a year.
pub fn until(text: &str) -> Result<DateTime<Utc>, InvalidTime> {
    parse_period(text).map(|period| *period.end()).ok_or(InvalidTime)
}

/// Reads `--datetime`: a year, a month, a day or a time, or an interval START/END of such, which is from the start of
/// the one to the end of the other; `..` is an open end. Written as STAC API has it.
pub fn interval(text: &str) -> Result<String, InvalidInterval> {
    let written = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let open = ["", ".."];
    let (start, end) = text.split_once('/').unwrap_or((text, text));
    if text.is_empty() || open.contains(&start) && open.contains(&end) {
        return Err(InvalidInterval);
    }
    let first =
        if open.contains(&start) { "..".to_owned() } else { written(from(start).map_err(|_| InvalidInterval)?) };
    let last = if open.contains(&end) { "..".to_owned() } else { written(until(end).map_err(|_| InvalidInterval)?) };
    Ok(format!("{first}/{last}"))
}

#[derive(Debug, Error, PartialEq)]
#[error(
    "it must be a year (2025), a month (2025-01), a day (2025-01-31, UTC), an RFC 3339 time (2025-01-31T12:00:00Z), or an interval START/END of these, with .. for an open end"
)]
pub struct InvalidInterval;

#[derive(Debug, Error, PartialEq)]
#[error("it must be a date (2025-01-31, UTC), a month (2025-01), a year (2025) or a time (2025-01-31T12:00:00Z)")]
pub struct InvalidTime;

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::Last => f.write_str("last"),
        }
    }
}

/// Reads `--max-rejects`.
pub fn max_rejects(text: &str) -> Result<MaxRejects, InvalidMaxRejects> {
    text.parse().map_err(|_| InvalidMaxRejects)
}

#[derive(Debug, Error, PartialEq)]
#[error("it must be a number of objects (100) or a share of the inventory between 0% and 100% (0.5%)")]
pub struct InvalidMaxRejects;

/// Reads `--set name=value`.
pub fn setting(text: &str) -> Result<(String, String), InvalidSetting> {
    let (name, value) = text.split_once('=').ok_or(InvalidSetting)?;
    let name = name.trim().trim_start_matches('$');
    if name.is_empty() { Err(InvalidSetting) } else { Ok((name.to_owned(), value.to_owned())) }
}

#[derive(Debug, Error, PartialEq)]
#[error("it must be name=value (chunk_size=5000)")]
pub struct InvalidSetting;

/// Reads a size in bytes: `512MB`, `1.5 GB`, `2GiB`, in any case. Units are powers of 1,000, and with an `i` of 1,024.
pub fn size(text: &str) -> Result<usize, InvalidSize> {
    let (number, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len());
    let unit: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return Err(InvalidSize),
    };
    let number = number.trim();
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(unit),
        // Digits and one point; what is less than a byte is dropped.
        Err(_) if number.chars().all(|c| c.is_ascii_digit() || c == '.') => {
            number.parse().ok().map(|part: f64| part * unit as f64).filter(|b| *b < 1e18).map(|b| b as u64)
        }
        Err(_) => None,
    };
    bytes.and_then(|bytes| usize::try_from(bytes).ok()).filter(|size| *size > 0).ok_or(InvalidSize)
}

#[derive(Debug, Error, PartialEq)]
#[error("it must be a size with a unit: B, kB, MB, GB or TB, or KiB, MiB, GiB or TiB (512MB, 1.5GiB)")]
pub struct InvalidSize;

/// Reads an address of HTTP, without parameters; a slash at its end says nothing.
pub fn http_url(text: &str) -> Result<String, InvalidUrl> {
    let url = text.parse::<Url>().map_err(|_| InvalidUrl)?;
    let is_plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    if is_plain { Ok(text.trim_end_matches('/').to_owned()) } else { Err(InvalidUrl) }
}

#[derive(Debug, Error, PartialEq)]
#[error("it must be an address as https://example.com/stac")]
pub struct InvalidUrl;

/// Reads a duration: `0s`, `30m`, `1h`, `7d`.
pub fn duration(text: &str) -> Result<Duration, InvalidDuration> {
    humantime::parse_duration(text).map_err(|_| InvalidDuration)
}

#[derive(Debug, Error, PartialEq)]
#[error("it must be a duration with a unit (0s, 30m, 1h, 7d)")]
pub struct InvalidDuration;

/// Reads the least level of what is logged.
pub fn log_level(text: &str) -> Result<LevelFilter, InvalidLevel> {
    text.parse().map_err(|_| InvalidLevel)
}

#[derive(Debug, Error, PartialEq)]
#[error("it must be off, error, warn, info, debug or trace")]
pub struct InvalidLevel;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_date_or_a_time_in_any_offset() {
        let read = |text: &str| text.parse::<Since>().map(|s| s.to_string());
        assert_eq!(read("2025-01-31"), Ok("2025-01-31T00:00:00Z".into()));
        assert_eq!(read("2025-01-31T01:00:00.5+01:00"), Ok("2025-01-31T00:00:00.500Z".into()));
        assert_eq!(read("2025"), Ok("2025-01-01T00:00:00Z".into()));
        assert_eq!(read("31.1.2025"), Err(InvalidSince));
    }

    #[test]
    fn an_interval_is_from_the_first_instant_to_the_last() {
        for (text, expected) in [
            ("2020", "2020-01-01T00:00:00Z/2020-12-31T23:59:59.999999Z"),
            ("2020-02", "2020-02-01T00:00:00Z/2020-02-29T23:59:59.999999Z"),
            ("2020-02-01/2021", "2020-02-01T00:00:00Z/2021-12-31T23:59:59.999999Z"),
            ("2020-01-01T12:00:00+01:00", "2020-01-01T11:00:00Z/2020-01-01T11:00:00Z"),
            ("../2020-01", "../2020-01-31T23:59:59.999999Z"),
            ("2020/", "2020-01-01T00:00:00Z/.."),
        ] {
            assert_eq!(interval(text), Ok(expected.to_owned()), "{text}");
        }
        for wrong in ["", "/", "../..", "20", "2020-13", "2020/2021/2022", "yesterday"] {
            assert_eq!(interval(wrong), Err(InvalidInterval), "{wrong}");
        }
    }

    #[test]
    fn a_day_a_month_and_a_year_have_a_start_and_an_end() {
        for (text, first, last) in [
            ("2015", "2015-01-01T00:00:00Z", "2015-12-31T23:59:59.999999Z"),
            ("2016-02", "2016-02-01T00:00:00Z", "2016-02-29T23:59:59.999999Z"),
            ("0001-01-01", "0001-01-01T00:00:00Z", "0001-01-01T23:59:59.999999Z"),
            ("9999-12-31", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
            ("2015-05-31T12:00:00+02:00", "2015-05-31T10:00:00Z", "2015-05-31T10:00:00Z"),
        ] {
            let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
            assert_eq!((from(text), until(text)), (Ok(time(first)), Ok(time(last))), "{text}");
        }
        assert_eq!((from("soon"), until("2015-13")), (Err(InvalidTime), Err(InvalidTime)));
    }

    #[test]
    fn a_setting_has_a_name_and_a_value() {
        let read = |text: &str| setting(text).map(|(name, value)| format!("{name}|{value}"));
        assert_eq!(read("$base=s3://b/?a=b"), Ok("base|s3://b/?a=b".into()));
        assert_eq!(read("suffix="), Ok("suffix|".into()));
        assert_eq!([read("suffix"), read("=x")], [Err(InvalidSetting), Err(InvalidSetting)]);
    }

    #[test]
    fn a_size_has_a_decimal_or_a_binary_unit_in_any_case() {
        for (text, bytes) in [
            ("512MB", 512_000_000),
            ("2 GB", 2_000_000_000),
            ("7", 7),
            ("7b", 7),
            ("1.5gb", 1_500_000_000),
            (".5k", 500),
            ("1 TB", 1_000_000_000_000),
            ("2GiB", 2 << 30),
            ("1.5 mib", 3 << 19),
            ("4Gi", 4 << 30),
            ("3g", 3_000_000_000),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "MB", "0", "0.0001kB", "-1", "1e3", "1.2.3GB", "1,5GB", "5 PB", "inf", "99999999999999GB"] {
            assert_eq!(size(wrong), Err(InvalidSize), "{wrong}");
        }
    }

    #[test]
    fn a_duration_has_a_unit() {
        let seconds = |text: &str| duration(text).map(|d| d.as_secs());
        assert_eq!(
            [seconds("0s"), seconds("90m"), seconds("1h 30m"), seconds("7d")].map(Result::unwrap),
            [0, 5_400, 5_400, 604_800]
        );
        for wrong in ["", "h", "1", "-1h", "one hour"] {
            assert_eq!(duration(wrong), Err(InvalidDuration), "{wrong}");
        }
    }

    #[test]
    fn an_address_of_http_has_no_parameters() {
        assert_eq!(http_url("https://example.com/stac/"), Ok("https://example.com/stac".into()));
        for wrong in ["example.com", "ftp://example.com", "http://a/?b", "http://a/#b", ""] {
            assert_eq!(http_url(wrong), Err(InvalidUrl), "{wrong}");
        }
    }

    #[test]
    fn max_rejects_is_a_number_or_a_share() {
        assert_eq!(max_rejects("12"), Ok(MaxRejects::Count(12)));
        assert_eq!(max_rejects("0.5%"), Ok(MaxRejects::Percent(0.5)));
        for wrong in ["-1", "1.5", "NaN%", "101%", "%", ""] {
            assert_eq!(max_rejects(wrong), Err(InvalidMaxRejects), "{wrong}");
        }
    }
}
