//! Finds operators in a plan.

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::partition_numbers;

/// The first operator of type `T`, from the root down.
pub fn find_operator<T: ExecutionPlan>(plan: &Arc<dyn ExecutionPlan>) -> Option<&T> {
    find_operator_where(plan, |_| true)
}

/// The first operator of type `T` that is meant, from the root down.
pub(crate) fn find_operator_where<T: ExecutionPlan>(
    plan: &Arc<dyn ExecutionPlan>,
    is_meant: impl Fn(&T) -> bool + Copy,
) -> Option<&T> {
    let here = plan.downcast_ref::<T>().filter(|operator| is_meant(operator));
    here.or_else(|| plan.children().into_iter().find_map(|input| find_operator_where(input, is_meant)))
}

/// The leaf below `plan` whose partitions are those of `plan`: every operator above it keeps its partitions as they are,
/// and has no other input but what a join collects. `None` where there is none.
pub(crate) fn leaf_by_partition(plan: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    let mut plan = plan;
    loop {
        let input = match partition_numbers::inputs(plan)[..] {
            [] => return Some(plan),
            [input] => input,
            [_, right] if streams_right(plan) => right,
            _ => return None,
        };
        let partitions = |plan: &Arc<dyn ExecutionPlan>| plan.output_partitioning().partition_count();
        if partitions(plan) != partitions(input) || plan.is::<RepartitionExec>() {
            return None;
        }
        plan = input;
    }
}

/// Whether a join collects its left input, and each row that it yields is of the same partition of the right one.
fn streams_right(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let any = plan.as_ref();
    if let Some(join) = any.downcast_ref::<HashJoinExec>() {
        return *join.partition_mode() == PartitionMode::CollectLeft && rows_of_right(*join.join_type());
    }
    let nested = any.downcast_ref::<NestedLoopJoinExec>();
    nested.is_some_and(|join| rows_of_right(*join.join_type())) || any.is::<CrossJoinExec>()
}

/// Whether each row of a join is one of its right input, with something of the left one or without.
pub(crate) fn rows_of_right(join: JoinType) -> bool {
    use JoinType::{Inner, Right, RightAnti, RightMark, RightSemi};
    matches!(join, Inner | Right | RightSemi | RightAnti | RightMark)
}
