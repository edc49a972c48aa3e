//! [`ProbeItems`]: joins through which Items stream, chunk by chunk.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode, SortMergeJoinExec,
};

use super::outcome::reads_chunks;
use crate::find_operator::rows_of_right;

/// Has a join of a STAC table with anything else read that first, keep it in memory, and look the Items up in it. Each
/// chunk stays a partition: its Items are not kept, and what became of it is known.
///
/// Without this rule, DataFusion would collect or shuffle the Items: nothing tells it that they are the larger side.
///
/// Other joins stay as they are: of chunks with chunks, and those that also yield rows that no Item matches.
#[derive(Debug, Default)]
pub struct ProbeItems;

impl PhysicalOptimizerRule for ProbeItems {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        probe_items(plan)
    }

    fn name(&self) -> &str {
        "probe_items"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// `plan` as [`ProbeItems`] has it.
pub(crate) fn probe_items(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(probe).data()
}

fn probe(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let any = plan.as_any();
    let probed = if let Some(join) = any.downcast_ref::<HashJoinExec>() {
        probe_hash_join(join)?
    } else if let Some(join) = any.downcast_ref::<SortMergeJoinExec>() {
        let hash_join = HashJoinExec::try_new(
            Arc::clone(join.left()),
            Arc::clone(join.right()),
            join.on().to_vec(),
            join.filter().clone(),
            &join.join_type(),
            None,
            PartitionMode::CollectLeft,
            join.null_equality(),
            false,
        )?;
        probe_hash_join(&hash_join)?
    } else if let Some(join) = any.downcast_ref::<NestedLoopJoinExec>() {
        match items_are_left(join.left(), join.right(), *join.join_type()) {
            Some(true) => Some(join.swap_inputs()?),
            _ => None,
        }
    } else if let Some(join) = any.downcast_ref::<CrossJoinExec>() {
        match items_are_left(join.left(), join.right(), JoinType::Inner) {
            Some(true) => Some(join.swap_inputs()?),
            _ => None,
        }
    } else {
        None
    };
    Ok(probed.map_or_else(|| Transformed::no(plan), Transformed::yes))
}

fn probe_hash_join(join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    Ok(match items_are_left(join.left(), join.right(), *join.join_type()) {
        // NOT IN depends on its sides.
        _ if join.null_aware => None,
        Some(true) => Some(join.swap_inputs(PartitionMode::CollectLeft)?),
        Some(false) => Some(Arc::new(join.builder().with_partition_mode(PartitionMode::CollectLeft).build()?)),
        None => None,
    })
}

/// Whether the Items are on the left; `None` where the join cannot be one through which they stream.
fn items_are_left(left: &Arc<dyn ExecutionPlan>, right: &Arc<dyn ExecutionPlan>, join: JoinType) -> Option<bool> {
    match (reads_chunks(left), reads_chunks(right)) {
        (true, false) => rows_of_right(join.swap()).then_some(true),
        (false, true) => rows_of_right(join).then_some(false),
        _ => None,
    }
}
