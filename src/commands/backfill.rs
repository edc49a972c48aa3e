//! `earthcatalog backfill`: runs `sql/backfill.sql`.

use std::fmt;
use std::io::Write;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use datafusion::prelude::SessionContext;
use serde::Serialize;

use super::CommandError;
use crate::arguments::{ArgumentError, ClusterArgs, ReportFormat, ResourceArgs, SourceArgs, check_location};
use crate::dry_run::DryRun;
use crate::pipeline::{BACKFILL, PipelineError, pipeline_session};
use crate::report::{Report, count, millis};
use crate::run_statistics::{self, RunStatistics};
use crate::script::Arguments;
use crate::signals::interrupt;

/// Flags of `backfill`.
#[derive(Debug, Clone, Default, Args)]
pub struct BackfillArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Say what the command would do, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where chunks are ingested [default: local, or ballista with --cluster]
    #[arg(long, value_enum)]
    pub scheduler: Option<Scheduler>,
    #[arg(long)]
    pub restart: bool,
    /// Folder or URL of ingest_stats.json, to which each run adds a line [default: the catalog's folder; with a REST catalog, the warehouse]
    #[arg(long, value_name = "DIR|URL")]
    pub report_location: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// Where the chunks of a backfill are ingested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scheduler {
    /// In this process, one chunk after the other
    Synchronous,
    /// In this process, as many chunks at a time as there are threads
    Local,
    /// On the cluster that --cluster names
    Ballista,
}

impl BackfillArgs {
    /// How many chunks are ingested at a time in this process.
    pub fn workers(&self) -> usize {
        if self.scheduler == Some(Scheduler::Synchronous) { 1 } else { self.resources.workers() }
    }

    /// The cluster, as far as `--scheduler` agrees.
    fn cluster(&self) -> Result<&ClusterArgs, ArgumentError> {
        match (self.scheduler, &self.cluster.cluster) {
            (Some(Scheduler::Ballista), None) => Err(ArgumentError::NoCluster),
            (Some(Scheduler::Local), Some(_)) => Err(ArgumentError::NotOnCluster("local")),
            (Some(Scheduler::Synchronous), Some(_)) => Err(ArgumentError::NotOnCluster("synchronous")),
            _ => Ok(&self.cluster),
        }
    }

    fn arguments(&self) -> Arguments {
        self.source.arguments().with("restart", self.restart)
    }
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

pub async fn run(args: &BackfillArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let cluster = args.cluster()?;
    args.source.check_without_last()?;
    if let Some(location) = &args.report_location {
        check_location("report-location", location)?;
    }
    let session = pipeline_session(args.workers(), args.resources.memory)?;
    cluster.attach_unless(args.dry_run, &session).await?;
    if args.dry_run {
        let would = plan(&session, args, interrupt()).await.map_err(|e| CommandError::pipeline(e, BACKFILL))?;
        return Ok(would.map_or(Ok(()), |would| args.output.write(&would, out))?);
    }
    let summary = backfill(&session, args, interrupt()).await.map_err(|e| match e {
        PipelineError::Interrupted(_) => CommandError::Paused,
        e => CommandError::pipeline(e, BACKFILL),
    })?;
    Ok(args.output.write(&summary, out)?)
}

/// Runs or resumes a backfill. Stopped by `interrupt`, or killed, it goes on from there when it is started again.
pub async fn backfill(
    session: &SessionContext,
    args: &BackfillArgs,
    interrupt: impl Future<Output = ()>,
) -> Result<BackfillSummary, PipelineError> {
    let reports = BACKFILL.run_each(session, &args.arguments(), interrupt).await?;
    let seconds = |level: usize| reports.get(level).map_or(0.0, |(_, took)| millis(took.as_secs_f64()));
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
        let seconds = [("ingest", seconds_ingest), ("merge", seconds_merge)];
        let statistics = RunStatistics::new("backfill", &args.source.inventory, &summary.report, seconds);
        run_statistics::append(&statistics, args.report_location.as_deref(), &args.source.at.catalog).await?;
    }
    Ok(summary)
}

/// What [`backfill`] would stage, all of which it would then merge and commit; nothing is written.
async fn plan(
    session: &SessionContext,
    args: &BackfillArgs,
    interrupt: impl Future<Output = ()>,
) -> Result<Option<DryRun>, PipelineError> {
    Ok(BACKFILL.dry_run(session, &args.arguments(), interrupt).await?.into_iter().next())
}

impl fmt::Display for BackfillSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ended) = self.ended_before {
            let (run, ended) = (&self.report.run, ended.format("%Y-%m-%d %H:%M:%S UTC"));
            writeln!(f, "nothing to do: this run ended at {ended}; --restart begins it from the start")?;
            writeln!(f, "{:<12}{} committed of {} listed", "Items", count(run.items), count(run.listed))?;
            writeln!(f, "{:<12}{}", "snapshot", run.snapshot.map_or("none".to_owned(), |id| id.to_string()))?;
            return write!(f, "{:<12}{}", "run", run.run);
        }
        for other in &self.not_resumed {
            writeln!(f, "{:<12}{other}; its checkpoints were made with other options and are not used", "beside it")?;
        }
        let resumed = match self.chunks_resumed {
            0 => String::new(),
            n => format!(", {} of them were done before", count(n)),
        };
        writeln!(f, "{:<12}{}{resumed}", "chunks", count(self.chunks))?;
        writeln!(f, "{:<12}ingest {:.1} s, merge {:.1} s", "levels", self.seconds_ingest, self.seconds_merge)?;
        if self.versions_dropped > 0 {
            writeln!(f, "{:<12}{} rows of older versions were dropped", "versions", count(self.versions_dropped))?;
        }
        self.report.fmt(f)
    }
}
