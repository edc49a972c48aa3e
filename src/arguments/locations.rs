//! Locations that flags name, checked before anything runs.

use std::io;
use std::path::Path;

use earthcatalog_plans::query::{Geometry, parse_place};
use earthcatalog_plans::stores::{location_url, stores};
use earthcatalog_plans::table::WarehouseError;
use earthcatalog_plans::table::catalog::is_rest;
use url::Url;

use super::{ArgumentError, text_or_file};

/// An error unless `inventory` names a file or folder that exists, a pattern of names, or a URL.
pub fn check_inventory(inventory: &str) -> Result<(), ArgumentError> {
    match inventory.contains('*') {
        true => check_location("inventory", inventory).map(drop),
        false => check_existing("inventory", inventory).map(drop),
    }
}

/// As [`check_location`]; also an error unless a file or folder of this machine is there.
pub fn check_existing(flag: &'static str, location: &str) -> Result<Url, ArgumentError> {
    let url = check_location(flag, location)?;
    match url.to_file_path() {
        Ok(path) if url.scheme() == "file" && !path.exists() => {
            Err(ArgumentError::NotThere { flag, location: location.to_owned() })
        }
        _ => Ok(url),
    }
}

/// An error unless a catalog can be at `catalog`, a path or URL.
pub fn check_catalog(catalog: &str) -> Result<(), ArgumentError> {
    let invalid = |source: WarehouseError| ArgumentError::Catalog(Box::new(source));
    if is_rest(catalog).map_err(invalid)? {
        return Ok(());
    }
    let folder = Path::new(catalog).parent().filter(|p| !p.as_os_str().is_empty());
    match folder {
        Some(folder) if !catalog.contains("://") && !folder.exists() => {
            Err(ArgumentError::NoCatalogFolder(catalog.to_owned(), folder.to_owned()))
        }
        _ => Ok(()),
    }
}

/// Whether a catalog is a REST catalog.
pub fn is_rest_catalog(catalog: &str) -> bool {
    is_rest(catalog).unwrap_or_default()
}

/// An error unless `--flag` names a path or URL.
pub fn check_url(flag: &'static str, location: &str) -> Result<(), ArgumentError> {
    let failed = |source| ArgumentError::Location { flag, source: Box::new(source) };
    location_url(location).map(drop).map_err(failed)
}

/// The URL of a location that `--flag` names, if there is a store for it.
pub fn check_location(flag: &'static str, location: &str) -> Result<Url, ArgumentError> {
    let failed = |source| ArgumentError::Location { flag, source: Box::new(source) };
    let url = location_url(location).map_err(failed)?;
    stores().locate(&url).map_err(failed)?;
    Ok(url)
}

/// The place that `--geometry` names: WKT, GeoJSON, `west,south,east,north`, or a file with one of these.
pub fn place(geometry: &str) -> Result<Geometry, ArgumentError> {
    let text = text_or_file("geometry", geometry, &mut io::empty())?;
    read_place(&text).map_err(|reason| ArgumentError::Place { text: geometry.to_owned(), reason })
}

/// The place that a text is, or why it is none.
pub fn read_place(text: &str) -> Result<Geometry, String> {
    let looks_like_a_file =
        !text.contains(['(', '{', '\n']) && text.contains(['.', '/']) && text.parse::<f64>().is_err();
    parse_place(text).map_err(|e| match looks_like_a_file && text.split(',').count() == 1 {
        true => format!("there is no such file, and {e}"),
        false => e.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_text_or_a_file_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("place.wkt");
        std::fs::write(&file, "POINT(1 2)").unwrap();
        assert_eq!(format!("{:?}", place(file.to_str().unwrap())), format!("{:?}", place("POINT(1 2)")));
        let error = place("Paris").unwrap_err().to_string();
        assert!(error.starts_with("--geometry Paris: "), "{error}");
    }
}
