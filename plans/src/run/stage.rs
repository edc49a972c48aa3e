//! Runs that can be resumed: their chunks are staged first, and what they come to is committed at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::Utc;
use datafusion::common::{DataFusionError, Result, exec_err, internal_err, plan_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use url::Url;

use super::check_rejects::check_rejects;
use super::commit_node::{CommitTarget, Outcome};
use super::drive::Partitions;
use crate::checkpoint::{Checkpoints, Finished, Identity, RunFolder, RunProgress, RunRecord, RunRecords, RunReport};
use crate::maintenance::{RunLease, runs_at_work};
use crate::model::part_file::{PartFile, SinkRecord};
use crate::scan::bucket_files::BucketScanExec;
use crate::scan::{StagedRun, Staging};
use crate::sink::WriteGeoParquetExec;
use crate::source::probe_items;
use crate::table::LiveFile;
use crate::table::location::to_location;

/// The sink and the target of a run that can be resumed: the run is named by what it does, and the sink leaves
/// checkpoints. Those of another run as they are.
pub(super) async fn resumable(
    sink: &Arc<dyn ExecutionPlan>,
    target: &Arc<CommitTarget>,
) -> Result<(Arc<dyn ExecutionPlan>, Arc<CommitTarget>)> {
    let Some(write) = sink.downcast_ref::<WriteGeoParquetExec>() else {
        // The records of a test, or of a plan that was run elsewhere.
        return Ok((Arc::clone(sink), Arc::clone(target)));
    };
    let (target, folder, staged) = match &target.outcome {
        Outcome::Append | Outcome::ReplaceBuckets | Outcome::RemoveItems { .. } | Outcome::UpdateItems => {
            return Ok((Arc::clone(sink), Arc::clone(target)));
        }
        Outcome::Stage(_) => {
            let table = target.warehouse.load().await?.metadata.uuid();
            // As it will be: optimizer rules come later.
            let query = probe_items(Arc::clone(write.input()))?;
            let identity = Identity::of(&query, &target.warehouse, &table.to_string())?;
            let run = identity.run();
            let folder = RunFolder::new(target.warehouse.url(), &run)?;
            (CommitTarget { run, identity: Some(identity), ..target.as_ref().clone() }, folder, true)
        }
        Outcome::AppendStaged(staging) => {
            // Before anything is staged, there is a plan to look at, and nothing to run.
            let Some(staged) = staging.run() else { return Ok((Arc::clone(sink), Arc::clone(target))) };
            let run = staged.commit.clone();
            (CommitTarget { run, ..target.as_ref().clone() }, staged.folder.clone(), false)
        }
    };
    let checkpoints = Checkpoints { folder: folder.url().clone(), staged, of_job: false };
    let write = write.with_checkpoints(&target.run, checkpoints).with_task_of(BucketScanExec::task);
    Ok((Arc::new(write), Arc::new(target)))
}

/// Ingests the chunks of a run that have no checkpoint yet. Their files are kept for the commit, whatever happens.
pub(super) async fn stage(
    sink: &Arc<dyn ExecutionPlan>,
    target: &CommitTarget,
    staging: &Staging,
    progress: &RunProgress,
    context: Arc<TaskContext>,
) -> Result<RunReport> {
    let Some(identity) = &target.identity else { return internal_err!("a run without an identity cannot be resumed") };
    let folder = RunFolder::new(target.warehouse.url(), &target.run)?;
    if staging.restart() {
        if let Some(earlier) = folder.read().await?
            && runs_at_work(&target.warehouse).await?.contains(&earlier.commit())
        {
            let run = earlier.run;
            return exec_err!(
                "run {run} is at work in another process; end that one before the run begins from the start"
            );
        }
        folder.discard().await?;
    }
    let record = folder.begin(RunRecord::new(identity)).await?;
    let mut stage = Stage { staging, record, folder, records: RunRecords::default(), files: vec![] };
    if stage.record.finished.is_none() {
        let lease = RunLease::begin(&target.warehouse, &stage.record.commit()).await?;
        let mut partitions = Partitions::of(sink, &context);
        let driven = stage.drive(&mut partitions, target, progress).await;
        // What has ended has a checkpoint.
        drop(partitions.stop().await);
        // A lease that cannot be given up protects files that nothing threatens.
        drop(lease.release().await);
        if let Err(e) = driven {
            // Another process may have ended the run, and removed what this one wanted to read.
            stage.record = stage.folder.read().await?.unwrap_or(stage.record);
            if stage.record.finished.is_none() {
                return Err(e);
            }
        }
    }
    stage.end().await
}

struct Stage<'a> {
    staging: &'a Staging,
    record: RunRecord,
    folder: RunFolder,
    records: RunRecords,
    files: Vec<LiveFile>,
}

impl Stage<'_> {
    async fn drive(
        &mut self,
        partitions: &mut Partitions,
        target: &CommitTarget,
        progress: &RunProgress,
    ) -> Result<()> {
        progress.partitions.store(partitions.count() as u64, Ordering::Relaxed);
        while let Some((partition, records)) = partitions.next().await? {
            if !records.iter().any(|record| matches!(record, SinkRecord::Chunk(_))) {
                return exec_err!(
                    "chunk {partition} was not read to its end, and so cannot be staged: leave out the LIMIT, or set option 'limit' of the source"
                );
            }
            for record in records {
                self.records.add(record, progress);
            }
            for part in std::mem::take(&mut self.records.parts) {
                self.files.push(staged_file(part)?);
            }
            self.records.paths.clear();
            progress.partitions_done.fetch_add(1, Ordering::Relaxed);
            check_rejects(target, &self.records, false)?;
        }
        // A cluster hands over the records of all chunks at once.
        let (read, of) = (self.records.chunks(), target.identity.as_ref().map_or(0, |identity| identity.chunks));
        if read != of {
            return exec_err!("{read} of {of} chunks were read; start the run again");
        }
        check_rejects(target, &self.records, true)
    }

    /// The report of what is staged, or of the run if that has ended.
    async fn end(self) -> Result<RunReport> {
        let Self { staging, record, folder, records, files } = self;
        let (run, commit) = (record.run.clone(), record.commit());
        let mut report = match &record.finished {
            Some(finished) => {
                // What a process left behind that was stopped right after its commit, or that was too late.
                folder.clean().await?;
                finished.clone().into_report()
            }
            None => records.report(&run),
        };
        report.not_resumed = not_resumed(staging, &record).await?;
        let finished = record.finished;
        staging.set_run(StagedRun { run, commit, folder, finished, files, records });
        Ok(report)
    }
}

/// How unfinished runs of the same inventory differ from this one.
async fn not_resumed(staging: &Staging, record: &RunRecord) -> Result<Vec<String>> {
    let others = RunFolder::runs(staging.warehouse().url()).await?;
    let others = others.iter().filter(|other| other.finished.is_none() && record.is_same_inventory(other));
    let describe = |other: &RunRecord| {
        let differences = record.differences(other);
        let how = if differences.is_empty() { "another query".to_owned() } else { differences.join(", ") };
        format!("{} ({how})", other.run)
    };
    Ok(others.map(describe).collect())
}

fn staged_file(part: PartFile) -> Result<LiveFile> {
    let url = Url::parse(&part.path).map_err(|e| DataFusionError::External(Box::new(e)))?;
    let PartFile { cell, year, rows, bytes, .. } = part;
    Ok(LiveFile { location: to_location(&url)?, rows, bytes, cell: Some(cell), year, sequence: 0, file_sequence: None })
}

/// What [`Outcome::AppendStaged`] commits; errors where nothing is staged.
pub(super) fn staged(staging: &Staging) -> Result<Arc<StagedRun>> {
    match staging.run() {
        Some(run) => Ok(run),
        None => plan_err!("nothing is staged yet: INSERT INTO the table STORED AS CHECKPOINTS first"),
    }
}

/// Ends a run whose commit is known: a start of it does nothing any more, and what was staged goes. The run's report.
pub(super) async fn finish(staged: &StagedRun, report: RunReport) -> Result<RunReport> {
    let report = RunReport { run: staged.run.clone(), ..report };
    staged.folder.keep_rejects(&staged.records.rejects).await?;
    staged.folder.finish(Finished { at: Utc::now(), report: report.clone() }).await?;
    Ok(report)
}

/// How a run ended that another process brought to its end; `None` where it has not ended.
pub(super) async fn ended_elsewhere(staged: &StagedRun) -> Option<RunReport> {
    let record = staged.folder.read().await.ok()??;
    record.finished.map(Finished::into_report)
}
