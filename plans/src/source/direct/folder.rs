//! A folder or prefix, listed recursively, each file by its kind.
//!
//! JSON files are chunked as the objects of an inventory are, and each may be an Item or an ItemCollection.
//! Under a limit they are read beforehand, to know how many Items they hold.
//! NDJSON and stac-geoparquet files, and JSON files too large to be held in memory, are chunked one by one.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, plan_err};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use super::{document, ndjson, stac_geoparquet};
use crate::model::chunk::RejectKind;
use crate::source::chunk::Content;
use crate::source::decode::Defect;
use crate::source::format::{Format, is_local_folder};
use crate::source::keys::KeyBase;
use crate::source::options::StacOptions;
use crate::source::parquet_file::ParquetFile;
use crate::source::planner::{Listed, Planner};
use crate::source::read::features::features;
use crate::stores::{folder_url, stores};

pub(in super::super) async fn plan(location: &Url, planner: &mut Planner<'_>) -> Result<()> {
    let folder = folder_url(location.as_str())?;
    let (store, prefix) = stores().locate(&folder)?;
    planner.start_file(&folder, Arc::new(KeyBase::try_new(&folder, None)?), true);
    let is_limited = planner.left().is_some();
    let count = |file: ObjectMeta| {
        let (store, wanted) = (Arc::clone(&store), is_limited && is_counted(&file, &prefix, planner.options));
        async move {
            let items = if wanted { items_in(&store, &file.location).await } else { 1 };
            Ok((file, items))
        }
    };
    let files = listing(Arc::clone(&store), &prefix, &folder);
    let mut files = files.map_ok(count).try_buffered(planner.options.fetch_concurrency);
    let mut direct = vec![];
    let mut is_empty = true;
    while !planner.is_full()
        && let Some((file, items)) = files.try_next().await?
    {
        is_empty = false;
        let Some(key) = relative(&file.location, &prefix) else { continue };
        let last_modified = Some(file.last_modified.timestamp_millis());
        planner.identify(&file);
        let listed =
            Listed { key: &key, last_modified, e_tag: file.e_tag.as_deref().unwrap_or(""), ..Listed::default() };
        match Format::of_name(&key).filter(|_| planner.options.is_item_file(&key)) {
            Some(kind @ (Format::Ndjson | Format::StacGeoparquet)) if !planner.is_too_old(last_modified) => {
                direct.push((kind, key));
            }
            Some(kind @ Format::ItemCollection) if is_streamed(&key, &file, planner) => direct.push((kind, key)),
            _ => planner.push(&listed, items)?,
        }
    }
    planner.end_file();
    if is_empty && !is_local_folder(&folder)? {
        return plan_err!("there is nothing below {folder}; check the location");
    }
    for (kind, key) in direct {
        if planner.is_full() {
            break;
        }
        let mut url = folder.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(key.split('/'));
        }
        plan_direct(kind, &url, planner).await?;
    }
    Ok(())
}

/// Whether a file may be an ItemCollection that is held in memory.
fn is_counted(file: &ObjectMeta, folder: &Path, options: &StacOptions) -> bool {
    let Some(key) = relative(&file.location, folder) else { return false };
    let is_small = file.size <= options.max_item_bytes;
    is_small && options.is_item_file(&key) && Format::of_name(&key) == Some(Format::ItemCollection)
}

/// The Items of a JSON file. One that cannot be read is one reject.
async fn items_in(store: &Arc<dyn ObjectStore>, file: &Path) -> u64 {
    let read = async { store.get(file).await?.bytes().await };
    let found = read.await.ok().and_then(|bytes| features(&bytes));
    found.map_or(1, |found| found.len() as u64)
}

/// Whether a JSON file is read as a stream: it is compressed, or larger than any Item may be.
fn is_streamed(key: &str, file: &ObjectMeta, planner: &Planner<'_>) -> bool {
    let is_young = !planner.is_too_old(Some(file.last_modified.timestamp_millis()));
    is_young && (key.ends_with(".gz") || file.size > planner.options.max_item_bytes)
}

async fn plan_direct(kind: Format, file: &Url, planner: &mut Planner<'_>) -> Result<()> {
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
    Ok(match stac_geoparquet::missing_column(&parquet) {
        None => Ok(parquet),
        Some(missing) => {
            let message = format!("not a stac-geoparquet file: it has no column {missing}");
            Err(Defect { kind: RejectKind::NotAFeature, message })
        }
    })
}

/// Files below `prefix` in an order that does not change: by path.
///
/// Object stores list so by themselves; folders of a local disk come in any order and are sorted one by one.
fn listing(
    store: Arc<dyn ObjectStore>,
    prefix: &Path,
    folder: &Url,
) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
    if !matches!(folder.scheme(), "file" | "http" | "https") {
        return store.list(Some(prefix));
    }
    let state = (store, vec![prefix.clone()]);
    stream::try_unfold(state, |(store, mut folders)| async move {
        let Some(folder) = folders.pop() else { return Ok::<_, object_store::Error>(None) };
        let mut listed = store.list_with_delimiter(Some(&folder)).await?;
        listed.objects.sort_by(|a, b| a.location.cmp(&b.location));
        listed.common_prefixes.sort_by(|a, b| b.cmp(a));
        folders.append(&mut listed.common_prefixes);
        Ok(Some((stream::iter(listed.objects.into_iter().map(Ok)), (store, folders))))
    })
    .try_flatten()
    .boxed()
}

fn relative(file: &Path, folder: &Path) -> Option<String> {
    let parts = file.prefix_match(folder)?.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>();
    (!parts.is_empty()).then(|| parts.join("/"))
}
