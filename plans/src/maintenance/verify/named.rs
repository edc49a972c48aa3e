//! Whether a file that something names is there, as large as it says.

use url::Url;

use super::finding::{Check, Finding};
use super::stored::Stored;
use crate::table::WarehouseError;
use crate::table::leases::error::Result;
use crate::table::location::to_url;

/// A file that is named, with the bytes that it is to have, where that is said.
pub(super) async fn check_file(
    stored: &Stored,
    location: &str,
    url: &Url,
    bytes: Option<u64>,
) -> Result<Option<Finding>> {
    Ok(match (stored.bytes_of(url).await?, bytes) {
        (None, _) => Some(missing(location)),
        (Some(found), Some(bytes)) if found != bytes => {
            Some(Finding::new(Check::Size, location, count(bytes, "byte"), count(found, "byte")))
        }
        _ => None,
    })
}

/// As [`check_file`], of an Iceberg location.
pub(super) async fn check_location(stored: &Stored, location: &str, bytes: Option<u64>) -> Result<Option<Finding>> {
    match to_url(location) {
        Ok(url) => check_file(stored, location, &url, bytes).await,
        Err(e) => Ok(Some(Finding::new(Check::Exists, location, "the location of a file", e))),
    }
}

/// The finding of metadata that could not be read.
///
/// Errors: the store does not say whether it is there.
pub(super) async fn unreadable(stored: &Stored, location: &str, error: &WarehouseError) -> Result<Finding> {
    if let Ok(url) = to_url(location)
        && stored.bytes_of(&url).await?.is_none()
    {
        return Ok(missing(location));
    }
    let found = match error {
        WarehouseError::Damaged { reason, .. } => reason.clone(),
        WarehouseError::Metadata { source, .. } => source.to_string(),
        other => other.to_string(),
    };
    Ok(Finding::new(Check::Readable, location, "what was written", found))
}

pub(super) fn missing(location: &str) -> Finding {
    Finding::new(Check::Exists, location, "a file", "none")
}

/// So many of something, as a person says it.
pub(super) fn count(number: u64, of: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {of}{end}")
}
