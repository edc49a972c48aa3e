//! [`sweep_orphans`]: removes files of a warehouse that nothing names.

use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, pin_mut};
use object_store::ObjectMeta;

use super::deletion::delete_found;
use super::expire::hash;
use super::leftovers::Leftovers;
use super::reach::{live_files, named};
use super::retention::{self, refuse_without_gc};
use super::summary::{ExpireOptions, ExpireSummary};
use crate::checkpoint::{Checkpoint, Checkpoints, RunFolder};
use crate::model::layout;
use crate::stores::stores;
use crate::table::ItemIndex;
use crate::table::folder::metadata_in;
use crate::table::gone::unless_gone;
use crate::table::ingest_record::RecordList;
use crate::table::known_ids::KnownIds;
use crate::table::leases::error::{MaintenanceError, Result};
use crate::table::leases::run_lease;
use crate::table::{TableState, Warehouse, WarehouseError};

/// How far the time at which a lease was acquired may be off: clocks are set, and stores tell whole seconds.
const CLOCK_MARGIN: TimeDelta = TimeDelta::minutes(5);

/// Times that the table is read, where other clean-ups delete what it named meanwhile.
const ATTEMPTS: usize = 10;

/// Orphans that are deleted at a time.
const FILES_AT_ONCE: usize = 10_000;

/// Removes the files of the warehouse that no snapshot names, that are older than the retention, and that were written
/// before any run began that is not finished: what killed runs, lost commits and interrupted clean-ups left behind.
///
/// Only files with names that earthcatalog, and Iceberg for metadata, give are looked at; rejects, leases and foreign
/// files stay. On a local disk, half-written files and empty bucket folders go, too. Memory: 8 bytes per file that is
/// older than the retention.
///
/// A writer that holds no [`RunLease`](super::RunLease), such as another engine, is protected by the retention alone.
/// What was begun in parts on an object store and never finished is not listed there: it is for the bucket's lifecycle
/// rules.
///
/// The order is what makes it safe: files are listed first, then leases, then checkpoints, and the table is read last. A run has its lease
/// before its first file, and gives it up after its commit. So of a file that is listed here, either its run still has a
/// lease when those are listed, or the table names it by the time that is read, or its run has failed. A run that can be
/// resumed has a checkpoint for each file that counts until it is committed.
pub async fn sweep_orphans(warehouse: &Warehouse, options: &ExpireOptions) -> Result<ExpireSummary> {
    let start = Instant::now();
    let state = warehouse.load().await?;
    refuse_without_gc(&state.metadata)?;
    refuse_another_table(warehouse, &state).await?;
    let cutoff = retention::cutoff(&state.metadata, options);
    let mut orphans = candidates(warehouse, cutoff).await?;
    let leftovers = Leftovers::find(warehouse).await?;

    let cutoff = cutoff.min(before_unfinished_runs(warehouse, options.dry_run).await?);

    spare_checkpointed(warehouse, &mut orphans, options.dry_run).await?;
    spare_named(warehouse, &mut orphans).await?;
    if !options.dry_run {
        remove_tasks_of_lost_jobs(warehouse).await?;
    }

    let mut summary = leftovers.remove(cutoff, options.dry_run).await?;
    if !orphans.is_empty() {
        // A second listing, because to keep the paths of all files would take much more memory.
        let found = old_files(warehouse, cutoff)?;
        let found = found.try_filter(|file| std::future::ready(orphans.contains(&hash(name(file.location.as_ref())))));
        let found = found.map_ok(|file| (file.location, file.size)).try_chunks(FILES_AT_ONCE);
        pin_mut!(found);
        while let Some(files) = found.try_next().await.map_err(|e| e.1)? {
            let deleted = delete_found(warehouse, files.into_iter().collect(), options.dry_run).await?;
            summary.orphans_removed += deleted.files;
            summary.bytes_removed += deleted.bytes;
        }
    }
    summary.seconds = start.elapsed().as_secs_f64();
    Ok(summary)
}

/// Errors where metadata of another table lies in the folder: its files have names like ours.
///
/// The files of this table need not be looked into: it names the newest ones. The others are what lost commits left
/// behind, and what has dropped off the log since the last clean-up, each of which is some kilobyte to read. They are all
/// looked into, however young: of a table whose snapshots have expired, one metadata file is left, and that is its newest.
async fn refuse_another_table(warehouse: &Warehouse, state: &TableState) -> Result<()> {
    let logged = state.metadata.metadata_log().iter().map(|log| log.metadata_file.as_str());
    let named: HashSet<&str> = logged.chain([state.metadata_location.as_str()]).map(name).collect();
    let found = metadata_in(warehouse.url(), |location| !named.contains(name(location))).await?;
    match found.into_iter().rfind(|found| found.table != state.metadata.uuid()) {
        None => Ok(()),
        Some(other) => Err(MaintenanceError::AnotherTable { metadata: other.location, table: other.table }),
    }
}

/// Hashes of the names of files that may be orphans.
async fn candidates(warehouse: &Warehouse, cutoff: DateTime<Utc>) -> Result<HashSet<u64>> {
    let files = old_files(warehouse, cutoff)?;
    files.map_ok(|file| hash(name(file.location.as_ref()))).try_collect().await
}

/// Files with names that we give, written until `cutoff`.
pub(super) fn old_files(
    warehouse: &Warehouse,
    cutoff: DateTime<Utc>,
) -> Result<BoxStream<'static, Result<ObjectMeta>>> {
    let (store, root) = stores().locate(warehouse.url())?;
    let location = warehouse.url().to_string();
    let listed = store.list(Some(&root)).map_err(move |e| MaintenanceError::store(&location)(e));
    let ours = move |meta: &ObjectMeta| {
        let below = meta.location.prefix_match(&root).map(|parts| parts.map(|p| p.as_ref().to_owned()));
        let below = below.map(|parts| parts.collect::<Vec<_>>().join("/"));
        meta.last_modified <= cutoff && below.is_some_and(|path| is_ours(&path))
    };
    Ok(listed.try_filter(move |meta| std::future::ready(ours(meta))).boxed())
}

/// Whether a path below the warehouse is that of a part file or of table metadata.
fn is_ours(path: &str) -> bool {
    layout::is_part_file(path) || layout::is_metadata_file(path) || layout::is_ingested_file(path)
}

/// Files are told by their names alone, which are unique: another engine may call their folder something else.
/// Two names of the same hash are kept together.
pub(super) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The time before which no unfinished run has written anything. Takes away the leases of runs that are gone, so that
/// one that wakes up after all finds out before its commit.
pub(super) async fn before_unfinished_runs(warehouse: &Warehouse, dry_run: bool) -> Result<DateTime<Utc>> {
    let mut before = DateTime::<Utc>::MAX_UTC;
    let (mut unfinished, left) = run_lease::held_and_left(warehouse).await?;
    for found in left {
        if !dry_run && !found.remove().await? {
            unfinished.push(found);
        }
    }
    for found in unfinished {
        before = before.min(found.acquired - CLOCK_MARGIN);
    }
    Ok(before)
}

/// Takes from `orphans` what the checkpoints of unfinished runs name, and removes what is left of finished ones.
pub(super) async fn spare_checkpointed(warehouse: &Warehouse, orphans: &mut HashSet<u64>, dry_run: bool) -> Result<()> {
    for run in RunFolder::runs(warehouse.url()).await? {
        let folder = RunFolder::new(warehouse.url(), &run.run)?;
        if run.finished.is_some() {
            if !dry_run {
                folder.clean().await?;
            }
            continue;
        }
        let checkpoints = Checkpoints { folder: folder.url().clone(), staged: false, of_job: false };
        for task in folder.done().await? {
            // It may be gone by now, with its run; then the table names the files.
            let Some(checkpoint) = Checkpoint::read(&checkpoints.of(&task)?).await? else { continue };
            let ingested = checkpoint.chunk.and_then(|chunk| chunk.ingested).map(|file| file.path);
            let ids = checkpoint.ids.map(|file| file.path);
            let named = checkpoint.files.iter().map(|file| &file.path).chain(&ingested).chain(&ids);
            named.for_each(|path| _ = orphans.remove(&hash(name(path))));
        }
    }
    Ok(())
}

/// Removes what the tasks of a job on a cluster told each other, once its head is gone.
async fn remove_tasks_of_lost_jobs(warehouse: &Warehouse) -> Result<()> {
    // In this order: a run has its lease before its folder, and gives it up when that is gone.
    let folders = RunFolder::of_jobs(warehouse.url()).await?;
    if folders.is_empty() {
        return Ok(());
    }
    let at_work = run_lease::runs_at_work(warehouse).await?;
    for (_, folder) in folders.iter().filter(|(run, _)| !at_work.contains(run)) {
        folder.clean_of_job().await?;
    }
    Ok(())
}

/// Takes from `orphans` what the table names.
async fn spare_named(warehouse: &Warehouse, orphans: &mut HashSet<u64>) -> Result<()> {
    for _ in 0..ATTEMPTS {
        let state = warehouse.load().await?;
        warehouse.requirements().check_table(&state.metadata, warehouse.catalog())?;
        let spared = spare_named_by(warehouse, &state, orphans).await;
        if matches!(spared, Ok(true)) || warehouse.is_still(&state).await? {
            return spared.map(drop);
        }
        // Another clean-up has deleted what an older state named: of the newer one it has left all.
    }
    Err(WarehouseError::Contention { attempts: ATTEMPTS }.into())
}

/// Takes from `orphans` what a state of the table names: its metadata, older metadata, and what every snapshot reaches. Whether
/// all documents were there that say so.
async fn spare_named_by(warehouse: &Warehouse, state: &TableState, orphans: &mut HashSet<u64>) -> Result<bool> {
    let mut spare = |location: &str| {
        orphans.remove(&hash(name(location)));
    };
    let mut is_complete = true;
    let metadata = &state.metadata;
    spare(&state.metadata_location);
    metadata.metadata_log().iter().for_each(|log| spare(&log.metadata_file));
    let lists = metadata.snapshots().filter_map(|s| s.summary().additional_properties.get(RecordList::PROPERTY));
    for list in lists.collect::<BTreeSet<_>>() {
        spare(list);
        let read = unless_gone(warehouse.io(), list, RecordList::read(warehouse.io(), list)).await?;
        is_complete &= read.is_some();
        read.iter().flat_map(|list| &list.files).for_each(|file| spare(&file.path));
    }
    let documents = metadata.snapshots().filter_map(|s| s.summary().additional_properties.get(KnownIds::PROPERTY));
    for document in documents.collect::<BTreeSet<_>>() {
        spare(document);
        let read = unless_gone(warehouse.io(), document, KnownIds::read(warehouse.io(), document)).await?;
        is_complete &= read.is_some();
        read.iter().flat_map(KnownIds::files).for_each(|file| spare(&file.path));
    }
    let snapshots = metadata.snapshots();
    snapshots.filter_map(|s| ItemIndex::for_snapshot(state, s)).for_each(|index| spare(&index.path));
    metadata.statistics_iter().for_each(|file| spare(&file.statistics_path));
    metadata.partition_statistics_iter().for_each(|file| spare(&file.statistics_path));
    let named = named(warehouse.io(), metadata, metadata.snapshots()).await?;
    named.lists.iter().for_each(|list| spare(list));
    named.manifests.keys().for_each(|manifest| spare(manifest));
    let files = live_files(warehouse.io(), named.manifests.values());
    pin_mut!(files);
    while let Some(files) = files.try_next().await? {
        files.iter().for_each(|file| spare(&file.location));
    }
    Ok(is_complete)
}

#[cfg(test)]
mod tests {
    use super::super::RunLease;
    use super::super::tests::{append, part};
    use super::*;
    use crate::table::testing::warehouse;

    #[tokio::test]
    async fn a_file_that_is_committed_between_the_steps_is_no_orphan() {
        for committed_before_leases in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let warehouse = warehouse(&folder).await;
            let lease = RunLease::begin(&warehouse, "r1").await.unwrap();
            let began = Utc::now();
            let written = part(&warehouse, "81a", 1);
            let written_name = hash(name(&written.path));

            // Given a listing with the file,
            let mut orphans = candidates(&warehouse, DateTime::<Utc>::MAX_UTC).await.unwrap();
            assert!(orphans.contains(&written_name));

            // then either the table names it,
            if committed_before_leases {
                append(&warehouse, [written.clone()]).await;
                lease.release().await.unwrap();
                spare_named(&warehouse, &mut orphans).await.unwrap();
                assert!(!orphans.contains(&written_name));
            // or the lease of its run keeps everything that is as young.
            } else {
                assert!(before_unfinished_runs(&warehouse, false).await.unwrap() < began);
            }
        }
    }
}
