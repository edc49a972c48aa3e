//! The STAC table provider: inventories, folders and files of Items as a table with one partition per chunk.

pub mod decode;

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

use crate::chunk::ChunkOutcome;

/// What became of the chunk that `partition` of `plan` has read to its end; `None` where no STAC scan is below.
pub fn chunk_outcome(_plan: &Arc<dyn ExecutionPlan>, _partition: usize) -> Option<ChunkOutcome> {
    None
}
