//! [`plan_chunks`]: lists a location by its format, and cuts it into chunks.

use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::execution::disk_manager::DiskManager;
use object_store::ObjectStoreExt;
use url::Url;

use super::chunk::ChunkList;
use super::format::{Format, is_local_folder};
use super::inventory::parquet::is_inventory;
use super::options::StacOptions;
use super::parquet_file::ParquetFile;
use super::planner::Planner;
use super::{direct, inventory};
use crate::stores::stores;

/// Lists `location` and cuts it into chunks. Inventories are read once, as a stream, and not kept in memory.
///
/// Errors: the location cannot be opened, or is not of its format.
pub(super) async fn plan_chunks(location: &Url, options: &StacOptions, disk: &Arc<DiskManager>) -> Result<ChunkList> {
    let mut planner = Planner::try_new(options, disk)?;
    let format = match options.format {
        Some(format) => format,
        None => Format::detect(location).await?,
    };
    if matches!(format, Format::Ndjson | Format::ItemCollection | Format::StacGeoparquet) {
        let (store, path) = stores().locate(location)?;
        planner.identify(&store.head(&path).await?);
    }
    match format {
        Format::Inventory => inventory::plan(location, &mut planner).await?,
        Format::Ndjson => direct::ndjson::plan(location, &mut planner).await?,
        Format::ItemCollection => direct::document::plan(location, &mut planner).await?,
        Format::StacGeoparquet => direct::stac_geoparquet::plan(location, &mut planner).await?,
        Format::Folder => direct::folder::plan(location, &mut planner).await?,
    }
    planner.finish(location)
}

impl Format {
    /// The format of a location: as its name says; a Parquet file is opened.
    pub(super) async fn detect(location: &Url) -> Result<Self> {
        if is_local_folder(location)? || location.path().ends_with('/') {
            return Ok(Self::Folder);
        }
        let name = location.path().rsplit('/').next().unwrap_or_default();
        match Self::of_name(name) {
            Some(Self::StacGeoparquet) => {
                let file = ParquetFile::open(location).await?;
                Ok(if is_inventory(file.schema()) { Self::Inventory } else { Self::StacGeoparquet })
            }
            Some(format) => Ok(format),
            None if location.scheme() == "file" => plan_err!(
                "{location}: the name does not tell what the file holds; set option 'format' to inventory, ndjson, item_collection or stac-geoparquet"
            ),
            None => Ok(Self::Folder),
        }
    }
}
