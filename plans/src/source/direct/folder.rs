//! A folder or prefix, listed recursively, each file by its kind; of a location with wildcards, those that match.
//!
//! JSON files are chunked as the objects of an inventory are, and each may be an Item or an ItemCollection.
//! Under a limit they are read beforehand, to know how many Items they hold.
//! NDJSON and stac-geoparquet files, and JSON files too large to be held in memory, are chunked one by one ([`FilesOfItems`]).

use std::future::ready;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result, plan_err};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use super::files::FilesOfItems;
use crate::source::format::{Format, is_local_folder};
use crate::source::keys::KeyBase;
use crate::source::options::StacOptions;
use crate::source::planner::{Listed, Planner};
use crate::source::read::features::features;
use crate::source::read::objects::inflate;
use crate::source::read::pieces::is_compressed;
use crate::source::wildcards::{Wildcards, folder_at};
use crate::stores::{below, stores};

pub(in super::super) async fn plan(location: &Url, planner: &mut Planner<'_>) -> Result<()> {
    let wildcards = Wildcards::of(location)?;
    let folder = folder_at(location)?;
    let (store, prefix) = stores().locate(&folder)?;
    let keys = Arc::new(KeyBase::try_new(&folder, None)?);
    planner.start_file(&folder, Arc::clone(&keys), true);
    let is_limited = planner.left().is_some() && !planner.lists_objects;
    let max_bytes = planner.options.max_item_bytes;
    let count = |file: ObjectMeta| {
        let (store, wanted) = (Arc::clone(&store), is_limited && is_counted(&file, &prefix, planner.options));
        async move {
            let items = if wanted { items_in(&store, &file.location, max_bytes).await } else { 1 };
            Ok((file, items))
        }
    };
    let is_meant = |file: &ObjectMeta| match &wildcards {
        Some(wildcards) => relative(&file.location, &prefix).is_some_and(|path| wildcards.match_path(&path)),
        None => true,
    };
    let files = listing(Arc::clone(&store), &prefix, &folder).try_filter(|file| ready(is_meant(file)));
    let mut files = files.map_ok(count).try_buffered(planner.options.fetch_concurrency);
    let mut of_items = FilesOfItems::default();
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
        if planner.lists_objects || !of_items.take(planner, &listed, Some(file.size)) {
            planner.push(&listed, items)?;
        }
    }
    planner.end_file();
    if is_empty && wildcards.is_some() {
        return no_match(location);
    }
    if is_empty && !is_local_folder(&folder)? {
        return plan_err!("there is nothing below {folder}; check the location");
    }
    of_items.plan(&keys, planner).await
}

/// The files that a location with wildcards stands for, in the order of their paths.
pub(in super::super) fn matches(wildcards: Wildcards) -> Result<BoxStream<'static, Result<Url>>> {
    let (store, prefix) = stores().locate(&wildcards.folder)?;
    let files = listing(store, &prefix, &wildcards.folder).map_err(DataFusionError::from);
    let url = move |file: ObjectMeta| {
        let path = relative(&file.location, &prefix).filter(|path| wildcards.match_path(path));
        ready(path.map(|path| Ok(below(&wildcards.folder, &path)?)).transpose())
    };
    Ok(files.try_filter_map(url).boxed())
}

pub(in super::super) fn no_match<T>(location: &Url) -> Result<T> {
    plan_err!("there is no file {location}; check the pattern, and put it in quotes, so that no shell reads it")
}

/// Whether a file may be an ItemCollection that is held in memory.
fn is_counted(file: &ObjectMeta, folder: &Path, options: &StacOptions) -> bool {
    let Some(key) = relative(&file.location, folder) else { return false };
    let is_small = file.size <= options.max_item_bytes;
    is_small && options.is_item_file(&key) && Format::of_name(&key) == Some(Format::ItemCollection)
}

/// The Items of a JSON file. One that cannot be read is one reject.
async fn items_in(store: &Arc<dyn ObjectStore>, file: &Path, max_bytes: u64) -> u64 {
    let read = async { store.get(file).await?.bytes().await };
    let Ok(bytes) = read.await else { return 1 };
    let bytes = if is_compressed(&bytes) { inflate(bytes, max_bytes).await.ok() } else { Some(bytes) };
    bytes.and_then(|bytes| features(&bytes)).map_or(1, |found| found.len() as u64)
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
