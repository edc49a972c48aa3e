//! What a location holds: by its name, and where the name does not tell, by its content.

use std::fmt;

use datafusion::common::{Result, plan_err};
use url::Url;

use super::option_error::OptionError;

/// How Items are stored at a location.
///
/// | format | by name |
/// |---|---|
/// | `inventory` | `…manifest.json`; `.csv`, `.tsv`, `.txt`, `.lst`, `.list`, each also `.gz` or `.zst`; `.parquet` without a column `geometry` and with one of keys; `*` with one of these endings |
/// | `ndjson` | `.ndjson`, `.jsonl`, `.geojsonl`, `.geojsons`, each also `.gz` or `.zst` |
/// | `item_collection` | `.json`, `.geojson`, each also `.gz` or `.zst`: an ItemCollection, or a single Item |
/// | `stac-geoparquet` | `.parquet`, `.geoparquet` |
/// | `iceberg` | `.metadata.json`; `.db`, `.sqlite`, `.sqlite3`: a table of another program, by its metadata or its catalog |
/// | `folder` | anything else, and any other location with `*`: files of the formats above but inventories, recursively |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Inventory,
    Ndjson,
    ItemCollection,
    Folder,
    StacGeoparquet,
    Iceberg,
}

impl Format {
    const ALL: [Self; 6] =
        [Self::Inventory, Self::Ndjson, Self::ItemCollection, Self::Folder, Self::StacGeoparquet, Self::Iceberg];

    /// The value of option `format`; `None` for `auto`.
    pub(super) fn parse(value: &str) -> Result<Option<Self>, OptionError> {
        if value.eq_ignore_ascii_case("auto") {
            return Ok(None);
        }
        let value = value.to_ascii_lowercase().replace('_', "-");
        let found = Self::ALL.into_iter().find(|f| f.to_string().replace('_', "-") == value);
        found.map(Some).ok_or_else(|| OptionError::InvalidValue {
            option: "format",
            value,
            accepted: "auto, inventory, ndjson, item_collection, folder, stac-geoparquet or iceberg".into(),
        })
    }

    /// Whether a file of this format has many Items, which are read a part at a time.
    pub(super) fn is_of_lines_or_rows(self) -> bool {
        matches!(self, Self::Ndjson | Self::StacGeoparquet)
    }

    /// The format of a file by its name; `Parquet` may still be an inventory.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let plain = without_compression(name);
        let ends = |suffixes: &[&str]| suffixes.iter().any(|s| plain.ends_with(s));
        if name.ends_with("manifest.json") || ends(&[".csv", ".tsv", ".txt", ".lst", ".list"]) {
            Some(Self::Inventory)
        } else if ends(&[".ndjson", ".jsonl", ".geojsonl", ".geojsons"]) {
            Some(Self::Ndjson)
        } else if ends(&[".json", ".geojson"]) {
            Some(Self::ItemCollection)
        } else if ends(&[".parquet", ".geoparquet"]) {
            Some(Self::StacGeoparquet)
        } else {
            None
        }
    }
}

/// Endings of compressed text.
const COMPRESSED: [&str; 2] = [".gz", ".zst"];

/// The name of a file without the ending that says that it is compressed.
pub(super) fn without_compression(name: &str) -> &str {
    COMPRESSED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inventory => "inventory",
            Self::Ndjson => "ndjson",
            Self::ItemCollection => "item_collection",
            Self::Folder => "folder",
            Self::StacGeoparquet => "stac-geoparquet",
            Self::Iceberg => "iceberg",
        })
    }
}

/// Object stores know no folders; a local path may be one without saying so by a slash.
pub(super) fn is_local_folder(location: &Url) -> Result<bool> {
    let Some(path) = (location.scheme() == "file").then(|| location.to_file_path().ok()).flatten() else {
        return Ok(false);
    };
    match std::fs::metadata(&path) {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(e) => plan_err!("cannot open {}: {e}", path.display()),
    }
}

/// Whether a location is a folder, or a prefix that ends in `/`.
///
/// Errors: nothing is there on the local disk.
pub(super) fn is_folder(location: &Url) -> Result<bool> {
    Ok(is_local_folder(location)? || location.path().ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_formats() {
        for (name, format) in [
            ("manifest.json", Some(Format::Inventory)),
            ("rule-manifest.json", Some(Format::Inventory)),
            ("a.csv.gz", Some(Format::Inventory)),
            ("a.ndjson", Some(Format::Ndjson)),
            ("a.jsonl.gz", Some(Format::Ndjson)),
            ("a.jsonl.zst", Some(Format::Ndjson)),
            ("a.stac.json", Some(Format::ItemCollection)),
            ("a.geojson", Some(Format::ItemCollection)),
            ("a.geoparquet", Some(Format::StacGeoparquet)),
            ("a.txt", Some(Format::Inventory)),
            ("a.tsv.gz", Some(Format::Inventory)),
            ("a.geojsons", Some(Format::Ndjson)),
            ("a.zip", None),
        ] {
            assert_eq!(Format::of_name(name), format, "{name}");
        }
    }

    #[tokio::test]
    async fn a_location_that_is_not_there_is_named() {
        let error = Format::detect(&Url::parse("file:///no/such/place.ndjson").unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("cannot open /no/such/place.ndjson: No such file"), "{error}");
    }

    #[test]
    fn formats_are_spelled_with_hyphen_or_underscore() {
        assert_eq!(Format::parse("STAC_GeoParquet"), Ok(Some(Format::StacGeoparquet)));
        assert_eq!(Format::parse("item-collection"), Ok(Some(Format::ItemCollection)));
        assert_eq!(Format::parse("auto"), Ok(None));
    }
}
