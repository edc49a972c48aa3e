//! A run on the head: drives the partitions of a sink, takes in their records, and commits them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use url::Url;

use super::check_rejects::check_rejects;
use super::commit_node::{CommitTarget, Outcome};
use super::drive::Partitions;
use super::replace::Replacement;
use super::stage;
use crate::checkpoint::{Checkpoint, Checkpoints, RunFolder, RunProgress, RunRecords, RunReport};
use crate::maintenance::RunLease;
use crate::model::part_file::{PartFile, SinkRecord};
use crate::runtime::find_operator;
use crate::sink::WriteGeoParquetExec;
use crate::source::loses_chunks;
use crate::stores::{self, stores};
use crate::table::ingest_record::forget;
use crate::table::state::{KIND, REMOVED, UPDATED};
use crate::table::{Change, Committed, Committer, IdChange, WarehouseError};

/// Runs a sink and commits what it wrote.
///
/// When anything fails before a commit, nothing of it becomes visible, and the files that were recorded and not yet
/// committed are deleted; the rejects stay. After a commit whose outcome is unknown nothing is deleted.
pub(super) async fn write_and_commit(
    input: &Arc<dyn ExecutionPlan>,
    target: &CommitTarget,
    progress: &RunProgress,
    context: Arc<TaskContext>,
) -> Result<RunReport> {
    let staged = match &target.outcome {
        Outcome::Stage(staging) => return stage::stage(input, target, staging, progress, context).await,
        Outcome::AppendStaged(staging) => Some(stage::staged(staging)?),
        Outcome::Append | Outcome::ReplaceBuckets | Outcome::RemoveItems { .. } | Outcome::UpdateItems => None,
    };
    if let Some(ended) = staged.as_ref().and_then(|staged| staged.finished.clone()) {
        return Ok(ended.into_report());
    }
    let committer = Committer::new(target.warehouse.clone());
    if staged.is_none()
        && let Some(snapshot) = committer.find_run(&target.run).await?
    {
        return Err(WarehouseError::CommittedBefore { run: target.run.clone(), snapshot }.into());
    }
    let sink = find_operator::<WriteGeoParquetExec>(input);
    let tasks = tasks_of_job(sink, target)?;
    let replacement = match &target.outcome {
        Outcome::ReplaceBuckets => Some(Replacement::of_buckets_in(input, target.keeps_newest)?),
        Outcome::RemoveItems { objects } => {
            Some(Replacement::without_items(input, target.keeps_newest, objects.len())?)
        }
        Outcome::UpdateItems => Some(Replacement::with_values(input)?),
        _ => None,
    };
    let records = staged.as_ref().map_or_else(RunRecords::default, |staged| RunRecords::of_chunks(&staged.records));
    let lease = RunLease::begin(&target.warehouse, &target.run).await?;
    let mut run = Run { target, committer, lease, records, replacement, snapshots: vec![] };
    let mut partitions = Partitions::of(input, &context);
    let driven = run.drive(&mut partitions, progress).await;
    for record in partitions.stop().await {
        run.records.add(record, progress);
    }
    match (driven, staged) {
        (Ok(()), staged) => {
            // The lists of ids that the tasks left: the table has its own now.
            delete(&run.records.paths).await;
            let (mut report, lease) = run.report();
            report.uncounted = loses_chunks(sink.map_or(input, WriteGeoParquetExec::input));
            if let Some(staged) = staged {
                report = stage::finish(&staged, report).await?;
            }
            if let Some(tasks) = tasks {
                // What stays is of no run, and goes with the next clean-up.
                drop(tasks.clean().await);
            }
            // A lease that cannot be given up protects files that nothing threatens.
            drop(lease.release().await);
            Ok(report)
        }
        // The lease stays, and with it the files.
        (Err(e), _) if is_unknown_outcome(&e) => Err(e),
        // Checkpoints name the files, and the next start goes on from there.
        (Err(e), Some(staged)) => {
            drop(run.lease.release().await);
            stage::ended_elsewhere(&staged).await.ok_or(e)
        }
        (Err(e), None) => {
            delete(&run.records.paths).await;
            if let Some(tasks) = tasks {
                drop(take_back(&tasks, target).await);
            }
            drop(run.lease.release().await);
            Err(e)
        }
    }
}

/// The folder with the checkpoints of a job on a cluster; `None` where there are none, or the run can be resumed.
fn tasks_of_job(sink: Option<&WriteGeoParquetExec>, target: &CommitTarget) -> Result<Option<RunFolder>> {
    let of_job = sink.and_then(|sink| sink.target().checkpoints.as_ref()).is_some_and(|checkpoints| checkpoints.of_job);
    of_job.then(|| RunFolder::new(target.warehouse.url(), &target.run)).transpose()
}

/// Deletes what the tasks of a job have written, whose records never came.
async fn take_back(tasks: &RunFolder, target: &CommitTarget) -> Result<()> {
    let checkpoints = Checkpoints { folder: tasks.url().clone(), staged: false, of_job: true };
    let mut paths = HashSet::new();
    for task in tasks.done().await? {
        let Some(done) = Checkpoint::read(&checkpoints.of(&task)?).await? else { continue };
        for record in done.into_records(target.warehouse.url()) {
            match record {
                SinkRecord::Data(part) => _ = paths.insert(part.path),
                SinkRecord::Ids(ids) => _ = paths.insert(ids.path),
                SinkRecord::Chunk(chunk) => paths.extend(chunk.ingested.map(|file| file.path)),
            }
        }
    }
    delete(&paths).await;
    tasks.clean().await
}

struct Run<'a> {
    target: &'a CommitTarget,
    committer: Committer,
    /// Keeps a clean-up away from the files, from the first one to the commit.
    lease: RunLease,
    records: RunRecords,
    replacement: Option<Replacement>,
    snapshots: Vec<i64>,
}

impl Run<'_> {
    /// Runs the partitions of the sink, never more at once than the session wants.
    async fn drive(&mut self, partitions: &mut Partitions, progress: &RunProgress) -> Result<()> {
        progress.partitions.store(partitions.count() as u64, Ordering::Relaxed);
        while let Some((partition, records)) = partitions.next().await? {
            for record in records {
                self.records.add(record, progress);
            }
            progress.partitions_done.fetch_add(1, Ordering::Relaxed);
            check_rejects(self.target, &self.records, false)?;
            if let Some(replacement) = &mut self.replacement {
                replacement.finish_partition(partition);
                let enough = self.target.commit_every.is_some_and(|n| replacement.finished() >= n.get());
                if enough && replacement.follows_partitions() {
                    self.commit(progress).await?;
                }
            }
        }
        check_rejects(self.target, &self.records, true)?;
        if let Some(replacement) = &mut self.replacement {
            replacement.finish_all();
        }
        self.commit(progress).await
    }

    /// Commits the files that were recorded since the last commit.
    async fn commit(&mut self, progress: &RunProgress) -> Result<()> {
        progress.committing.store(true, Ordering::Relaxed);
        let committed = match self.lease.begin_commit().await {
            Ok(()) => self.commit_recorded().await,
            Err(lost) => Err(lost.into()),
        };
        if !committed.as_ref().is_err_and(is_unknown_outcome) {
            self.lease.end_commit();
        }
        progress.snapshots.store(self.snapshots.len() as u64, Ordering::Relaxed);
        progress.committing.store(false, Ordering::Relaxed);
        committed
    }

    async fn commit_recorded(&mut self) -> Result<()> {
        let add = std::mem::take(&mut self.records.parts);
        let ingested = std::mem::take(&mut self.records.ingested);
        let ids = std::mem::take(&mut self.records.ids);
        let written = add.iter().map(|part| &part.path).chain(ingested.iter().map(|file| &file.path));
        let written: HashSet<String> = written.cloned().collect();
        match self.replacement.take() {
            Some(mut replacement) => {
                let replaced = self.replace(&mut replacement, add).await;
                self.replacement = Some(replacement);
                replaced?;
            }
            None if add.is_empty() => return Ok(()),
            None => {
                // What was staged is listed by its chunks, as it was before.
                let is_listed = matches!(self.target.outcome, Outcome::Append) || self.target.keeps_newest;
                let ids = if is_listed { IdChange::Added(ids) } else { IdChange::Unknown };
                let mut summary = self.records.summary(&self.target.run);
                summary.extend(self.target.kind.iter().map(|kind| (KIND.to_owned(), kind.clone())));
                let resumable = matches!(self.target.outcome, Outcome::AppendStaged(_));
                let change = Change { add, ingested, ids, summary, resumable, ..Change::default() };
                let snapshot = match (self.committer.commit(change).await, &self.target.outcome) {
                    (Ok(committed), _) => committed.snapshot,
                    // By an earlier start that did not live to say so, or another process: with these same files.
                    (Err(WarehouseError::CommittedBefore { snapshot, .. }), Outcome::AppendStaged(_)) => snapshot,
                    (Err(e), _) => return Err(e.into()),
                };
                self.snapshots.push(snapshot);
            }
        }
        self.records.paths.retain(|path| !written.contains(path));
        Ok(())
    }

    /// Commits the finished buckets. One of which a file is gone, because another writer replaced it first, is left
    /// out: what was written for it is deleted, and the report names it. Not where Items are removed or updated, which
    /// would be left there as they are.
    async fn replace(&mut self, replacement: &mut Replacement, add: Vec<PartFile>) -> Result<()> {
        replacement.take_parts(add)?;
        let mut gone = match &self.target.outcome {
            Outcome::RemoveItems { objects } => Some(objects).filter(|objects| !objects.is_empty()),
            _ => None,
        };
        loop {
            let mut change = match (replacement.change()?, gone) {
                (Some(change), _) => change,
                // None of them had an Item of its own.
                (None, Some(_)) => Change::default(),
                (None, None) => return Ok(()),
            };
            change.ids = replacement.ids(&self.target.warehouse, &self.snapshots).await?;
            change.summary = self.records.summary(&self.run_of_next_snapshot());
            let items = [(REMOVED, replacement.removed()), (UPDATED, replacement.updated())];
            let items = items.into_iter().filter_map(|(name, items)| Some((name.to_owned(), items?.to_string())));
            change.summary.extend(items);
            if let Some(objects) = gone {
                let state = self.target.warehouse.load().await?;
                (change.forgotten, change.ingested) =
                    forget(&self.target.warehouse, &state, &self.target.run, objects).await?;
            }
            let record: Vec<String> = change.ingested.iter().map(|file| file.path.clone()).collect();
            self.records.paths.extend(record.iter().cloned());
            match self.committer.commit(change).await {
                Ok(Committed { snapshot, .. }) => {
                    self.snapshots.push(snapshot);
                    replacement.done();
                    record.iter().for_each(|path| _ = self.records.paths.remove(path));
                    gone = None;
                }
                Err(WarehouseError::Conflict { missing }) if !replacement.is_of_items() => {
                    let written = replacement.leave_out(&missing);
                    delete(&written).await;
                    written.iter().for_each(|path| _ = self.records.paths.remove(path));
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// A run has one snapshot, unless it commits in groups: then the later ones are numbered.
    fn run_of_next_snapshot(&self) -> String {
        match self.snapshots.len() {
            0 => self.target.run.clone(),
            n => format!("{}#{}", self.target.run, n + 1),
        }
    }

    fn report(self) -> (RunReport, RunLease) {
        let report = RunReport {
            snapshot: self.snapshots.last().copied(),
            replaced: self.replacement.map(|replacement| replacement.report(self.snapshots)),
            ..self.records.report(&self.target.run)
        };
        (report, self.lease)
    }
}

fn is_unknown_outcome(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::External(e) => matches!(e.downcast_ref(), Some(WarehouseError::UnknownOutcome { .. })),
        _ => false,
    }
}

/// Deletes files that will not be committed. What cannot be deleted is an orphan, which maintenance removes.
async fn delete(paths: &HashSet<String>) {
    let located = paths.iter().filter_map(|path| stores().locate(&Url::parse(path).ok()?).ok());
    // All are of one warehouse.
    let (of, paths): (Vec<_>, Vec<_>) = located.unzip();
    if let Some(store) = of.first() {
        drop(stores::delete(store, paths).await);
    }
}
