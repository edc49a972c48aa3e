//! Finds operators in a plan.

use std::sync::Arc;

use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// The first operator of type `T`, from the root down.
pub(crate) fn find_operator<T: 'static>(plan: &Arc<dyn ExecutionPlan>) -> Option<&T> {
    let here = plan.as_any().downcast_ref::<T>();
    here.or_else(|| plan.children().into_iter().find_map(find_operator))
}

/// The leaf below `plan` whose partitions are those of `plan`: every operator above it has one input and keeps its
/// partitions as they are. `None` where there is none.
pub(crate) fn leaf_by_partition(plan: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    let mut plan = plan;
    loop {
        let input = match plan.children()[..] {
            [] => return Some(plan),
            [input] => input,
            _ => return None,
        };
        let partitions = |plan: &Arc<dyn ExecutionPlan>| plan.output_partitioning().partition_count();
        if partitions(plan) != partitions(input) || plan.as_any().is::<RepartitionExec>() {
            return None;
        }
        plan = input;
    }
}
