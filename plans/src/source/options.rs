//! The options of `STORED AS STAC`, typed and checked.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, SecondsFormat};
use earthcatalog_udfs::cover::MAX_CELLS;
use url::Url;

use super::format::{Format, without_compression};
use super::option_error::{OPTIONS, OptionError};
use crate::model::time::parse_period;
use crate::stores::folder_url;

/// Cells of an Item, and so its part files: more than all cells of resolution 2, and a hundred times those of a large scene
/// at the resolutions that scenes are stored by.
pub(super) const MAX_ITEM_CELLS: u64 = 10_000;

/// The suffixes of Items in an inventory.
const ITEM_SUFFIXES: [&str; 1] = [".json"];

/// The suffixes of files with Items in a folder, but for those of compressed ones.
const FOLDER_SUFFIXES: [&str; 8] =
    [".json", ".geojson", ".ndjson", ".jsonl", ".geojsonl", ".geojsons", ".parquet", ".geoparquet"];

/// Options of a STAC table. An option whose value is empty or `NULL` is not set.
///
/// | option | default | meaning |
/// |---|---|---|
/// | `like` | | registered table whose promoted columns the Items get; instead of a column list |
/// | `objects` | | table or view that lists the objects, in place of the location, to which their keys are relative |
/// | `chunk_size` | 10000 | Items per chunk |
/// | `limit` | | read no more than this many Items, the first ones |
/// | `since` | | date or RFC 3339 time: leave out objects whose `last_modified_date` is older |
/// | `fetch_concurrency` | 64 | requests in flight per partition |
/// | `suffix` | `.json` | comma list: which keys of an inventory, or files of a folder, are Items |
/// | `max_item_bytes` | 67108864 | a larger Item is rejected |
/// | `max_item_cells` | 10000 | an Item of more cells is rejected, where its rows go to cells |
/// | `format` | `auto` | see [`Format`] |
/// | `base` | | folder or prefix that stands for `s3://<bucket>/`: a mirror, or another endpoint |
/// | `validate` | `false` | whether an Item without what STAC requires of one is rejected |
#[derive(Debug, Clone, PartialEq)]
pub struct StacOptions {
    pub like: Option<String>,
    pub objects: Option<String>,
    pub chunk_size: u64,
    pub limit: Option<u64>,
    /// Milliseconds since 1970, UTC.
    pub since: Option<i64>,
    pub fetch_concurrency: usize,
    pub suffixes: Option<Vec<String>>,
    pub max_item_bytes: u64,
    /// Up to [`MAX_CELLS`].
    pub max_item_cells: u64,
    /// `None`: by the location's name and content.
    pub format: Option<Format>,
    /// Ends in `/`.
    pub base: Option<Url>,
    pub validate: bool,
}

impl Default for StacOptions {
    fn default() -> Self {
        Self {
            like: None,
            objects: None,
            chunk_size: 10_000,
            limit: None,
            since: None,
            fetch_concurrency: 64,
            suffixes: None,
            max_item_bytes: 64 << 20,
            max_item_cells: MAX_ITEM_CELLS,
            format: None,
            base: None,
            validate: false,
        }
    }
}

impl StacOptions {
    /// Reads the map of `OPTIONS (…)`, in which DataFusion prefixes plain names with `format.`.
    pub fn try_new(options: &HashMap<String, String>) -> Result<Self, OptionError> {
        let mut result = Self::default();
        // Sorted, so that of several wrong options the same one is reported each time.
        let mut options = options.iter().collect::<Vec<_>>();
        options.sort();
        for (key, value) in options {
            let name = key.strip_prefix("format.").unwrap_or(key).to_ascii_lowercase();
            let Some(value) = given(value) else {
                if !OPTIONS.contains(&name.as_str()) {
                    return Err(OptionError::UnknownOption { option: name });
                }
                continue;
            };
            match name.as_str() {
                "like" => result.like = Some(value.to_owned()),
                "objects" => result.objects = Some(value.to_owned()),
                "chunk_size" => result.chunk_size = count("chunk_size", value)?,
                "limit" => result.limit = Some(count("limit", value)?),
                "since" => result.since = Some(time("since", value)?),
                "fetch_concurrency" => result.fetch_concurrency = count("fetch_concurrency", value)? as usize,
                "suffix" => result.suffixes = Some(suffixes(value)?),
                "max_item_bytes" => result.max_item_bytes = count("max_item_bytes", value)?,
                "max_item_cells" => result.max_item_cells = cells("max_item_cells", value)?,
                "format" => result.format = Format::parse(value)?,
                "base" => result.base = Some(base(value)?),
                "validate" => result.validate = boolean("validate", value)?,
                _ => return Err(OptionError::UnknownOption { option: name }),
            }
        }
        Ok(result)
    }

    /// The options that shape the rows and their chunks, by name, as far as they are set.
    pub(super) fn shaping(&self) -> BTreeMap<String, String> {
        let since = self.since.and_then(DateTime::from_timestamp_millis);
        let options = [
            ("chunk_size", Some(self.chunk_size.to_string())),
            ("limit", self.limit.map(|n| n.to_string())),
            ("since", since.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true))),
            ("suffix", self.suffixes.as_ref().map(|suffixes| suffixes.join(","))),
            ("max_item_bytes", Some(self.max_item_bytes.to_string())),
            // A run that was begun before there was a limit is still the same run.
            ("max_item_cells", Some(self.max_item_cells).filter(|n| *n != MAX_ITEM_CELLS).map(|n| n.to_string())),
            ("format", self.format.map(|format| format!("{format:?}"))),
            ("base", self.base.as_ref().map(Url::to_string)),
            ("validate", self.validate.then(|| "true".to_owned())),
        ];
        options.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// Whether a key of an inventory is an Item by its name. Addresses of a web server have no endings by which they are
    /// told apart: all are, unless option `suffix` says otherwise.
    pub(super) fn is_item(&self, key: &str) -> bool {
        match &self.suffixes {
            Some(suffixes) => suffixes.iter().any(|s| key.ends_with(s.as_str())),
            None => {
                ITEM_SUFFIXES.iter().any(|s| key.ends_with(s))
                    || ["http://", "https://"].iter().any(|scheme| key.starts_with(scheme))
            }
        }
    }

    /// How the keys of Items end.
    pub(super) fn item_suffixes(&self) -> Vec<&str> {
        match &self.suffixes {
            Some(suffixes) => suffixes.iter().map(String::as_str).collect(),
            None => ITEM_SUFFIXES.to_vec(),
        }
    }

    /// Whether a file of a folder has Items by its name.
    pub(super) fn is_item_file(&self, name: &str) -> bool {
        match &self.suffixes {
            Some(suffixes) => suffixes.iter().any(|s| name.ends_with(s.as_str())),
            None => FOLDER_SUFFIXES.iter().any(|s| without_compression(name).ends_with(s)),
        }
    }
}

fn invalid(option: &'static str, value: &str, accepted: impl Into<String>) -> OptionError {
    OptionError::InvalidValue { option, value: value.to_owned(), accepted: accepted.into() }
}

fn count(option: &'static str, value: &str) -> Result<u64, OptionError> {
    let number = value.parse().ok().filter(|n| *n > 0);
    number.ok_or_else(|| invalid(option, value, "a whole number of at least 1"))
}

fn cells(option: &'static str, value: &str) -> Result<u64, OptionError> {
    let number = value.parse().ok().filter(|n| (1..=MAX_CELLS as u64).contains(n));
    number.ok_or_else(|| invalid(option, value, format!("a whole number from 1 to {MAX_CELLS}")))
}

/// The value of an option; `None` where it is empty or null, as a parameter without an argument is.
fn given(value: &str) -> Option<&str> {
    Some(value.trim()).filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case("null"))
}

/// The value of an option that is true or false, and false where it is not given.
pub(crate) fn flag(option: &'static str, value: &str) -> Result<bool, OptionError> {
    given(value).map_or(Ok(false), |value| boolean(option, value))
}

fn boolean(option: &'static str, value: &str) -> Result<bool, OptionError> {
    value.to_ascii_lowercase().parse().map_err(|_| invalid(option, value, "true or false"))
}

fn time(option: &'static str, value: &str) -> Result<i64, OptionError> {
    parse_period(value).map(|period| period.start().timestamp_millis()).ok_or_else(|| {
        invalid(
            option,
            value,
            "a date, a month, a year or an RFC 3339 time, such as 2025-01-31, 2025-01, 2025 or 2025-01-31T12:00:00Z (UTC if no zone)",
        )
    })
}

fn suffixes(value: &str) -> Result<Vec<String>, OptionError> {
    let suffixes = value.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect::<Vec<_>>();
    if suffixes.is_empty() {
        return Err(invalid("suffix", value, "a comma list of endings, such as .stac.json,.json"));
    }
    Ok(suffixes)
}

fn base(value: &str) -> Result<Url, OptionError> {
    folder_url(value).map_err(|e| invalid("base", value, format!("a folder or a URL prefix ({e})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<StacOptions, OptionError> {
        StacOptions::try_new(&options.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
    }

    #[test]
    fn empty_and_null_values_are_unset() {
        let options =
            parse(&[("format.limit", ""), ("format.since", "NULL"), ("format.format", " "), ("base", "null")]);
        assert_eq!(options.unwrap(), StacOptions::default());
    }

    #[test]
    fn every_option_is_read() {
        let options = parse(&[
            ("format.like", "items"),
            ("format.chunk_size", "7"),
            ("format.limit", "9"),
            ("format.since", "1970-01-02"),
            ("format.fetch_concurrency", "3"),
            ("format.suffix", ".stac.json, .item"),
            ("format.max_item_bytes", "1000"),
            ("format.max_item_cells", "50"),
            ("format.format", "inventory"),
            ("format.base", "http://127.0.0.1:1/mirror"),
            ("format.validate", "TRUE"),
        ])
        .unwrap();
        assert_eq!(options.like.as_deref(), Some("items"));
        assert_eq!((options.chunk_size, options.limit, options.since), (7, Some(9), Some(86_400_000)));
        assert_eq!((options.fetch_concurrency, options.max_item_bytes, options.max_item_cells), (3, 1000, 50));
        assert_eq!(options.suffixes.unwrap(), [".stac.json", ".item"]);
        assert_eq!((options.format, options.validate), (Some(Format::Inventory), true));
        assert_eq!(options.base.unwrap().as_str(), "http://127.0.0.1:1/mirror/");
    }

    #[test]
    fn since_takes_offsets() {
        assert_eq!(parse(&[("since", "1970-01-01T01:00:00.5+01:00")]).unwrap().since, Some(500));
    }

    #[test]
    fn a_wrong_value_names_the_option_and_what_it_takes() {
        for (option, value, accepted) in [
            ("chunk_size", "0", "a whole number of at least 1"),
            ("limit", "ten", "a whole number of at least 1"),
            ("max_item_cells", "0", "a whole number from 1 to 4194304"),
            ("max_item_cells", "4194305", "a whole number from 1 to 4194304"),
            ("since", "yesterday", "a date, a month, a year or an RFC 3339 time"),
            ("format", "csv", "auto, inventory, ndjson, item_collection, folder, stac-geoparquet or iceberg"),
            ("suffix", " , ", "a comma list of endings"),
            ("validate", "yes", "true or false"),
        ] {
            let error = parse(&[(option, value)]).unwrap_err().to_string();
            assert!(error.contains(&format!("option '{option}'")) && error.contains(accepted), "{error}");
        }
    }

    #[test]
    fn an_unknown_option_is_an_error_even_if_unset() {
        let error = parse(&[("format.chunksize", "")]).unwrap_err().to_string();
        assert!(
            error.starts_with("a STAC table has no option 'chunksize'; its options are like, objects, chunk_size"),
            "{error}"
        );
    }
}
