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
use crate::runtime::rows_of_right;

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
    let any = plan.as_ref();
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

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// A session with a source of three chunks, and a table to join.
    async fn session(folder: &tempfile::TempDir) -> SessionContext {
        let context = crate::session::session(2).unwrap();
        std::fs::write(folder.path().join("i.csv"), "bucket,key\n,a.json\n,b.json\n,c.json\n").unwrap();
        let f = folder.path().display();
        for sql in [
            &format!(
                "CREATE EXTERNAL TABLE source (p VARCHAR, n INT) STORED AS STAC LOCATION '{f}/i.csv' OPTIONS ('chunk_size' '1')"
            ),
            "CREATE TABLE other AS SELECT arrow_cast('x', 'Utf8View') AS p, CAST(1 AS INT) AS n",
        ] {
            context.sql(sql).await.unwrap().collect().await.unwrap();
        }
        context
    }

    #[tokio::test]
    async fn items_stream_past_the_rows_of_the_other_table() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&folder).await;
        for (from, operator) in [
            ("source s JOIN other o USING (p)", "HashJoinExec: mode=CollectLeft, join_type=Inner"),
            ("other o JOIN source s USING (p)", "HashJoinExec: mode=CollectLeft, join_type=Inner"),
            ("source s LEFT JOIN other o ON s.p = o.p", "HashJoinExec: mode=CollectLeft, join_type=Right"),
            ("source s WHERE p IN (SELECT p FROM other)", "HashJoinExec: mode=CollectLeft, join_type=RightSemi"),
            (
                "source s WHERE NOT EXISTS (SELECT * FROM other o WHERE o.p = s.p)",
                "HashJoinExec: mode=CollectLeft, join_type=RightAnti",
            ),
            ("source s JOIN other o ON s.n < o.n", "NestedLoopJoinExec: join_type=Inner"),
            ("source s CROSS JOIN other o", "CrossJoinExec"),
        ] {
            for prefer_hash_join in [true, false] {
                let set = format!("SET datafusion.optimizer.prefer_hash_join = {prefer_hash_join}");
                context.sql(&set).await.unwrap().collect().await.unwrap();
                let plan = context.sql(&format!("SELECT s.id FROM {from}")).await.unwrap();
                let plan = plan.create_physical_plan().await.unwrap();
                let text = displayable(plan.as_ref()).indent(false).to_string();
                assert!(text.contains(operator), "{from}: {text}");
                assert!(reads_chunks(&plan), "{from}: {text}");
            }
        }
    }

    #[tokio::test]
    async fn joins_that_yield_rows_of_the_other_table_alone_or_join_chunks_with_chunks_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&folder).await;
        for from in [
            "source s RIGHT JOIN other o ON s.p = o.p",
            "source s FULL JOIN other o ON s.p = o.p",
            "source s JOIN source t ON s.p = t.p",
            "source s WHERE p NOT IN (SELECT p FROM other)",
        ] {
            let plan = context.sql(&format!("SELECT s.id FROM {from}")).await.unwrap();
            let plan = plan.create_physical_plan().await.unwrap();
            assert!(!reads_chunks(&plan), "{from}: {}", displayable(plan.as_ref()).indent(false));
        }
    }
}
