//! How far the runs of a warehouse are that leave checkpoints.

use datafusion::common::Result;
use serde::Serialize;

use super::folder::{RunFolder, RunRecord};
use crate::maintenance::runs_heard_of;
use crate::table::Warehouse;

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

impl RunState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A run that left checkpoints.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointedRun {
    pub record: RunRecord,
    pub state: RunState,
    pub chunks_done: u64,
}

impl CheckpointedRun {
    /// Those of a warehouse, oldest first.
    pub async fn all(warehouse: &Warehouse) -> Result<Vec<Self>> {
        let at_work = runs_heard_of(warehouse).await?;
        let mut runs = vec![];
        for record in RunFolder::runs(warehouse.url()).await? {
            let state = match &record.finished {
                Some(_) => RunState::Finished,
                None if at_work.contains(&record.commit()) => RunState::Running,
                None => RunState::Interrupted,
            };
            let chunks_done = match state {
                RunState::Finished => record.chunks,
                _ => {
                    let done = RunFolder::new(warehouse.url(), &record.run)?.done().await?;
                    done.iter().filter(|task| task.starts_with("chunk-")).count() as u64
                }
            };
            runs.push(Self { record, state, chunks_done });
        }
        Ok(runs)
    }
}
