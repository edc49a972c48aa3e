//! [`plan_chunks`]: lists a location by its format, and cuts it into chunks.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::execution::disk_manager::DiskManager;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use url::Url;

use super::chunk::ChunkList;
use super::direct::folder::matches;
use super::format::{Format, is_folder};
use super::inventory::parquet::is_inventory;
use super::keys::KeyBase;
use super::options::StacOptions;
use super::parquet_file::ParquetFile;
use super::planner::{Listed, Planner};
use super::spool::{Entry, ObjectVersion};
use super::wildcards::Wildcards;
use super::{direct, inventory};
use crate::stores::stores;

/// Lists `location` and cuts it into chunks. Inventories are read once, as a stream, and not kept in memory.
///
/// Errors: the location cannot be opened, or is not of its format.
pub(super) async fn plan_chunks(location: &Url, options: &StacOptions, disk: &Arc<DiskManager>) -> Result<ChunkList> {
    plan(location, Planner::try_new(options, disk)?).await
}

/// As [`plan_chunks`], where only the objects are asked for: each file of many Items is one of them. Option `since` leaves
/// out none that is `never_too_old`, by the [hashes](super::planner::name_hash) of their URLs.
pub(super) async fn list_objects(
    location: &Url,
    options: &StacOptions,
    never_too_old: HashSet<u64>,
    disk: &Arc<DiskManager>,
) -> Result<ChunkList> {
    let mut planner = Planner::try_new(options, disk)?;
    (planner.lists_objects, planner.never_too_old) = (true, never_too_old);
    plan(location, planner).await
}

async fn plan(location: &Url, mut planner: Planner<'_>) -> Result<ChunkList> {
    let format = match planner.options.format {
        Some(format) => format,
        None => Format::detect(location).await?,
    };
    match format {
        Format::Inventory => inventory::plan(location, &mut planner).await?,
        Format::Folder => direct::folder::plan(location, &mut planner).await?,
        Format::Iceberg => direct::iceberg::plan(location, &mut planner).await?,
        _ => return plan_file(location, format, planner).await,
    }
    planner.finish(location)
}

/// Plans a file of Items, which is in a folder of its own.
async fn plan_file(file: &Url, format: Format, mut planner: Planner<'_>) -> Result<ChunkList> {
    let (store, path) = stores().locate(file)?;
    let meta = store.head(&path).await?;
    planner.identify(&meta);
    let keys = Arc::new(KeyBase::try_new(file, None)?);
    let key = path.filename().unwrap_or_default();
    let last_modified = Some(meta.last_modified.timestamp_millis());
    let e_tag = meta.e_tag.as_deref().unwrap_or("").trim_matches('"');
    // By another name, the file would not be known for what it is when it is read.
    if planner.lists_objects && planner.options.format.is_none() {
        planner.start_file(file, keys, true);
        planner.push(&Listed { key, last_modified, e_tag, ..Listed::default() }, 1)?;
        planner.end_file();
        return planner.finish(file);
    }
    match format {
        Format::Ndjson => direct::ndjson::plan(file, &mut planner).await?,
        Format::StacGeoparquet => direct::stac_geoparquet::plan(file, &mut planner).await?,
        _ => direct::document::plan(file, &mut planner).await?,
    }
    let version = ObjectVersion { e_tag: e_tag.to_owned(), last_modified };
    planner.complete(0, keys.ingested(&Entry { bucket: String::new(), key: key.to_owned(), version }));
    planner.finish(file)
}

impl Format {
    /// The format of a location: as its name says; a Parquet file, of a pattern the first one, is opened. Files of Items that a
    /// pattern stands for are in a folder.
    pub(super) async fn detect(location: &Url) -> Result<Self> {
        let name = location.path().rsplit('/').next().unwrap_or_default();
        if let Some(wildcards) = Wildcards::of(location)? {
            return match Self::of_name(name) {
                Some(Self::Inventory) => Ok(Self::Inventory),
                Some(Self::StacGeoparquet) => {
                    let Some(first) = matches(wildcards)?.try_next().await? else { return Ok(Self::Folder) };
                    let file = ParquetFile::open(&first).await;
                    Ok(if file.is_ok_and(|file| is_inventory(file.schema())) { Self::Inventory } else { Self::Folder })
                }
                _ => Ok(Self::Folder),
            };
        }
        if is_folder(location)? {
            return Ok(Self::Folder);
        }
        if direct::iceberg::is_table(name) {
            return Ok(Self::Iceberg);
        }
        match Self::of_name(name) {
            Some(Self::StacGeoparquet) => {
                let file = ParquetFile::open(location).await?;
                Ok(if is_inventory(file.schema()) { Self::Inventory } else { Self::StacGeoparquet })
            }
            Some(format) => Ok(format),
            None if location.scheme() == "file" => plan_err!(
                "{location}: the name does not tell what the file holds; set option 'format' (--format) to inventory, ndjson, item_collection, stac-geoparquet or iceberg"
            ),
            None => Ok(Self::Folder),
        }
    }
}
