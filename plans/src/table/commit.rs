//! [`Committer`]: adds and removes files of the table in one snapshot, by compare-and-swap on the catalog.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::DataFusionError;
use iceberg::io::FileIO;
use iceberg::spec::{ManifestFile, Operation};
use url::Url;
use uuid::Uuid;

use super::catalog::{Proposed, Swap, backoff};
use super::create::Warehouse;
use super::deletes::{DeleteFile, Deletes};
use super::error::{Result, WarehouseError};
use super::ingest_record::RecordList;
use super::known_ids::{KnownIds, encode, merge};
use super::location::to_location;
use super::manifests::files::LiveFile;
use super::manifests::{self, MetadataFiles, apart, to_be_read};
use super::resumable;
use super::snapshot;
use super::state::{RUN, TableState};
use crate::model::layout::cell_of;
use crate::model::part_file::PartFile;
use crate::model::task_files::{IdFile, RecordFile};
use crate::stores;

/// Manifests that are in memory at a time while files are removed; a full one takes some 3 MB.
const MANIFESTS: usize = 4;

/// Attempts before a commit gives up against other writers.
const MAX_ATTEMPTS: usize = 100;

/// What becomes visible as one snapshot: these files are added, those removed.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub add: Vec<PartFile>,
    /// URLs of live files of the table.
    pub remove: Vec<String>,
    /// Iceberg locations of the delete files whose rows the added files do without.
    pub deletes: BTreeSet<String>,
    /// Whether the added files have rows of the removed ones as they were: what another engine deletes by value meanwhile is then
    /// deleted of them, too.
    pub same_values: bool,
    /// Files of the ingest record that tell of the objects behind the added files.
    pub ingested: Vec<RecordFile>,
    /// Paths of files of the ingest record in whose place `ingested` comes.
    pub forgotten: Vec<String>,
    pub ids: IdChange,
    /// The snapshot's own summary properties, such as the counts of a run.
    pub summary: BTreeMap<String, String>,
    /// Whether the added files hold the rows of the removed ones (Iceberg's operation `replace`).
    pub same_rows: bool,
    /// Whether the added files may be of an earlier start of a run that can be resumed, which may have committed them:
    /// they are looked for, in the table and in the store; and that the run is committed is known for as long as its
    /// checkpoints are there.
    pub resumable: bool,
}

/// What a change means for what is known of the ids in the table.
#[derive(Debug, Clone, Default)]
pub enum IdChange {
    /// Nobody has looked: from now on nothing is known.
    #[default]
    Unknown,
    /// There are no new ones, and no new versions.
    Same,
    /// The rows have these.
    Added(Vec<IdFile>),
    /// As of the document at this location, one version of each is left.
    Settled(String),
    /// On top of one of these snapshots, of whose ids nothing is known, one version of each is left; and the list of them, as a
    /// file, and how many there are.
    Listed { as_of: Vec<i64>, list: Arc<(Vec<u8>, u64)> },
}

impl Change {
    fn operation(&self) -> Operation {
        match (self.remove.is_empty(), self.add.is_empty(), self.same_rows) {
            (true, ..) => Operation::Append,
            (false, _, true) => Operation::Replace,
            (false, true, false) => Operation::Delete,
            (false, false, false) => Operation::Overwrite,
        }
    }
}

/// A change that became visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub snapshot: i64,
    pub metadata_location: String,
    /// 1 where no other writer interfered.
    pub attempts: usize,
}

/// Commits changes to a warehouse's table.
#[derive(Debug, Clone)]
pub struct Committer {
    warehouse: Warehouse,
}

impl Committer {
    pub fn new(warehouse: Warehouse) -> Self {
        Self { warehouse }
    }

    /// The snapshot that a run committed, if it did and the table still retains it.
    pub async fn find_run(&self, run: &str) -> Result<Option<i64>> {
        Ok(self.warehouse.load().await?.run_snapshot(run))
    }

    /// Makes `change` visible in one snapshot, on top of whatever the table holds by then.
    ///
    /// Errors, of which none but [`WarehouseError::UnknownOutcome`] leaves the change visible or metadata behind:
    /// - [`WarehouseError::Conflict`]: a file to remove is no longer live;
    /// - [`WarehouseError::Changed`]: the table is another one, or has another schema, partitioning or order;
    /// - [`WarehouseError::AlreadyLive`], [`WarehouseError::MissingPartFiles`]: files of an earlier start are in the table
    ///   already, or are gone;
    /// - [`WarehouseError::CommittedBefore`]: a snapshot already has the change's run (`earthcatalog.run`);
    /// - [`WarehouseError::UnknownOutcome`]: the catalog failed in the middle, and cannot be read again.
    pub async fn commit(&self, mut change: Change) -> Result<Committed> {
        if change.add.is_empty() && change.remove.is_empty() && change.forgotten.is_empty() {
            return Err(WarehouseError::NothingToCommit);
        }
        // By cell, so that a manifest covers few of them and a scan of one cell reads few manifests.
        change.add.sort_unstable_by(|a, b| (&a.cell, a.year, &a.path).cmp(&(&b.cell, b.year, &b.path)));
        if let Some(twice) = change.add.windows(2).find(|pair| pair[0].path == pair[1].path) {
            let reason = "it is listed twice".to_owned();
            return Err(WarehouseError::InvalidPartFile { path: twice[0].path.clone(), reason });
        }
        let base = self.warehouse.load().await?;
        if change.resumable {
            let run = change.summary.get(RUN);
            if let Some((run, snapshot)) = run.and_then(|run| Some((run.clone(), base.run_snapshot(run)?))) {
                return Err(WarehouseError::CommittedBefore { run, snapshot });
            }
            resumable::check_exist(&change.add).await?;
        }
        let remove = Arc::new(change.remove.iter().map(|url| location_of(url)).collect::<Result<_>>()?);
        let plan = Plan { id: snapshot_id(), remove, change };

        // Manifests of added files name no sequence number, so that all attempts share them.
        let mut shared = MetadataFiles::new(self.warehouse.io(), &base.metadata, plan.id);
        let mut all_lost = true;
        let written = async {
            let added = shared.write_added(&plan.change.add, &base.metadata).await?;
            shared.sync().await?;
            sync_added(&plan.change).await?;
            Ok(added)
        };
        let outcome = match written.await {
            Ok(added) => self.attempt_until_committed(&plan, &added, &mut all_lost).await,
            Err(e) => Err(e),
        };
        match outcome {
            Err(e) if all_lost => {
                shared.delete().await;
                Err(e)
            }
            // One attempt may still turn out to be visible, and with it the files.
            Err(e @ WarehouseError::UnknownOutcome { .. }) => Err(e),
            Err(e) => Err(self.unknown(&plan, e.to_string())),
            committed => committed,
        }
    }

    /// `all_lost` becomes false with the first attempt of which it is not certain that nobody will ever see it.
    async fn attempt_until_committed(
        &self,
        plan: &Plan,
        added: &[ManifestFile],
        all_lost: &mut bool,
    ) -> Result<Committed> {
        for attempts in 1..=MAX_ATTEMPTS {
            let base = self.warehouse.load().await?;
            if base.metadata.snapshot_by_id(plan.id).is_some() {
                // An earlier attempt of unknown outcome became visible after all.
                let metadata_location = base.metadata_location.clone();
                return Ok(Committed { snapshot: plan.id, metadata_location, attempts });
            }
            let mut files = MetadataFiles::new(self.warehouse.io(), &base.metadata, plan.id);
            let next = match self.write_metadata(plan, added, &base, &mut files).await {
                Ok(next) => next,
                Err(e) => {
                    files.delete().await;
                    // A clean-up without a retention may have deleted what the base names, once that was replaced.
                    let unreadable = matches!(e, WarehouseError::Metadata { .. } | WarehouseError::Expired { .. });
                    if !unreadable || self.warehouse.is_still(&base).await? {
                        return Err(e);
                    }
                    tokio::time::sleep(backoff(attempts)).await;
                    continue;
                }
            };
            match self.warehouse.catalog().commit(&base, &next).await {
                Swap::Done(metadata_location) => {
                    return Ok(Committed { snapshot: plan.id, metadata_location, attempts });
                }
                Swap::Lost => files.delete().await,
                Swap::Refused(error) => {
                    files.delete().await;
                    return Err(error);
                }
                Swap::Unknown(error) => {
                    *all_lost = false;
                    if let Err(unreadable) = self.warehouse.load().await {
                        return Err(self.unknown(plan, format!("{error}; then {unreadable}")));
                    }
                }
            }
            tokio::time::sleep(backoff(attempts)).await;
        }
        Err(WarehouseError::Contention { attempts: MAX_ATTEMPTS })
    }

    fn unknown(&self, plan: &Plan, reason: String) -> WarehouseError {
        let catalog = self.warehouse.catalog().to_string();
        WarehouseError::UnknownOutcome { catalog, snapshot: plan.id, reason }
    }

    /// Writes manifests, manifest list and, unless the catalog does, metadata of the snapshot on top of `base`.
    async fn write_metadata(
        &self,
        plan: &Plan,
        added: &[ManifestFile],
        base: &TableState,
        files: &mut MetadataFiles,
    ) -> Result<Proposed> {
        let metadata = &base.metadata;
        self.warehouse.requirements().check(metadata, self.warehouse.catalog())?;
        let run = plan.change.summary.get(RUN);
        if let Some((run, snapshot)) = run.and_then(|run| Some((run.clone(), base.run_snapshot(run)?))) {
            return Err(WarehouseError::CommittedBefore { run, snapshot });
        }
        let mut manifests = added.to_vec();
        let (mut removed, mut applied) = (vec![], vec![]);
        if let Some(current) = metadata.current_snapshot() {
            let live = manifests::live_manifests(self.warehouse.io(), metadata, current).await?;
            let (deletes, live) = apart(live);
            if plan.change.resumable {
                resumable::refuse_live(self.warehouse.io(), &live, &plan.change.add).await?;
            }
            let kept = self.without_removed(plan, live, base, files, &mut removed).await?;
            if plan.remove.is_empty() || (deletes.is_empty() && plan.change.deletes.is_empty()) {
                manifests.extend(deletes);
            } else {
                let left;
                (left, applied) = self.deletes_left(plan, deletes, &kept, &removed, base, files).await?;
                manifests.extend(left);
            }
            manifests.extend(kept);
        }
        if removed.len() < plan.remove.len() {
            let gone: HashSet<&str> = removed.iter().map(|file| file.location.as_str()).collect();
            let missing = plan.remove.iter().filter(|location| !gone.contains(location.as_str()));
            return Err(WarehouseError::Conflict { missing: missing.cloned().collect() });
        }
        let (operation, Change { add, summary: own, .. }) = (plan.change.operation(), &plan.change);
        let mut summary = snapshot::summary(operation, add, &removed, &applied, own, metadata);
        if !plan.change.ingested.is_empty() || !plan.change.forgotten.is_empty() {
            let mut record = RecordList::of(&self.warehouse, base).await?;
            let before = record.files.len();
            let forgotten: HashSet<&String> = plan.change.forgotten.iter().collect();
            record.files.retain(|file| !forgotten.contains(&file.path));
            if before - record.files.len() < forgotten.len() {
                let missing = plan.change.forgotten.clone();
                return Err(WarehouseError::Conflict { missing });
            }
            record.files.extend_from_slice(&plan.change.ingested);
            let location = files.write_record_list(&record).await?;
            summary.additional_properties.insert(RecordList::PROPERTY.to_owned(), location);
        }
        let known = known_ids(&plan.change.ids, base, self.warehouse.io(), files).await?;
        summary.additional_properties.extend(known);
        let list = files.write_list(manifests, metadata).await?;
        let committed = run.filter(|_| plan.change.resumable).map(String::as_str);
        let next = snapshot::on_top_of(base, plan.id, summary, list, committed)?;
        let next = files.propose(next, base, self.warehouse.catalog()).await?;
        files.sync().await?;
        Ok(next)
    }

    /// The manifests of `deletes` without the files that are about no data file any more, of those that are `kept`; and these.
    ///
    /// Errors: [`WarehouseError::Conflict`] where other rows of a removed file are deleted than when it was read, and the added
    /// files would not follow.
    async fn deletes_left(
        &self,
        plan: &Plan,
        deletes: Vec<ManifestFile>,
        kept: &[ManifestFile],
        removed: &[LiveFile],
        base: &TableState,
        files: &mut MetadataFiles,
    ) -> Result<(Vec<ManifestFile>, Vec<DeleteFile>)> {
        let io = self.warehouse.io();
        let all = Deletes::read(io, &base.metadata, &deletes).await?;
        let there: HashSet<&str> = all.files().iter().map(|of| of.location.as_str()).collect();
        let is_new = |of: &&DeleteFile| !plan.change.deletes.contains(&of.location);
        // A file that replaces others is as old as their rows, so that values that are deleted later are deleted of it.
        let follows = |of: &DeleteFile| plan.change.same_values && !of.is_by_position();
        // The table was rolled back: rows that the added files do without are there again.
        let is_back = plan.change.deletes.iter().any(|location| !there.contains(location.as_str()));
        // Where no row stays, none can come back.
        let has_new = |file| all.about(file).filter(is_new).any(|of| !follows(of)) && !plan.change.add.is_empty();
        let changed = removed.iter().filter(|file| is_back || has_new(file));
        let missing: Vec<String> = changed.map(|file| file.location.clone()).collect();
        if !missing.is_empty() {
            return Err(WarehouseError::Conflict { missing });
        }
        let mut needed = HashSet::new();
        if !plan.change.add.is_empty() {
            let new = removed.iter().flat_map(|file| all.about(file)).filter(is_new);
            needed.extend(new.map(|of| of.location.as_str()));
        }
        let cells: Option<Vec<&str>> = all.files().iter().map(|of| Some(of.bucket()?.cell.as_str())).collect();
        let likely = kept
            .iter()
            .filter(|manifest| cells.as_ref().is_none_or(|cells| manifests::may_hold(manifest, cells.iter().copied())));
        let likely: Vec<ManifestFile> = likely.map(|m| to_be_read(m.clone(), &base.metadata)).collect();
        for manifests in likely.chunks(MANIFESTS) {
            for (_, live) in manifests::list(io, manifests.to_vec()).await? {
                for file in live {
                    needed.extend(all.about(&file).map(|of| of.location.as_str()));
                }
            }
        }
        let done: Vec<DeleteFile> =
            all.files().iter().filter(|of| !needed.contains(of.location.as_str())).cloned().collect();
        let mut by_manifest = HashMap::<&str, HashSet<&str>>::new();
        for of in &done {
            by_manifest.entry(&of.manifest).or_default().insert(&of.location);
        }
        let mut left = vec![];
        for manifest in deletes {
            left.push(match by_manifest.get(manifest.manifest_path.as_str()) {
                Some(done) => files.write_deletes_without(&manifest, done, &base.metadata).await?,
                None => manifest,
            });
        }
        Ok((left, done))
    }

    /// The live manifests without the files to remove: most as they are, those concerned written again.
    async fn without_removed(
        &self,
        plan: &Plan,
        live: Vec<ManifestFile>,
        base: &TableState,
        files: &mut MetadataFiles,
        removed: &mut Vec<LiveFile>,
    ) -> Result<Vec<ManifestFile>> {
        if plan.remove.is_empty() {
            return Ok(live);
        }
        let cells: Option<Vec<&str>> = plan.remove.iter().map(|location| cell_of(location)).collect();
        let likely = |manifest: &ManifestFile| {
            cells.as_ref().is_none_or(|cells| manifests::may_hold(manifest, cells.iter().copied()))
        };
        let (mut likely, unlikely): (Vec<_>, Vec<_>) = live.into_iter().partition(likely);
        // Neighbours are written again together.
        likely.sort_by_cached_key(manifests::first_cell);
        let mut kept = vec![];
        for candidates in [likely, unlikely] {
            if removed.len() == plan.remove.len() {
                kept.extend(candidates);
                continue;
            }
            for candidates in candidates.chunks(MANIFESTS) {
                let (mut gone, mut concerned) = (vec![], vec![]);
                for (manifest, mut listed) in manifests::list(self.warehouse.io(), candidates.to_vec()).await? {
                    let live = listed.len();
                    listed.retain(|file| plan.remove.contains(&file.location));
                    match listed.len() {
                        0 => kept.push(manifest),
                        // Nothing is left of it.
                        all if all == live => {}
                        _ => concerned.push(manifest),
                    }
                    gone.append(&mut listed);
                }
                kept.extend(files.write_without(concerned, &plan.remove, &base.metadata).await?);
                kept.extend(files.write_deleted(&gone, &base.metadata).await?);
                removed.append(&mut gone);
            }
        }
        Ok(kept)
    }
}

/// The properties of a snapshot that say what is known of the ids after a change to `base`.
async fn known_ids(
    change: &IdChange,
    base: &TableState,
    io: &FileIO,
    files: &mut MetadataFiles,
) -> Result<Vec<(String, String)>> {
    let added = match change {
        IdChange::Unknown => return Ok(vec![]),
        IdChange::Settled(document) if base.known_ids() == Some(document) => {
            let Some(known) = KnownIds::of(io, base).await? else { return Ok(vec![]) };
            let known = KnownIds { repeated: None, ..known };
            return Ok(known.properties(files.write_known_ids(&known).await?).into());
        }
        IdChange::Listed { as_of, list } => {
            if !base.metadata.current_snapshot_id().is_some_and(|current| as_of.contains(&current)) {
                return Ok(vec![]);
            }
            let (bytes, ids) = list.as_ref();
            let known = KnownIds { lists: vec![files.write_id_list(bytes.clone(), *ids).await?], repeated: None };
            return Ok(known.properties(files.write_known_ids(&known).await?).into());
        }
        IdChange::Same | IdChange::Settled(_) => {
            let before = base.metadata.current_snapshot().into_iter();
            return Ok(before.flat_map(|snapshot| KnownIds::same_properties(snapshot)).collect());
        }
        IdChange::Added(added) => added,
    };
    let Some(known) = KnownIds::of(io, base).await? else { return Ok(vec![]) };
    match with_added(&known, added, files).await {
        // Another engine has deleted a list: nothing is known from now on.
        Err(_) if known.is_incomplete(io).await => Ok(vec![]),
        properties => properties,
    }
}

/// What is known of the ids once these are added.
async fn with_added(known: &KnownIds, added: &[IdFile], files: &mut MetadataFiles) -> Result<Vec<(String, String)>> {
    let unreadable = |e: DataFusionError| WarehouseError::Ids { reason: e.strip_backtrace() };
    let merged = merge(added, &known.lists).await.map_err(unreadable)?;
    let mut lists = known.lists[..merged.kept].to_vec();
    let (bytes, ids) = merged.list;
    lists.push(files.write_id_list(bytes, ids).await?);
    let repeated = match merged.repeated {
        new if new.is_empty() => known.repeated.clone(),
        mut repeated => {
            repeated.extend(known.repeated().await.map_err(unreadable)?);
            let ids = repeated.len() as u64;
            Some(files.write_id_list(encode(repeated).map_err(unreadable)?, ids).await?)
        }
    };
    let known = KnownIds { lists, repeated };
    Ok(known.properties(files.write_known_ids(&known).await?).into())
}

/// Has a local disk keep the files that a change adds.
async fn sync_added(change: &Change) -> Result<()> {
    let paths = change.add.iter().map(|part| &part.path).chain(change.ingested.iter().map(|file| &file.path));
    let urls = paths.map(|path| parsed(path)).collect::<Result<Vec<_>>>()?;
    Ok(stores::sync(urls).await?)
}

/// A change in Iceberg's terms.
struct Plan {
    /// Id of the snapshot to be.
    id: i64,
    /// Iceberg locations.
    remove: Arc<HashSet<String>>,
    change: Change,
}

fn location_of(url: &str) -> Result<String> {
    to_location(&parsed(url)?)
}

fn parsed(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|e| WarehouseError::InvalidLocation { location: url.to_owned(), reason: e.to_string() })
}

/// Random and positive, as Iceberg's own writers choose it.
pub(crate) fn snapshot_id() -> i64 {
    let (high, low) = Uuid::new_v4().as_u64_pair();
    ((high ^ low) >> 1) as i64
}

#[cfg(test)]
mod tests {
    use super::super::location::to_url;
    use super::super::testing::{commit_metadata, record, warehouse};
    use super::*;

    fn add(parts: impl IntoIterator<Item = PartFile>) -> Change {
        Change { add: parts.into_iter().collect(), ..Change::default() }
    }

    /// Locations of the live files, from the manifests.
    async fn live(warehouse: &Warehouse) -> Vec<String> {
        let state = warehouse.load().await.unwrap();
        let Some(snapshot) = state.metadata.current_snapshot() else { return vec![] };
        let manifests = manifests::live_manifests(warehouse.io(), &state.metadata, snapshot).await.unwrap();
        let files = manifests::list(warehouse.io(), manifests).await.unwrap();
        let mut files: Vec<_> = files.into_iter().flat_map(|(_, files)| files).map(|file| file.location).collect();
        files.sort();
        files
    }

    async fn summary(warehouse: &Warehouse) -> std::collections::HashMap<String, String> {
        let state = warehouse.load().await.unwrap();
        let summary = state.metadata.current_snapshot().unwrap().summary();
        let mut properties = summary.additional_properties.clone();
        properties.insert("operation".to_owned(), summary.operation.as_str().to_owned());
        properties
    }

    fn metadata_files(folder: &tempfile::TempDir) -> usize {
        std::fs::read_dir(folder.path().join("wh/metadata")).unwrap().count()
    }

    #[tokio::test]
    async fn appended_files_are_live_and_the_summary_adds_up() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let committer = Committer::new(warehouse.clone());
        let files = [record(&warehouse, "81a", Some(2020), "1"), record(&warehouse, "__none__", None, "2")];

        committer.commit(add(files)).await.unwrap();
        let second = committer.commit(add([record(&warehouse, "81a", Some(1969), "3")])).await.unwrap();

        assert_eq!(live(&warehouse).await.len(), 3);
        let summary = summary(&warehouse).await;
        let of = |key: &str| summary[key].as_str();
        assert_eq!((of("operation"), of("added-data-files"), of("added-records")), ("append", "1", "3"));
        assert_eq!((of("total-data-files"), of("total-records"), of("total-files-size")), ("3", "9", "300"));
        let state = warehouse.load().await.unwrap();
        assert_eq!(state.metadata.current_snapshot_id(), Some(second.snapshot));
        assert_eq!(state.metadata.metadata_log().len(), 2);
    }

    #[tokio::test]
    async fn added_and_removed_files_change_in_one_snapshot_that_keeps_the_other_files_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let committer = Committer::new(warehouse.clone());
        let [one, two, other, merged] = ["1", "2", "3", "m"].map(|name| record(&warehouse, "81a", Some(2020), name));
        committer.commit(add([one.clone(), two.clone()])).await.unwrap();
        committer.commit(add([other.clone()])).await.unwrap();

        let change = Change {
            add: vec![merged.clone()],
            remove: vec![one.path, two.path],
            same_rows: true,
            ..Change::default()
        };
        committer.commit(change).await.unwrap();

        let location = |part: &PartFile| location_of(&part.path).unwrap();
        assert_eq!(live(&warehouse).await, [location(&other), location(&merged)]);
        let summary = summary(&warehouse).await;
        let of = |key: &str| summary[key].as_str();
        assert_eq!((of("operation"), of("deleted-data-files"), of("deleted-records")), ("replace", "2", "6"));
        assert_eq!((of("total-data-files"), of("total-records")), ("2", "6"));

        // The manifest without live files is still listed by the snapshot that emptied it, and by no later one.
        committer.commit(add([record(&warehouse, "81b", Some(2020), "4")])).await.unwrap();
        let state = warehouse.load().await.unwrap();
        let current = state.metadata.current_snapshot().unwrap();
        assert_eq!(manifests::live_manifests(warehouse.io(), &state.metadata, current).await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn removing_a_file_that_is_no_longer_live_is_a_conflict_that_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let committer = Committer::new(warehouse.clone());
        let [one, two] = ["1", "2"].map(|name| record(&warehouse, "81a", Some(2020), name));
        committer.commit(add([one.clone()])).await.unwrap();
        let files = metadata_files(&folder);

        let change = Change { add: vec![two.clone()], remove: vec![one.path, two.path], ..Change::default() };
        let error = committer.commit(change).await.unwrap_err();

        let WarehouseError::Conflict { missing } = error else { panic!("{error}") };
        assert_eq!(missing.len(), 1);
        assert!(missing[0].ends_with("/2.parquet"));
        assert_eq!(metadata_files(&folder), files);
        assert_eq!(live(&warehouse).await.len(), 1);
    }

    #[tokio::test]
    async fn a_lost_race_is_tried_again_on_the_new_state() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let committer = Committer::new(warehouse.clone());
        let plan = |name: &str| {
            let change = add([record(&warehouse, "81a", Some(2020), name)]);
            Plan { id: snapshot_id(), remove: Arc::default(), change }
        };
        // Given metadata on top of a base that another commit replaces,
        let (mine, base) = (plan("mine"), warehouse.load().await.unwrap());
        let mut files = MetadataFiles::new(warehouse.io(), &base.metadata, mine.id);
        let added = files.write_added(&mine.change.add, &base.metadata).await.unwrap();
        let stale = committer.write_metadata(&mine, &added, &base, &mut files).await.unwrap();
        committer.commit(add([record(&warehouse, "81a", Some(2020), "theirs")])).await.unwrap();

        // the swap is lost, and a new attempt with the same manifests succeeds.
        let swap = warehouse.catalog().commit(&base, &stale).await;
        assert!(matches!(swap, Swap::Lost));
        committer.attempt_until_committed(&mine, &added, &mut true).await.unwrap();
        assert_eq!(live(&warehouse).await.len(), 2);
        assert_eq!(summary(&warehouse).await["total-data-files"], "2");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_many_concurrent_commits_every_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        warehouse(&folder).await;
        let catalog = folder.path().join("catalog.db").to_str().unwrap().to_owned();
        let writers = (0..4).map(|writer| {
            let catalog = catalog.clone();
            tokio::spawn(async move {
                // A warehouse of its own, as another process has.
                let warehouse = Warehouse::open(&catalog).await.unwrap();
                let committer = Committer::new(warehouse.clone());
                for n in 0..25 {
                    let part = record(&warehouse, "81a", Some(2000 + n), &format!("{writer}-{n}"));
                    committer.commit(add([part])).await.unwrap();
                }
            })
        });
        for writer in futures::future::join_all(writers).await {
            writer.unwrap();
        }
        let warehouse = Warehouse::open(&catalog).await.unwrap();
        assert_eq!(live(&warehouse).await.len(), 100);
        assert_eq!(summary(&warehouse).await["total-records"], "300");
        // One manifest, list and metadata file per commit, and the first metadata: no attempt left an orphan.
        assert_eq!(metadata_files(&folder), 301);
    }

    #[tokio::test]
    async fn a_run_is_committed_once() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let committer = Committer::new(warehouse.clone());
        let change = |name: &str| Change {
            summary: [(RUN.to_owned(), "r1".to_owned())].into(),
            ..add([record(&warehouse, "81a", Some(2020), name)])
        };
        assert_eq!(committer.find_run("r1").await.unwrap(), None);
        let first = committer.commit(change("1")).await.unwrap();
        assert_eq!(committer.find_run("r1").await.unwrap(), Some(first.snapshot));
        let error = committer.commit(change("2")).await.unwrap_err();
        assert!(matches!(error, WarehouseError::CommittedBefore { .. }), "{error}");
        assert_eq!(live(&warehouse).await.len(), 1);
    }

    /// As another engine rolls a table back: the branch points at an older snapshot.
    #[tokio::test]
    async fn a_run_that_the_table_was_rolled_back_from_can_be_committed_again() {
        use iceberg::spec::{MAIN_BRANCH, SnapshotReference, SnapshotRetention};
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let committer = Committer::new(warehouse.clone());
        let first = committer.commit(add([record(&warehouse, "81a", Some(2020), "0")])).await.unwrap();
        let change = |name: &str| Change {
            summary: [(RUN.to_owned(), "r1".to_owned())].into(),
            ..add([record(&warehouse, "81a", Some(2020), name)])
        };
        committer.commit(change("1")).await.unwrap();
        let base = warehouse.load().await.unwrap();
        let builder = base.next();
        let branch = SnapshotReference::new(first.snapshot, SnapshotRetention::branch(None, None, None));
        let next = builder.set_ref(MAIN_BRANCH, branch).unwrap().build().unwrap().metadata;
        commit_metadata(&warehouse, &base, next).await;

        assert_eq!(committer.find_run("r1").await.unwrap(), None);
        let again = committer.commit(change("2")).await.unwrap();
        assert_eq!(committer.find_run("r1").await.unwrap(), Some(again.snapshot));
        assert_eq!(live(&warehouse).await.len(), 2);
    }

    #[tokio::test]
    async fn many_files_make_even_manifests_and_replacing_one_rewrites_one() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let committer = Committer::new(warehouse.clone());
        let cells = (0..1001).map(|n| record(&warehouse, &format!("8{n:04}"), Some(2020), "1"));
        let parts: Vec<_> = cells.collect();
        committer.commit(add(parts.clone())).await.unwrap();
        let before = metadata_files(&folder);

        let change = Change { remove: vec![parts[500].path.clone()], ..Change::default() };
        committer.commit(change).await.unwrap();

        assert_eq!(live(&warehouse).await.len(), 1000);
        assert_eq!(metadata_files(&folder), before + 4, "what is left, what is gone, the list, the metadata");
        let state = warehouse.load().await.unwrap();
        let current = state.metadata.current_snapshot().unwrap();
        let manifests = manifests::live_manifests(warehouse.io(), &state.metadata, current).await.unwrap();
        let entries = |m: &ManifestFile| m.added_files_count.unwrap() + m.existing_files_count.unwrap();
        let entries: Vec<_> = manifests.iter().map(entries).collect();
        assert_eq!(entries.len(), 3);
        assert!(entries.iter().all(|n| (332..=334).contains(n)), "{entries:?}");
    }

    #[tokio::test]
    async fn a_file_is_removed_although_its_path_names_another_cell_than_its_partition() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let committer = Committer::new(warehouse.clone());
        let part = PartFile { cell: "85b".to_owned(), ..record(&warehouse, "81a", Some(2020), "1") };
        committer.commit(add([part.clone()])).await.unwrap();
        committer.commit(Change { remove: vec![part.path], ..Change::default() }).await.unwrap();
        assert!(live(&warehouse).await.is_empty());
    }

    #[tokio::test]
    async fn a_file_listed_twice_or_a_change_of_nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let committer = Committer::new(warehouse.clone());
        let part = record(&warehouse, "81a", Some(2020), "1");
        let error = committer.commit(add([part.clone(), part])).await.unwrap_err();
        assert!(matches!(error, WarehouseError::InvalidPartFile { .. }), "{error}");
        let error = committer.commit(Change::default()).await.unwrap_err();
        assert!(matches!(error, WarehouseError::NothingToCommit), "{error}");
    }

    /// Any bit of a manifest list or a manifest, a window of zeroes, a cut: nothing is read, and nothing committed on top.
    #[tokio::test]
    async fn a_damaged_list_or_manifest_is_named_and_nothing_is_committed_on_top_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let committer = Committer::new(warehouse.clone());
        let [one, two] = ["1", "2"].map(|name| record(&warehouse, "81a", Some(2020), name));
        committer.commit(add([one.clone()])).await.unwrap();
        let state = warehouse.load().await.unwrap();
        let current = state.metadata.current_snapshot().unwrap();
        let manifests = manifests::live_manifests(warehouse.io(), &state.metadata, current).await.unwrap();
        let list = current.manifest_list().to_owned();
        for location in [list.clone(), manifests[0].manifest_path.clone()] {
            let file = to_url(&location).unwrap().to_file_path().unwrap();
            let whole = std::fs::read(&file).unwrap();
            let flipped = (0..whole.len()).step_by(7).map(|at| {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << (at % 8);
                bytes
            });
            let zeroed = (0..whole.len()).step_by(50).map(|at| {
                let mut bytes = whole.clone();
                bytes[at..(at + 64).min(whole.len())].fill(0);
                bytes
            });
            let cut = (0..whole.len()).step_by(50).map(|at| whole[..at].to_vec());
            for bytes in flipped.chain(zeroed).chain(cut) {
                std::fs::write(&file, &bytes).unwrap();
                let read = async {
                    let live = manifests::live_manifests(warehouse.io(), &state.metadata, current).await?;
                    manifests::list(warehouse.io(), live).await
                };
                let error = read.await.unwrap_err().to_string();
                assert!(error.contains(&location) && error.contains("damaged"), "{error}");
                // An append reads no manifests, but the list of them.
                let remove = if location == list { vec![] } else { vec![one.path.clone()] };
                let change = Change { remove, ..add([two.clone()]) };
                let error = committer.commit(change).await.unwrap_err().to_string();
                assert!(error.contains(&location), "{error}");
            }
            std::fs::write(&file, &whole).unwrap();
        }
        assert_eq!(live(&warehouse).await.len(), 1);
        committer.commit(add([two])).await.unwrap();
        assert_eq!(live(&warehouse).await.len(), 2);
    }

    #[tokio::test]
    async fn a_table_that_was_made_again_takes_nothing_of_an_older_run() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (warehouse, other) = (warehouse(&folder).await, warehouse(&elsewhere).await);
        let [base, other] = [warehouse.load().await.unwrap(), other.load().await.unwrap()];
        let location = Some(other.metadata_location.clone());
        warehouse.catalog().commit(&base, &Proposed { metadata: other.metadata.clone(), location }).await;
        let error = Committer::new(warehouse.clone()).commit(add([record(&warehouse, "81a", Some(2020), "1")])).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("uuid") && error.contains("start again"), "{error}");
    }

    #[tokio::test]
    async fn a_schema_that_changed_since_the_run_began_stops_its_commit() {
        use iceberg::spec::{NestedField, PrimitiveType, Schema, Type};
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let base = warehouse.load().await.unwrap();
        let schema = base.metadata.current_schema().as_struct().fields().to_vec();
        let new = NestedField::optional(900, "of_another_engine", Type::Primitive(PrimitiveType::Int)).into();
        let schema = Schema::builder().with_schema_id(7).with_fields(schema.into_iter().chain([new])).build().unwrap();
        let builder = base.next();
        let next = builder.add_current_schema(schema).unwrap().build().unwrap().metadata;
        commit_metadata(&warehouse, &base, next).await;
        let error = Committer::new(warehouse.clone()).commit(add([record(&warehouse, "81a", Some(2020), "1")])).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("schema") && error.contains("start again"), "{error}");
        assert_eq!(metadata_files(&folder), 2, "nothing of it is left behind");
    }
}
