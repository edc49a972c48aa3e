//! What became of the chunk behind a partition, for the operator that writes it.

use std::sync::Arc;

use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::exec::StacExec;
use crate::chunk::ChunkOutcome;

/// The outcome of the chunk that `partition` of `plan` reads, once its stream has ended; handed over once.
///
/// `plan` is an operator above a [`StacExec`], with one input each and the same partitions all the way down.
/// `None` if it is not, or if the stream has not been read to its end: cut off by a LIMIT, dropped, or failed.
/// A chunk that was cut off has no outcome, because its counts would not add up.
pub fn chunk_outcome(plan: &Arc<dyn ExecutionPlan>, partition: usize) -> Option<ChunkOutcome> {
    let mut plan = plan;
    loop {
        if let Some(scan) = plan.as_any().downcast_ref::<StacExec>() {
            return scan.take_outcome(partition);
        }
        let [child] = plan.children()[..] else { return None };
        let same_partitions =
            child.output_partitioning().partition_count() == plan.output_partitioning().partition_count();
        if !same_partitions || plan.as_any().is::<RepartitionExec>() {
            return None;
        }
        plan = child;
    }
}
