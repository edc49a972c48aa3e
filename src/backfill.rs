//! The driver of `sql/backfill.sql`, and its report.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::cluster::{self, Cluster};
use crate::dry_run::DryRun;
use crate::ingest::IngestOptions;
use crate::pipeline::{Pipeline, PipelineError, pipeline_session};
use crate::report::{Report, count};
use crate::run_statistics::{self, RunStatistics};

/// The pipeline.
pub const PIPELINE: Pipeline = Pipeline { name: "backfill.sql", text: include_str!("../sql/backfill.sql") };

/// What is backfilled, and how.
#[derive(Debug, Clone, Default)]
pub struct BackfillOptions {
    pub source: IngestOptions,
    /// Threads; with 1, chunk follows chunk.
    pub workers: usize,
    /// Bytes that sorts may take before they go to disk; 256 MB per thread where it is `None`.
    pub memory: Option<usize>,
    /// Whether what an earlier start of the same run has done is discarded.
    pub restart: bool,
    /// Folder or URL for `ingest_stats.json`; that of the catalog where it is `None`.
    pub report_location: Option<String>,
    /// Where chunks and buckets are worked on; in this process where it is `None`.
    pub cluster: Option<Arc<Cluster>>,
}

/// What a backfill did.
#[derive(Debug, Clone, Serialize)]
pub struct BackfillSummary {
    #[serde(flatten)]
    pub report: Report,
    /// When the run had ended, if an earlier start of it did; this one then did nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_before: Option<DateTime<Utc>>,
    pub chunks: u64,
    /// Chunks that an earlier start of the run had done.
    pub chunks_resumed: u64,
    /// Unfinished runs of the same inventory with which this one does not go on, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_resumed: Vec<String>,
    /// Rows of older versions of an Item that its run also read.
    pub versions_dropped: u64,
    /// Wall time of level 0, the ingest of chunks, and of levels 1 and 2, their merge and commit.
    pub seconds_ingest: f64,
    pub seconds_merge: f64,
}

/// Runs or resumes a backfill. Stopped by `interrupt`, or killed, it goes on from there when it is started again.
pub async fn run_backfill(
    options: &BackfillOptions,
    interrupt: impl Future<Output = ()>,
) -> Result<BackfillSummary, PipelineError> {
    let session = pipeline_session(options.workers, options.memory)?;
    options.cluster.iter().for_each(|cluster| cluster::attach(&session, cluster));
    let arguments = options.source.arguments().with("restart", options.restart);
    let reports = PIPELINE.run_each(&session, &arguments, interrupt).await?;
    let seconds = |level: usize| reports.get(level).map_or(0.0, |(_, took)| round(took.as_secs_f64()));
    let (seconds_ingest, seconds_merge) = (seconds(0), seconds(1));
    let staged = reports.first().map(|(report, _)| report.clone()).unwrap_or_default();
    let run = reports.into_iter().next_back().map(|(report, _)| report).unwrap_or_default();
    let summary = BackfillSummary {
        ended_before: run.ended_before,
        chunks: run.chunks,
        chunks_resumed: run.chunks_resumed,
        not_resumed: staged.not_resumed,
        versions_dropped: staged.rows - run.rows,
        seconds_ingest,
        seconds_merge,
        report: Report { run, seconds: seconds_ingest + seconds_merge },
    };
    if summary.ended_before.is_none() {
        let statistics = RunStatistics::of_backfill(&options.source, &summary);
        let location = options.report_location.as_deref();
        run_statistics::append(&statistics, location, &options.source.catalog).await?;
    }
    Ok(summary)
}

/// What [`run_backfill`] would stage, all of which it would then merge and commit; nothing is written.
pub async fn plan_backfill(
    options: &BackfillOptions,
    interrupt: impl Future<Output = ()>,
) -> Result<Option<DryRun>, PipelineError> {
    let session = pipeline_session(options.workers, options.memory)?;
    let arguments = options.source.arguments().with("restart", options.restart);
    Ok(PIPELINE.dry_run(&session, &arguments, interrupt).await?.into_iter().next())
}

impl fmt::Display for BackfillSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ended) = self.ended_before {
            let (run, ended) = (&self.report.run, ended.format("%Y-%m-%d %H:%M:%S UTC"));
            writeln!(f, "nothing to do: this run ended at {ended}; begin it from the start with --restart")?;
            writeln!(f, "{:<12}{} committed of {} listed", "Items", count(run.items), count(run.listed))?;
            writeln!(f, "{:<12}{}", "snapshot", run.snapshot.map_or("none".to_owned(), |id| id.to_string()))?;
            return write!(f, "{:<12}{}", "run", run.run);
        }
        for other in &self.not_resumed {
            writeln!(f, "{:<12}{other}; its checkpoints are of other options, and not used", "beside it")?;
        }
        let resumed = match self.chunks_resumed {
            0 => String::new(),
            n => format!(", {} of them done before", count(n)),
        };
        writeln!(f, "{:<12}{}{resumed}", "chunks", count(self.chunks))?;
        writeln!(f, "{:<12}ingest {:.1} s, merge {:.1} s", "levels", self.seconds_ingest, self.seconds_merge)?;
        if self.versions_dropped > 0 {
            writeln!(f, "{:<12}{} rows of older versions dropped", "versions", count(self.versions_dropped))?;
        }
        self.report.fmt(f)
    }
}

fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
