//! Inventories: lists of objects, as AWS S3 Inventory writes them or in plainer forms.
//!
//! | form | columns | keys |
//! |---|---|---|
//! | CSV(.gz) without a header, as S3 Inventory writes | by the manifest's `fileSchema`, else recognised in the first row | URL-encoded, `+` a space |
//! | CSV(.gz) with a header, as other tools write | by name | as they are |
//! | CSV(.gz) without a header and with empty buckets, or of one column | `bucket`, `key`; or `key` | as they are |
//! | Parquet | by name | as they are |
//! | `manifest.json` | of the data files it names | as the data files' form |
//!
//! A row whose bucket is empty has a path or a URL as its key; a relative path starts at the inventory's folder.

pub(super) mod batch;
mod columns;
pub(super) mod csv;
pub(super) mod manifest;
pub(super) mod parquet;

use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use url::Url;

use self::columns::Columns;
use super::keys::KeyBase;
use super::planner::Planner;

/// Plans the inventory at `location`: a manifest, or a single data file.
pub(super) async fn plan(location: &Url, planner: &mut Planner<'_>) -> Result<()> {
    let keys = Arc::new(KeyBase::try_new(location, planner.options.base.as_ref())?);
    let name = location.path().rsplit('/').next().unwrap_or_default();
    if name.ends_with(".json") {
        return manifest::plan(location, planner, &keys).await;
    }
    if name.ends_with(".parquet") {
        return parquet::plan(location, planner, &keys).await;
    }
    csv::plan(location, None, planner, &keys).await
}

fn check_since(file: &Url, columns: &Columns, planner: &Planner<'_>) -> Result<()> {
    if planner.options.since.is_some() && columns.last_modified.is_none() {
        return plan_err!("option 'since' needs column last_modified_date, which {file} does not have");
    }
    Ok(())
}
