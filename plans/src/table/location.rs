//! Iceberg writes locations as URLs without percent-encoding, so that every reader finds
//! `file:///data/my items/…`; everywhere else in earthcatalog a location is a URL.

use percent_encoding::percent_decode_str;
use url::Url;

use super::error::{Result, WarehouseError};

/// The location that Iceberg metadata records for a URL.
pub fn to_location(url: &Url) -> Result<String> {
    let invalid =
        |reason: &str| WarehouseError::InvalidLocation { location: url.to_string(), reason: reason.to_owned() };
    if url.scheme() == "file" {
        let path = url.to_file_path().map_err(|()| invalid("not a local path"))?;
        let path = path.to_str().ok_or_else(|| invalid("the path is not UTF-8, which Iceberg cannot record"))?;
        // `to_file_path` drops the slash that marks a folder.
        let slash = if url.path().ends_with('/') && !path.ends_with('/') { "/" } else { "" };
        return Ok(format!("file://{path}{slash}"));
    }
    let path = percent_decode_str(url.path()).decode_utf8().map_err(|_| invalid("the path is not UTF-8"))?;
    Ok(format!("{}://{}{path}", url.scheme(), url.authority()))
}

/// The URL of a location that Iceberg metadata records; a plain path is a local file.
pub fn to_url(location: &str) -> Result<Url> {
    let invalid =
        |reason: &str| WarehouseError::InvalidLocation { location: location.to_owned(), reason: reason.into() };
    let local = location.strip_prefix("file://").or_else(|| location.strip_prefix("file:"));
    if let Some(path) = local.or_else(|| location.starts_with('/').then_some(location)) {
        return Url::from_file_path(path).map_err(|()| invalid("not an absolute path"));
    }
    let (scheme, rest) = location.split_once("://").ok_or_else(|| invalid("neither a path nor a URL"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut url = Url::parse(&format!("{scheme}://{authority}/")).map_err(|e| invalid(&e.to_string()))?;
    let mut segments = url.path_segments_mut().map_err(|()| invalid("a URL without a path"))?;
    segments.clear().extend(path.split('/'));
    drop(segments);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_has_no_percent_encoding_and_leads_back_to_its_url() {
        for (url, location) in [
            ("file:///data/my%20items/wh/", "file:///data/my items/wh/"),
            ("file:///data/100%25%20%C3%A9", "file:///data/100% é"),
            ("s3://bucket/a%20b/grid_partition=8/x.parquet", "s3://bucket/a b/grid_partition=8/x.parquet"),
            ("memory://test/wh/", "memory://test/wh/"),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(to_location(&url).unwrap(), location);
            let (store, path) = crate::stores::stores().locate(&url).unwrap();
            let (same, back) = crate::stores::stores().locate(&to_url(location).unwrap()).unwrap();
            assert!(std::sync::Arc::ptr_eq(&store, &same) && path == back, "{location}");
        }
    }

    #[test]
    fn what_other_engines_write_for_local_files_is_understood() {
        for location in ["/data/x.avro", "file:/data/x.avro", "file:///data/x.avro"] {
            assert_eq!(to_url(location).unwrap().as_str(), "file:///data/x.avro");
        }
        assert!(to_url("data/x.avro").is_err());
    }
}
