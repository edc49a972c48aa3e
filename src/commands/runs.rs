//! `earthcatalog runs`: the runs of a warehouse that have left checkpoints, and how far they are.

use std::fmt;
use std::io::Write;

use chrono::{DateTime, Utc};
use clap::Args;
use earthcatalog_plans::checkpoint::{CheckpointedRun, RunFolder, RunRecord, RunState};
use earthcatalog_plans::maintenance::runs_at_work;
use earthcatalog_plans::table::Warehouse;
use serde::Serialize;

use super::{CommandError, open};
use crate::arguments::{ReportFormat, WarehouseArgs};
use crate::report::count;

/// Flags of `runs`.
#[derive(Debug, Clone, Args)]
pub struct RunsArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Remove the checkpoints of this run, so that it starts from the beginning
    #[arg(long, value_name = "RUN")]
    pub discard: Option<String>,
    /// Format of the list
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// A run, and how far it is.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub run: String,
    pub state: RunState,
    pub inventory: String,
    pub started: DateTime<Utc>,
    pub ended: Option<DateTime<Utc>>,
    pub snapshot: Option<i64>,
    pub chunks: u64,
    pub chunks_done: u64,
    /// Committed.
    pub items: Option<u64>,
}

/// The runs of a warehouse, oldest first.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Runs(pub Vec<Run>);

pub async fn run(args: &RunsArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let warehouse = open(&args.at).await?;
    if let Some(run) = &args.discard {
        let discarded = discard(&warehouse, run).await?;
        return Ok(args.output.write(&discarded, out)?);
    }
    Ok(args.output.write(&runs(&warehouse).await?, out)?)
}

/// The runs that left checkpoints.
async fn runs(warehouse: &Warehouse) -> Result<Runs, CommandError> {
    Ok(Runs(CheckpointedRun::all(warehouse).await?.into_iter().map(Run::new).collect()))
}

/// A run whose checkpoints are gone.
#[derive(Debug, Clone, Serialize)]
pub struct Discarded {
    pub discarded: String,
    /// The snapshot that it committed, which stays.
    pub snapshot: Option<i64>,
}

/// Removes the checkpoints of a run. An error while a process works on it.
async fn discard(warehouse: &Warehouse, run: &str) -> Result<Discarded, CommandError> {
    let folder = RunFolder::new(warehouse.url(), run)?;
    let Some(record) = folder.read().await? else {
        return Err(CommandError::NoRun { run: run.to_owned(), warehouse: warehouse.url().to_string() });
    };
    if runs_at_work(warehouse).await?.contains(&record.commit()) {
        return Err(CommandError::AtWork { run: run.to_owned() });
    }
    folder.discard().await?;
    let snapshot = record.finished.and_then(|finished| finished.report.snapshot);
    Ok(Discarded { discarded: run.to_owned(), snapshot })
}

impl Run {
    fn new(CheckpointedRun { record, state, chunks_done }: CheckpointedRun) -> Self {
        let RunRecord { run, inventory, chunks, started, finished, .. } = record;
        let finished = finished.as_ref();
        Self {
            state,
            ended: finished.map(|finished| finished.at),
            snapshot: finished.and_then(|finished| finished.report.snapshot),
            items: finished.map(|finished| finished.report.items),
            run,
            inventory,
            started,
            chunks,
            chunks_done,
        }
    }
}

impl fmt::Display for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "discarded {}: ", self.discarded)?;
        match self.snapshot {
            Some(snapshot) => write!(f, "snapshot {snapshot} and its rejects stay; the run begins from the start"),
            None => write!(f, "the run begins from the start"),
        }
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "this warehouse has no runs with checkpoints");
        }
        write!(f, "{:<26}{:<13}{:<21}{:>15}  inventory", "run", "state", "started", "chunks")?;
        for run in &self.0 {
            let state = run.state.name();
            let chunks = format!("{}/{}", count(run.chunks_done), count(run.chunks));
            let started = run.started.format("%Y-%m-%d %H:%M:%S");
            write!(f, "\n{:<26}{state:<13}{started:<21}{chunks:>15}  {}", run.run, run.inventory)?;
        }
        Ok(())
    }
}
