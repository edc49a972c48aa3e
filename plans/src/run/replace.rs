//! [`Replacement`]: the buckets that a run writes again, from their scan to their commit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_datafusion_err};
use datafusion::physical_plan::ExecutionPlan;

use crate::checkpoint::{Replaced, Totals};
use crate::model::bucket::Bucket;
use crate::model::part_file::PartFile;
use crate::runtime::leaf_by_partition;
use crate::scan::bucket_files::{BucketFiles, BucketScanExec};
use crate::scan::{Settles, list_ids};
use crate::table::location::to_url;
use crate::table::{Change, IdChange, Warehouse};

/// A bucket that is being written again.
struct Rewritten {
    old: BucketFiles,
    new: Vec<PartFile>,
}

pub(super) struct Replacement {
    /// Buckets by partition of the scan, until the partition is finished.
    partitions: Vec<Vec<BucketFiles>>,
    /// Whether of each Item the newest version is left, as it was.
    keeps_newest: bool,
    /// Whether the partitions of the sink are those of the scan.
    follows_partitions: bool,
    /// Not yet committed.
    finished: BTreeMap<Bucket, Rewritten>,
    report: Replaced,
    settles: Option<Settles>,
}

impl Replacement {
    /// The buckets that a scan in `plan` reads.
    pub fn of_buckets_in(plan: &Arc<dyn ExecutionPlan>, keeps_newest: bool) -> Result<Self> {
        let scan = BucketScanExec::find(plan);
        let none = || {
            plan_datafusion_err!(
                "INSERT OVERWRITE replaces the buckets that its query reads, and this one reads none: its condition is never true"
            )
        };
        let scan = scan.ok_or_else(none)?;
        Ok(Self {
            keeps_newest,
            partitions: scan.groups().to_vec(),
            follows_partitions: leaf_by_partition(plan)
                .and_then(|leaf| leaf.downcast_ref::<BucketScanExec>())
                .is_some_and(|leaf| leaf.scanned().is_some()),
            finished: BTreeMap::new(),
            settles: scan.settles().cloned(),
            report: Replaced { scanned: scan.scanned().unwrap_or_default(), ..Replaced::default() },
        })
    }

    /// The same, of a run that removes the Items whose rows the scan leaves out.
    /// `objects` are as many as the ingest record forgets.
    pub fn without_items(plan: &Arc<dyn ExecutionPlan>, keeps_newest: bool, objects: usize) -> Result<Self> {
        let mut replacement = Self::of_buckets_in(plan, keeps_newest)?;
        replacement.report.forgotten = objects as u64;
        replacement.report.removed = items_in(plan);
        Ok(replacement)
    }

    /// The same, of a run that updates the Items for which the scan chose its buckets.
    pub fn with_values(plan: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        let mut replacement = Self::of_buckets_in(plan, false)?;
        replacement.report.updated = items_in(plan);
        Ok(replacement)
    }

    /// How many Items are removed; `None` for a run that removes none.
    pub fn removed(&self) -> Option<u64> {
        self.report.removed
    }

    /// How many Items are updated; `None` for a run that updates none.
    pub fn updated(&self) -> Option<u64> {
        self.report.updated
    }

    /// Whether the run is about some Items, and not about the buckets in which they are.
    pub fn is_of_items(&self) -> bool {
        self.report.removed.or(self.report.updated).is_some()
    }

    /// Whether a finished partition of the sink means that the buckets of that partition of the scan are written.
    pub fn follows_partitions(&self) -> bool {
        self.follows_partitions
    }

    pub fn finish_partition(&mut self, partition: usize) {
        if self.follows_partitions {
            let buckets = self.partitions.get_mut(partition).map(std::mem::take).unwrap_or_default();
            self.finish(buckets);
        }
    }

    pub fn finish_all(&mut self) {
        let buckets = std::mem::take(&mut self.partitions).into_iter().flatten().collect();
        self.finish(buckets);
    }

    fn finish(&mut self, buckets: Vec<BucketFiles>) {
        let rewritten = |old: BucketFiles| (old.bucket.clone(), Rewritten { old, new: vec![] });
        self.finished.extend(buckets.into_iter().map(rewritten));
    }

    /// Buckets that wait for their commit.
    pub fn finished(&self) -> usize {
        self.finished.len()
    }

    /// Takes in what was written for the finished buckets.
    pub fn take_parts(&mut self, parts: Vec<PartFile>) -> Result<()> {
        for part in parts {
            let bucket = Bucket { cell: part.cell.clone(), year: part.year };
            let Some(rewritten) = self.finished.get_mut(&bucket) else {
                return exec_err!(
                    "INSERT OVERWRITE wrote rows of bucket {bucket}, which its query does not read; a row must stay in its bucket, or be added with INSERT INTO"
                );
            };
            // The new file is as old as the newest row in it, whenever it is committed: rows that are added meanwhile
            // are newer.
            rewritten.new.push(PartFile { sequence: Some(rewritten.old.sequence()), ..part });
        }
        Ok(())
    }

    /// The change that replaces all finished buckets; `None` if there are none.
    pub fn change(&self) -> Result<Option<Change>> {
        if self.finished.is_empty() {
            return Ok(None);
        }
        let mut remove = vec![];
        for file in self.finished.values().flat_map(|bucket| &bucket.old.files) {
            remove.push(to_url(&file.location).map_err(|e| exec_datafusion_err!("{e}"))?.to_string());
        }
        let add: Vec<PartFile> = self.finished.values().flat_map(|bucket| bucket.new.iter().cloned()).collect();
        let rows: u64 = add.iter().map(|part| part.rows).sum();
        let same_rows =
            self.keeps_newest && rows == self.finished.values().map(|bucket| bucket.old.rows()).sum::<u64>();
        let deletes = self.finished.values().flat_map(|bucket| &bucket.old.deletes);
        let deletes = deletes.map(|deletes| deletes.location.clone()).collect();
        Ok(Some(Change { add, remove, deletes, same_rows, same_values: self.keeps_newest, ..Change::default() }))
    }

    /// What the next commit means for what is known of the ids in the table: the last one of a run that leaves nothing
    /// out may settle it. Of rows that are other than they were, nothing is known, unless they are those of an update: it leaves no
    /// Item out, and of each one version in these buckets.
    ///
    /// `committed` are the snapshots of this run so far.
    pub async fn ids(&self, warehouse: &Warehouse, committed: &[i64]) -> Result<IdChange> {
        if !self.keeps_newest && self.report.updated.is_none() {
            return Ok(IdChange::Unknown);
        }
        let last = self.partitions.iter().all(Vec::is_empty) && self.report.left_out.is_empty();
        Ok(match self.settles.as_ref().filter(|_| last) {
            Some(Settles::Listed(document)) => IdChange::Settled(document.clone()),
            Some(Settles::Unlisted(snapshot)) => {
                let list = Arc::new(list_ids(warehouse, *snapshot).await?);
                IdChange::Listed { as_of: committed.iter().copied().chain([*snapshot]).collect(), list }
            }
            None => IdChange::Same,
        })
    }

    /// The finished buckets are committed.
    pub fn done(&mut self) {
        let finished = std::mem::take(&mut self.finished);
        let before = Totals::of(finished.values().map(|bucket| &bucket.old));
        let parts = || finished.values().flat_map(|bucket| &bucket.new);
        let after = Totals {
            buckets: finished.values().filter(|bucket| !bucket.new.is_empty()).count() as u64,
            files: parts().count() as u64,
            rows: parts().map(|part| part.rows).sum(),
            bytes: parts().map(|part| part.bytes).sum(),
        };
        self.report.before += before;
        self.report.after += after;
    }

    /// Leaves the buckets of `missing` files (Iceberg locations) as they are; returns the paths that were written for
    /// them.
    pub fn leave_out(&mut self, missing: &[String]) -> HashSet<String> {
        let missing: HashSet<&str> = missing.iter().map(String::as_str).collect();
        let gone = |bucket: &Rewritten| bucket.old.files.iter().any(|file| missing.contains(file.location.as_str()));
        let gone: HashMap<Bucket, Rewritten> = self.finished.extract_if(.., |_, bucket| gone(bucket)).collect();
        self.report.left_out.extend(gone.keys().map(Bucket::to_string));
        self.report.left_out.sort();
        gone.into_values().flat_map(|bucket| bucket.new).map(|part| part.path).collect()
    }

    pub fn report(self, snapshots: Vec<i64>) -> Replaced {
        Replaced { snapshots, ..self.report }
    }
}

/// The Items that a scan of buckets is about.
fn items_in(plan: &Arc<dyn ExecutionPlan>) -> Option<u64> {
    Some(BucketScanExec::find(plan)?.items()?.len() as u64)
}
