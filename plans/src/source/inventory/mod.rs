//! Inventories: lists of objects, as S3, Google and Azure write them, as listing tools print them, or in plainer forms.
//!
//! | form | columns | keys |
//! |---|---|---|
//! | CSV without a header, as S3 Inventory writes | by the manifest's `fileSchema`, else recognised in the first row | URL-encoded, `+` a space |
//! | a table with a header (comma, tab, semicolon, bar) | by name, see [`columns`] | as they are |
//! | CSV without a header and with empty buckets, or of one column | `bucket`, `key`; or `key` | as they are |
//! | a list (`.txt`), a key or URL a line | | as they are |
//! | what `aws s3 ls --recursive` or `gcloud storage ls -l` print | key or URL, time | as they are |
//! | Parquet | by name | as they are |
//! | `manifest.json` | of the data files it names | as the data files' form |
//! | a location with `*` | of each file that matches | as the files' form |
//!
//! All text may be gzip or zstd. A row whose bucket is empty has a path or a URL as its key; a relative path starts at the
//! inventory's folder.

pub(super) mod batch;
mod columns;
mod csv;
mod form;
mod listing;
pub(super) mod manifest;
pub(super) mod parquet;
pub(super) mod records;

use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use futures::TryStreamExt;
use url::Url;

pub(super) use self::columns::no_key;
use super::direct::files::FilesOfItems;
use super::direct::folder::{matches, no_match};
use super::format::is_folder;
use super::keys::KeyBase;
use super::planner::Planner;
use super::wildcards::Wildcards;
use crate::stores::folder_url;

/// Plans the inventory at `location`: a manifest, a data file, or those that a pattern stands for.
///
/// Errors: it is a folder; it lists objects, and none of them is an Item by its name.
pub(super) async fn plan(location: &Url, planner: &mut Planner<'_>) -> Result<()> {
    let (folder, files) = match Wildcards::of(location)? {
        Some(wildcards) => {
            let folder = wildcards.folder.clone();
            match matches(wildcards)?.try_collect::<Vec<_>>().await? {
                files if files.is_empty() => return no_match(location),
                files => (folder, files),
            }
        }
        None if is_folder(location)? => {
            return plan_err!(
                "{location} is a folder; name the manifest.json of the inventory, or its data files by a pattern, such as {}*.csv.gz",
                folder_url(location.as_str())?
            );
        }
        None => (location.clone(), vec![location.clone()]),
    };
    let keys = Arc::new(KeyBase::try_new(&folder, planner.options.base.as_ref())?);
    for file in files {
        if planner.is_full() {
            break;
        }
        let name = file.path().rsplit('/').next().unwrap_or_default();
        if name.ends_with(".json") {
            manifest::plan(&file, planner, &keys).await?;
        } else if name.ends_with("parquet") {
            parquet::plan(&file, planner, &keys).await?;
        } else {
            csv::plan(&file, None, planner, &keys).await?;
        }
    }
    planner.check_names(location)?;
    let mut files = FilesOfItems::default();
    files.take_listed(planner);
    files.plan(&keys, planner).await
}

fn check_since(file: &Url, has_times: bool, planner: &Planner<'_>) -> Result<()> {
    if planner.options.since.is_some() && !has_times {
        return plan_err!("option 'since' needs column last_modified_date, which {file} does not have");
    }
    Ok(())
}
