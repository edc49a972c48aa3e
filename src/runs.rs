//! The runs of a warehouse that leave checkpoints: which there are, and how far they are.

use std::fmt;

use chrono::{DateTime, Utc};
use datafusion::common::DataFusionError;
pub use earthcatalog_plans::checkpoint::RunState;
use earthcatalog_plans::checkpoint::{CheckpointedRun, RunFolder, RunRecord};
use earthcatalog_plans::maintenance::{MaintenanceError, runs_at_work};
use earthcatalog_plans::table::{Warehouse, WarehouseError};
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
    Ok(Runs(CheckpointedRun::all(warehouse).await?.into_iter().map(Run::new).collect()))
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

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "no run of this warehouse has left checkpoints");
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
