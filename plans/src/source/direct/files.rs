//! The files of a folder or an inventory that are chunked one by one: those of many Items.

use datafusion::common::{DataFusionError, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use url::Url;

use super::{document, ndjson, stac_geoparquet};
use crate::model::chunk::RejectKind;
use crate::source::chunk::Content;
use crate::source::decode::Defect;
use crate::source::format::{Format, without_compression};
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
                without_compression(listed.key) != listed.key
                    || size.is_some_and(|size| size > planner.options.max_item_bytes)
            }
            Format::Inventory | Format::Folder | Format::Iceberg => false,
        };
        if is_taken {
            self.add(kind, listed);
        }
        is_taken
    }

    /// Adds a file, whatever its name is.
    pub fn add(&mut self, kind: Format, listed: &Listed<'_>) {
        self.0.push((kind, listed.entry()));
    }

    /// Takes those that the rows of an inventory named.
    pub fn take_listed(&mut self, planner: &mut Planner<'_>) {
        self.0.append(&mut planner.take_item_files());
    }

    /// Plans them, as far as the limit allows.
    pub async fn plan(self, keys: &KeyBase, planner: &mut Planner<'_>) -> Result<()> {
        let concurrency = planner.options.fetch_concurrency;
        let open = |(kind, entry)| async move {
            let url = keys.url(&entry);
            let url = Url::parse(&url).map_err(|e| DataFusionError::Plan(format!("{url} is not a URL: {e}")))?;
            Ok::<_, DataFusionError>((Opened::open(kind, &url).await?, url, entry))
        };
        let mut files = stream::iter(self.0).map(open).buffered(concurrency);
        while !planner.is_full()
            && let Some((opened, url, entry)) = files.try_next().await?
        {
            let first = planner.chunks();
            opened.plan(&url, planner).await?;
            planner.complete(first, keys.ingested(&entry));
        }
        Ok(())
    }
}

/// A file of many Items, opened as far as its chunks need it.
enum Opened {
    Parquet(ParquetFile),
    Defective(Defect),
    Lines,
    Document,
}

impl Opened {
    async fn open(kind: Format, file: &Url) -> Result<Self> {
        Ok(match kind {
            Format::StacGeoparquet => match parquet_defect(file).await? {
                Ok(parquet) => Self::Parquet(parquet),
                Err(defect) => Self::Defective(defect),
            },
            Format::Ndjson => Self::Lines,
            _ => Self::Document,
        })
    }

    async fn plan(self, file: &Url, planner: &mut Planner<'_>) -> Result<()> {
        match self {
            Self::Parquet(parquet) => stac_geoparquet::plan_file(parquet, planner),
            Self::Defective(defect) => {
                planner.push_direct(file, 0..1, Content::Defective { file: file.clone(), defect }, Some(1));
            }
            Self::Lines => ndjson::plan_file(file, planner).await?,
            Self::Document => document::plan_one_of_many(file, planner).await?,
        }
        Ok(())
    }
}

/// Opens a Parquet file; one that holds no Items is a reject among the folder's files, not an error.
async fn parquet_defect(file: &Url) -> Result<std::result::Result<ParquetFile, Defect>> {
    let parquet = match ParquetFile::open(file).await {
        Ok(parquet) => parquet,
        Err(e) if matches!(e.find_root(), DataFusionError::ObjectStore(_)) => return Err(e),
        Err(e) => {
            return Ok(Err(Defect { kind: RejectKind::Unreadable, message: e.find_root().message().into_owned() }));
        }
    };
    Ok(match stac_geoparquet::why_no_items(&parquet) {
        None => Ok(parquet),
        Some(message) => Err(Defect { kind: RejectKind::NotAFeature, message }),
    })
}
