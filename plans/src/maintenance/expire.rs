//! [`expire_snapshots`]: removes snapshots that nobody needs any more from the table, then what only they named.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use chrono::Utc;
use futures::{TryStreamExt, pin_mut};
use iceberg::spec::{ManifestFile, SnapshotRef, TableMetadata};
use serde_json::{Value, json};

use super::deletion::{Deleted, Doomed, delete};
use super::documents;
use super::reach::{Named, live_files, live_files_as_far_as_there, named, named_as_far_as_there};
use super::retention::{self, Retention, refuse_without_gc};
use super::summary::{ExpireOptions, ExpireSummary};
use crate::checkpoint::{RunFolder, RunRecord};
use crate::table::committed_runs::needless_notes;
use crate::table::leases::error::Result;
use crate::table::manifests::{MetadataFiles, may_hold};
use crate::table::references::Reference;
use crate::table::rewrite::{Rewrite, rewrite_metadata};
use crate::table::{TableState, Warehouse, WarehouseError};

/// Times that the table is read, where other clean-ups delete what it named meanwhile.
const ATTEMPTS: usize = 10;

/// Data files that are looked up at a time: what this takes of memory is bounded, whatever the size of the table.
const FILES_AT_ONCE: u64 = 50_000;

/// Removes the snapshots that are neither current, nor named by a branch or tag, nor younger than the retention, nor of
/// those that the table or a branch wants to keep, nor the last that knows what was ingested; then deletes the files that only they named, and metadata files that the table no longer needs.
///
/// A snapshot's age counts from when another one replaced it: until then readers opened it. The table changes by
/// compare-and-swap, and only what the newest metadata does not name is deleted, so that no writer loses anything. Killed
/// half-way, it leaves orphans for [`sweep_orphans`](super::sweep_orphans).
pub async fn expire_snapshots(warehouse: &Warehouse, options: &ExpireOptions) -> Result<ExpireSummary> {
    let start = Instant::now();
    let base = warehouse.load().await?;
    refuse_without_gc(&base.metadata)?;
    // Read before the table: a run that has ended by then repeats no commit any more.
    let runs = RunFolder::runs(warehouse.url()).await?;
    let keeps_log = warehouse.catalog().writes_metadata();
    let expiry = Expiry { options: *options, runs, keeps_log };
    let mut summary = ExpireSummary::default();
    let planned = expiry.plan(&base)?.map(|(_, expired)| expired);
    let expired = match planned {
        Some(_) if !options.dry_run => rewrite_metadata(warehouse, "expire", &expiry).await?,
        planned => planned,
    };
    if let Some(expired) = expired {
        summary = remove_unreachable(warehouse, &expired, options.dry_run).await?;
        summary.snapshots_removed = expired.snapshots.len() as u64;
    }
    summary.seconds = start.elapsed().as_secs_f64();
    Ok(summary)
}

/// What a table no longer names.
#[derive(Debug)]
struct Expired {
    snapshots: Vec<SnapshotRef>,
    /// Locations of older metadata.
    metadata: Vec<String>,
}

/// Deletes what the newest metadata does not name of what `expired` did.
async fn remove_unreachable(warehouse: &Warehouse, expired: &Expired, dry_run: bool) -> Result<ExpireSummary> {
    for _ in 0..ATTEMPTS {
        // Of another table, nothing can be said.
        let newest = warehouse.load().await?;
        warehouse.requirements().check_table(&newest.metadata, warehouse.catalog())?;
        let removed = remove_unreachable_from(warehouse, &newest, expired, dry_run).await;
        // Another clean-up may have deleted what that state named, once there was a newer one.
        if removed.is_ok() || warehouse.is_still(&newest).await? {
            return removed;
        }
    }
    Err(WarehouseError::Contention { attempts: ATTEMPTS }.into())
}

async fn remove_unreachable_from(
    warehouse: &Warehouse,
    newest: &TableState,
    expired: &Expired,
    dry_run: bool,
) -> Result<ExpireSummary> {
    let io = warehouse.io();
    // Others may have committed since. On top of the new metadata they can only have named what that names, or new
    // files; on top of the old one they lost.
    let metadata = &newest.metadata;
    let gone: HashSet<i64> = expired.snapshots.iter().map(|s| s.snapshot_id()).collect();
    // Without the dry run, the newest metadata has none of them.
    let stay: Vec<_> = metadata.snapshots().filter(|s| !gone.contains(&s.snapshot_id())).collect();
    let documents = documents::only_in(warehouse, newest, &expired.snapshots, &stay).await?;
    let retained = named(io, metadata, stay).await?;
    let mut doomed = named_as_far_as_there(io, metadata, &expired.snapshots).await?;
    doomed.lists.retain(|list| !retained.lists.contains(list));
    doomed.manifests.retain(|location, _| !retained.manifests.contains_key(location));

    let mut data = Deleted::default();
    let mut seen = HashSet::new();
    for manifests in by_cell(&doomed) {
        let files = only_in(warehouse, &manifests, &retained, &mut seen).await?;
        let deleted = delete(warehouse, files, dry_run).await?;
        data.files += deleted.files;
        data.bytes += deleted.bytes;
    }
    // From the leaves to the root: killed in between, nothing names what is gone.
    let logged = metadata.metadata_log().iter().map(|log| log.metadata_file.as_str());
    let logged: HashSet<&str> = logged.chain([newest.metadata_location.as_str()]).collect();
    let older = expired.metadata.iter().filter(|location| dry_run || !logged.contains(location.as_str()));
    let manifests = doomed
        .manifests
        .values()
        .map(|m| Doomed { location: m.manifest_path.clone(), bytes: u64::try_from(m.manifest_length).ok() });
    let unsized_files = doomed.lists.iter().chain(older).map(|l| Doomed { location: l.clone(), bytes: None });
    let unsized_files = unsized_files.chain(documents);
    let metadata = delete(warehouse, manifests.chain(unsized_files).collect(), dry_run).await?;
    Ok(ExpireSummary {
        data_files_removed: data.files,
        metadata_files_removed: metadata.files,
        bytes_removed: data.bytes + metadata.bytes,
        ..ExpireSummary::default()
    })
}

/// Groups of manifests with a bounded number of files. Neighbours in the order of cells come together, so that few of
/// the retained manifests may hold files of a group.
fn by_cell(doomed: &Named) -> Vec<Vec<&ManifestFile>> {
    let first =
        |m: &ManifestFile| m.partitions.as_ref().and_then(|p| p.first()?.lower_bound.as_ref().map(|b| b.to_vec()));
    let files = |m: &ManifestFile| {
        u64::from(m.added_files_count.unwrap_or_default()) + u64::from(m.existing_files_count.unwrap_or_default())
    };
    let mut sorted: Vec<_> = doomed.manifests.values().collect();
    sorted.sort_by_cached_key(|m| first(m));
    let mut groups: Vec<Vec<&ManifestFile>> = vec![];
    let mut room = 0;
    for manifest in sorted {
        match groups.last_mut() {
            Some(group) if files(manifest) <= room => group.push(manifest),
            _ => {
                groups.push(vec![manifest]);
                room = FILES_AT_ONCE;
            }
        }
        room = room.saturating_sub(files(manifest));
    }
    groups
}

/// The live files of `manifests` that no retained manifest lists as live. Hashes of their locations go to `seen`, so that
/// a file in several groups is one file.
async fn only_in(
    warehouse: &Warehouse,
    manifests: &[&ManifestFile],
    retained: &Named,
    seen: &mut HashSet<u64>,
) -> Result<Vec<Doomed>> {
    let mut candidates: HashMap<String, u64> = HashMap::new();
    let mut cells: Option<HashSet<String>> = Some(HashSet::new());
    let files = live_files_as_far_as_there(warehouse.io(), manifests.iter().copied());
    pin_mut!(files);
    while let Some(files) = files.try_next().await? {
        for file in files {
            match (&mut cells, file.cell) {
                (Some(cells), Some(cell)) => {
                    cells.insert(cell);
                }
                // In another partitioning than ours there is nothing to prune by.
                _ => cells = None,
            }
            candidates.insert(file.location, file.bytes);
        }
    }
    let may_list = |m: &&ManifestFile| cells.as_ref().is_none_or(|cells| may_hold(m, cells.iter().map(String::as_str)));
    let files = live_files(warehouse.io(), retained.manifests.values().filter(may_list));
    pin_mut!(files);
    while let Some(files) = files.try_next().await? {
        for file in files {
            candidates.remove(&file.location);
        }
    }
    candidates.retain(|location, _| seen.insert(hash(location)));
    Ok(candidates.into_iter().map(|(location, bytes)| Doomed { location, bytes: Some(bytes) }).collect())
}

/// The same in every run, and good enough to tell files apart by.
pub(super) fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Metadata without what ended before the cutoff.
#[derive(Debug)]
struct Expiry {
    options: ExpireOptions,
    /// Those with checkpoints.
    runs: Vec<RunRecord>,
    /// Whether the catalog writes the table's metadata, and has the say in how much of it is kept.
    keeps_log: bool,
}

impl Rewrite for Expiry {
    type Outcome = Expired;

    async fn rewrite(&self, base: &TableState, _: &mut MetadataFiles) -> Result<Option<(TableMetadata, Expired)>> {
        self.plan(base)
    }
}

impl Expiry {
    fn plan(&self, base: &TableState) -> Result<Option<(TableMetadata, Expired)>> {
        let at = || WarehouseError::metadata(&base.metadata_location);
        let metadata = &base.metadata;
        let json = |e: serde_json::Error| {
            let source = iceberg::Error::new(iceberg::ErrorKind::DataInvalid, e.to_string());
            at()(source)
        };
        let cutoff = retention::cutoff(metadata, &self.options);
        let mut ids = Retention::new(metadata, &Reference::all(metadata)?, cutoff).expired(metadata);
        let keeper = base.keeper_of_record();
        ids.retain(|id| Some(*id) != keeper);
        let cutoff = cutoff.timestamp_millis();

        // The log has when each metadata file was written; the next one replaced it, and the base is replaced now.
        let log = metadata.metadata_log();
        let replaced = log.iter().skip(1).map(|log| log.timestamp_ms).chain([metadata.last_updated_ms()]);
        let old = log.iter().zip(replaced).filter(|(_, replaced)| *replaced <= cutoff);
        let old = old.filter(|_| !self.keeps_log);
        let mut older: Vec<_> = old.map(|(log, _)| log.metadata_file.clone()).collect();
        let drops_base = !self.keeps_log && Utc::now().timestamp_millis() <= cutoff;
        // To drop one file only to leave behind another is no gain.
        if ids.is_empty() && older.len() <= usize::from(!drops_base) {
            return Ok(None);
        }
        if drops_base {
            older.push(base.metadata_location.clone());
        }

        let mut builder = base.next();
        for id in &ids {
            builder = builder.remove_statistics(*id).remove_partition_statistics(*id);
        }
        let unfinished = self.runs.iter().filter(|run| run.finished.is_none()).map(RunRecord::commit);
        let builder = builder.remove_properties(&needless_notes(metadata, unfinished)).map_err(at())?;
        let next = builder.remove_snapshots(&ids).build().map_err(at())?.metadata;
        // The builder has no say in the log but its length, which is one at least.
        let mut next = serde_json::to_value(next).map_err(json)?;
        let older_set: HashSet<&str> = older.iter().map(String::as_str).collect();
        if let Some(Value::Array(log)) = next.get_mut("metadata-log") {
            log.retain(|entry| !entry["metadata-file"].as_str().is_some_and(|file| older_set.contains(file)));
        }
        // A clock that is behind must not make history run backwards.
        let updated = next["last-updated-ms"].as_i64().unwrap_or_default().max(metadata.last_updated_ms());
        next["last-updated-ms"] = json!(updated);
        let next = serde_json::from_value(next).map_err(json)?;
        let snapshots = ids.iter().filter_map(|id| metadata.snapshot_by_id(*id).cloned()).collect();
        Ok(Some((next, Expired { snapshots, metadata: older })))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{append, file, files, named_files, part, replace};
    use super::*;
    use crate::table::testing::warehouse;

    #[tokio::test]
    async fn what_is_committed_between_the_expiry_and_the_deletion_stays() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let [one, two, three, four] = [1, 2, 3, 4].map(|n| part(&warehouse, "81a", n));
        append(&warehouse, [one.clone()]).await;
        replace(&warehouse, std::slice::from_ref(&one), two.clone()).await;

        let options = ExpireOptions { retain: Some(Duration::ZERO), dry_run: false };
        let expiry = Expiry { options, runs: vec![], keeps_log: false };
        let expired = rewrite_metadata(&warehouse, "expire", &expiry).await.unwrap().unwrap();
        append(&warehouse, [three.clone()]).await;
        replace(&warehouse, std::slice::from_ref(&two), four.clone()).await;
        let removed = remove_unreachable(&warehouse, &expired, false).await.unwrap();

        assert_eq!(removed.data_files_removed, 1);
        assert!(!file(&one).exists());
        // The snapshot between still names the second.
        assert!([two, three, four].iter().all(|part| file(part).exists()));
        assert_eq!(files(&folder), named_files(&warehouse).await);
    }
}
