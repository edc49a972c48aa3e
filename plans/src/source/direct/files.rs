//! The files of a folder or an inventory that are chunked one by one: those of many Items.

use datafusion::common::{DataFusionError, Result};
use url::Url;

use super::{document, ndjson, stac_geoparquet};
use crate::model::chunk::RejectKind;
use crate::source::chunk::Content;
use crate::source::decode::Defect;
use crate::source::format::Format;
use crate::source::keys::KeyBase;
use crate::source::parquet_file::ParquetFile;
use crate::source::planner::{Listed, Planner};
use crate::source::spool::Entry;

/// Files that were listed among others, to be planned behind them.
#[derive(Default)]
pub(in super::super) struct FilesOfItems(Vec<(Format, Entry)>);

impl FilesOfItems {
    /// Takes a listed file if it is one of many Items; `size` where the listing tells it.
    pub fn take(&mut self, planner: &Planner<'_>, listed: &Listed<'_>, size: Option<u64>) -> bool {
        let kind = Format::of_name(listed.key).filter(|_| planner.options.is_item_file(listed.key));
        let is_left_out = planner.is_too_old(listed.last_modified)
            || listed.is_latest == Some(false)
            || listed.is_delete_marker == Some(true);
        let Some(kind) = kind.filter(|_| !is_left_out) else { return false };
        let is_taken = match kind {
            Format::Ndjson | Format::StacGeoparquet => true,
            // What is compressed, or larger than an Item may be, is read as a stream.
            Format::ItemCollection => {
                listed.key.ends_with(".gz") || size.is_some_and(|size| size > planner.options.max_item_bytes)
            }
            Format::Inventory | Format::Folder => false,
        };
        if is_taken {
            self.0.push((kind, listed.entry()));
        }
        is_taken
    }

    /// Takes those that the rows of an inventory named.
    pub fn take_listed(&mut self, planner: &mut Planner<'_>) {
        self.0.append(&mut planner.take_item_files());
    }

    /// Plans them, as far as the limit allows.
    pub async fn plan(self, keys: &KeyBase, planner: &mut Planner<'_>) -> Result<()> {
        for (kind, entry) in self.0 {
            if planner.is_full() {
                break;
            }
            let url = keys.url(&entry);
            let url = Url::parse(&url).map_err(|e| DataFusionError::Plan(format!("{url} is not a URL: {e}")))?;
            let first = planner.chunks();
            plan_file(kind, &url, planner).await?;
            planner.complete(first, keys.ingested(&entry));
        }
        Ok(())
    }
}

async fn plan_file(kind: Format, file: &Url, planner: &mut Planner<'_>) -> Result<()> {
    match kind {
        Format::Ndjson => ndjson::plan_file(file, planner).await,
        Format::StacGeoparquet => match parquet_defect(file).await? {
            Ok(parquet) => {
                stac_geoparquet::plan_file(parquet, planner);
                Ok(())
            }
            Err(defect) => {
                let content = Content::Defective { file: file.clone(), defect };
                planner.push_direct(file, 0..1, content, Some(1));
                Ok(())
            }
        },
        _ => document::plan_one_of_many(file, planner).await,
    }
}

/// Opens a Parquet file; one that holds no Items is a reject among the folder's files, not an error.
async fn parquet_defect(file: &Url) -> Result<std::result::Result<ParquetFile, Defect>> {
    let parquet = match ParquetFile::open(file).await {
        Ok(parquet) => parquet,
        Err(e) if matches!(e.find_root(), DataFusionError::ObjectStore(_)) => return Err(e),
        Err(e) => {
            return Ok(Err(Defect { kind: RejectKind::Unreadable, message: e.strip_backtrace() }));
        }
    };
    Ok(match stac_geoparquet::why_no_items(&parquet) {
        None => Ok(parquet),
        Some(message) => Err(Defect { kind: RejectKind::NotAFeature, message }),
    })
}
