//! Sources that are not lists of objects: files of Items, and folders and tables of such files.

pub(super) mod document;
pub(super) mod files;
pub(super) mod folder;
pub(super) mod iceberg;
pub(super) mod ndjson;
pub(super) mod stac_geoparquet;

use datafusion::common::{Result, plan_err};
use url::Url;

use super::options::StacOptions;

/// A single file has no rows with a time for `since` to choose from.
fn refuse_since(file: &Url, options: &StacOptions) -> Result<()> {
    if options.since.is_some() {
        return plan_err!(
            "option 'since' selects objects of an inventory or files of a folder by their time; {file} is a single file"
        );
    }
    Ok(())
}
