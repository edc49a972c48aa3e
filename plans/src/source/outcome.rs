//! What became of the chunk behind a partition, for the operator that writes it.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

use super::exec::StacExec;
use crate::model::chunk::ChunkOutcome;
use crate::runtime::leaf_by_partition;

/// The outcome of the chunk that `partition` of `plan` reads, once its stream has ended; handed over once.
///
/// `plan` is an operator above a [`StacExec`], with one input each and the same partitions all the way down.
/// `None` if it is not, or if the stream has not been read to its end: cut off by a LIMIT, dropped, or failed.
/// A chunk that was cut off has no outcome, because its counts would not add up.
pub fn chunk_outcome(plan: &Arc<dyn ExecutionPlan>, partition: usize) -> Option<ChunkOutcome> {
    source(plan)?.take_outcome(partition)
}

/// Whether each partition of `plan` reads one chunk, of which [`chunk_outcome`] can tell.
pub fn reads_chunks(plan: &Arc<dyn ExecutionPlan>) -> bool {
    source(plan).is_some_and(StacExec::reads_chunks)
}

/// Whether `plan` reads chunks of which nobody can tell what became: it shuffles their Items, or cuts them off.
pub(crate) fn loses_chunks(plan: &Arc<dyn ExecutionPlan>) -> bool {
    StacExec::find(plan).is_some() && !reads_chunks(plan)
}

fn source(plan: &Arc<dyn ExecutionPlan>) -> Option<&StacExec> {
    leaf_by_partition(plan)?.downcast_ref()
}
