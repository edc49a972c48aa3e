//! The runs of a warehouse that leave checkpoints: which there are, and how far they are.

use std::fmt;

use chrono::{DateTime, Utc};
use datafusion::common::DataFusionError;
use earthcatalog_plans::checkpoint::{RunFolder, RunRecord};
use earthcatalog_plans::maintenance::{MaintenanceError, runs_at_work};
use earthcatalog_plans::warehouse::{Warehouse, WarehouseError};
use serde::Serialize;
use thiserror::Error;

use crate::report::count;

/// Why runs could not be listed, or discarded.
#[derive(Debug, Error)]
pub enum RunsError {
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    #[error(transparent)]
    Maintenance(#[from] MaintenanceError),
    #[error("{}", crate::script::reason(.0))]
    Checkpoints(#[from] DataFusionError),
    #[error("there is no run {run} in {warehouse}; `earthcatalog runs` lists those there are")]
    NoRun { run: String, warehouse: String },
    #[error("run {run} is at work; end its process before its checkpoints are discarded")]
    AtWork { run: String },
}

/// How a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Committed.
    Finished,
    /// A process works on it.
    Running,
    /// No process works on it; the same command goes on with it.
    Interrupted,
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

/// Opens a warehouse.
pub async fn open(catalog: &str, warehouse: &str) -> Result<Warehouse, RunsError> {
    let opened = Warehouse::open(catalog).await?;
    opened.check_location(warehouse)?;
    Ok(opened)
}

/// The runs that left checkpoints.
pub async fn runs(warehouse: &Warehouse) -> Result<Runs, RunsError> {
    let at_work = runs_at_work(warehouse).await?;
    let mut runs = vec![];
    for record in RunFolder::runs(warehouse.url()).await? {
        let done = match &record.finished {
            Some(_) => record.chunks,
            None => {
                let done = RunFolder::new(warehouse.url(), &record.run)?.done().await?;
                done.iter().filter(|task| task.starts_with("chunk-")).count() as u64
            }
        };
        runs.push(Run::new(record, done, &at_work));
    }
    Ok(Runs(runs))
}

/// Removes the checkpoints of a run. An error while a process works on it.
pub async fn discard(warehouse: &Warehouse, run: &str) -> Result<(), RunsError> {
    let folder = RunFolder::new(warehouse.url(), run)?;
    let Some(record) = folder.read().await? else {
        return Err(RunsError::NoRun { run: run.to_owned(), warehouse: warehouse.url().to_string() });
    };
    if runs_at_work(warehouse).await?.contains(&record.commit()) {
        return Err(RunsError::AtWork { run: run.to_owned() });
    }
    Ok(folder.discard().await?)
}

impl Run {
    fn new(record: RunRecord, chunks_done: u64, at_work: &[String]) -> Self {
        let state = match &record.finished {
            Some(_) => RunState::Finished,
            None if at_work.contains(&record.commit()) => RunState::Running,
            None => RunState::Interrupted,
        };
        let finished = record.finished.as_ref();
        Self {
            state,
            ended: finished.map(|finished| finished.at),
            snapshot: finished.and_then(|finished| finished.report.snapshot),
            items: finished.map(|finished| finished.report.items),
            run: record.run,
            inventory: record.inventory,
            started: record.started,
            chunks: record.chunks,
            chunks_done,
        }
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "no run of this warehouse has left checkpoints");
        }
        write!(f, "{:<26}{:<13}{:<21}{:>15}  inventory", "run", "state", "started", "chunks")?;
        for run in &self.0 {
            let state = match run.state {
                RunState::Finished => "finished",
                RunState::Running => "running",
                RunState::Interrupted => "interrupted",
            };
            let chunks = format!("{}/{}", count(run.chunks_done), count(run.chunks));
            let started = run.started.format("%Y-%m-%d %H:%M:%S");
            write!(f, "\n{:<26}{state:<13}{started:<21}{chunks:>15}  {}", run.run, run.inventory)?;
        }
        Ok(())
    }
}
