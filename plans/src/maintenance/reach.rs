//! What snapshots reach: their manifest lists, the manifests in those, and the live files in these.

use std::collections::{BTreeMap, BTreeSet};

use futures::{Stream, StreamExt, TryStreamExt};
use iceberg::io::FileIO;
use iceberg::spec::{ManifestFile, SnapshotRef, TableMetadata};

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
    let mut named = Named::default();
    let read = snapshots.into_iter().cloned().map(|snapshot| async move {
        let manifests = all_manifests(io, metadata, &snapshot).await?;
        Ok::<_, WarehouseError>((snapshot.manifest_list().to_owned(), manifests))
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
    let live = |m: &&ManifestFile| m.has_added_files() || m.has_existing_files();
    let reads: Vec<_> = manifests.into_iter().filter(live).cloned().collect();
    let io = io.clone();
    let read = move |manifest| manifests::live_files(io.clone(), manifest);
    futures::stream::iter(reads).map(read).buffer_unordered(CONCURRENCY).err_into()
}
