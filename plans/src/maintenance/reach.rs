//! What snapshots reach: their manifest lists, the manifests in those, and the live files in these.

use std::collections::{BTreeMap, BTreeSet};

use futures::{Stream, StreamExt, TryStreamExt};
use iceberg::io::FileIO;
use iceberg::spec::{ManifestFile, SnapshotRef, TableMetadata};

use crate::table::gone::unless_gone;
use crate::table::leases::error::Result;
use crate::table::manifests::{self, all_manifests};
use crate::table::{LiveFile, WarehouseError};

/// Metadata files that are read at a time.
const CONCURRENCY: usize = 8;

/// The metadata files that snapshots name.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Locations of manifest lists.
    pub lists: BTreeSet<String>,
    /// By location.
    pub manifests: BTreeMap<String, ManifestFile>,
}

/// Reads the manifest lists of snapshots.
pub(super) async fn named<'a>(
    io: &FileIO,
    metadata: &TableMetadata,
    snapshots: impl IntoIterator<Item = &'a SnapshotRef>,
) -> Result<Named> {
    read(io, metadata, snapshots, false).await
}

/// Reads the manifest lists of snapshots that the table has no more. One that is gone names nothing: another clean-up has deleted
/// it, or will find what it leaves behind.
pub(super) async fn named_as_far_as_there<'a>(
    io: &FileIO,
    metadata: &TableMetadata,
    snapshots: impl IntoIterator<Item = &'a SnapshotRef>,
) -> Result<Named> {
    read(io, metadata, snapshots, true).await
}

async fn read<'a>(
    io: &FileIO,
    metadata: &TableMetadata,
    snapshots: impl IntoIterator<Item = &'a SnapshotRef>,
    may_be_gone: bool,
) -> Result<Named> {
    let mut named = Named::default();
    let read = snapshots.into_iter().cloned().map(|snapshot| async move {
        let list = snapshot.manifest_list().to_owned();
        let manifests = read_at(io, &list, all_manifests(io, metadata, &snapshot), may_be_gone).await?;
        Ok::<_, WarehouseError>((list, manifests))
    });
    let reads: Vec<_> = read.collect();
    let mut read = futures::stream::iter(reads).buffer_unordered(CONCURRENCY);
    while let Some((list, manifests)) = read.try_next().await? {
        named.lists.insert(list);
        for manifest in manifests {
            named.manifests.entry(manifest.manifest_path.clone()).or_insert(manifest);
        }
    }
    Ok(named)
}

/// The live files of each manifest, as the manifests arrive; never more than a few manifests are in memory.
pub(super) fn live_files<'a>(
    io: &FileIO,
    manifests: impl IntoIterator<Item = &'a ManifestFile>,
) -> impl Stream<Item = Result<Vec<LiveFile>>> + Send {
    read_files(io, manifests, false)
}

/// As [`live_files`], of manifests that the table has no more; one that is gone has none.
pub(super) fn live_files_as_far_as_there<'a>(
    io: &FileIO,
    manifests: impl IntoIterator<Item = &'a ManifestFile>,
) -> impl Stream<Item = Result<Vec<LiveFile>>> + Send {
    read_files(io, manifests, true)
}

fn read_files<'a>(
    io: &FileIO,
    manifests: impl IntoIterator<Item = &'a ManifestFile>,
    may_be_gone: bool,
) -> impl Stream<Item = Result<Vec<LiveFile>>> + Send {
    let live = |m: &&ManifestFile| m.has_added_files() || m.has_existing_files();
    let reads: Vec<_> = manifests.into_iter().filter(live).cloned().collect();
    let io = io.clone();
    let read = move |manifest: ManifestFile| {
        let io = io.clone();
        async move {
            let location = manifest.manifest_path.clone();
            read_at(&io, &location, manifests::live_files(io.clone(), manifest), may_be_gone).await
        }
    };
    futures::stream::iter(reads).map(read).buffer_unordered(CONCURRENCY).err_into()
}

/// What `read` finds at a location; nothing where there is nothing, if that may be.
async fn read_at<T>(
    io: &FileIO,
    location: &str,
    read: impl Future<Output = Result<Vec<T>, WarehouseError>>,
    may_be_gone: bool,
) -> Result<Vec<T>, WarehouseError> {
    match may_be_gone {
        true => Ok(unless_gone(io, location, read).await?.unwrap_or_default()),
        false => read.await,
    }
}
