//! Lets what sorts whole Items more than once, as table `items` does, keep to a limit of memory.
//!
//! DataFusion 53 counted, and kept, more than it needed to: of the texts of small batches that a repartition or filter joins,
//! each may come with a megabyte of room; a batch of sorted texts refers to those of all batches that were sorted; and a
//! window holds on to all texts that went through it.
//!
//! Tried on DataFusion 55.2 without this module: the query of the test keeps to its limit all the same; a group-by over 24,000
//! versions of ITS_LIVE-like Items under `--memory 96MB` does not, and does with it. It may go when that does.
//!
//! - [`compact_views`]: batches that hold on to their own texts only.
//! - [`row_number`]: `row_number()` that holds on to nothing.

pub mod compact_views;
pub mod row_number;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

pub use compact_views::CompactViewsExec;
pub use row_number::RowNumberExec;

/// The same plan, with a [`CompactViewsExec`] below and above each sort and a [`RowNumberExec`] in place of each window that
/// is one.
pub fn bounded(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let better = |plan: Arc<dyn ExecutionPlan>| {
        if let Some(sort) = plan.downcast_ref::<SortExec>() {
            let input = Arc::new(CompactViewsExec::new(Arc::clone(sort.input())));
            let sort = replace_children_if_necessary(plan, vec![input])?;
            return Ok(Transformed::yes(Arc::new(CompactViewsExec::new(sort)) as _));
        }
        Ok(match RowNumberExec::in_place_of(&plan) {
            Some(row_number) => Transformed::yes(Arc::new(row_number) as _),
            None => Transformed::no(plan),
        })
    };
    Ok(plan.transform_up(better)?.data)
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::SessionContext;
    use futures::TryStreamExt;

    use super::*;

    const NEWEST: &str = "SELECT id, wide, rank FROM (
        SELECT *, row_number() OVER (PARTITION BY id ORDER BY wide DESC) AS rank FROM (
            SELECT *, row_number() OVER (PARTITION BY id, part ORDER BY wide) AS of_part FROM (
                SELECT CASE WHEN value % 5 = 0 THEN NULL ELSE value % 11003 END AS id, value % 3 AS part,
                       arrow_cast(repeat(CAST(value AS VARCHAR), 400), 'Utf8View') AS wide
                FROM generate_series(1, 24000))
        ) WHERE of_part < 3) WHERE rank < 3 ORDER BY id, wide";

    async fn rows(session: &SessionContext, is_bounded: bool) -> Result<Vec<String>> {
        let frame = session.sql(NEWEST).await?;
        let context = Arc::new(frame.task_ctx());
        let mut plan = frame.create_physical_plan().await?;
        if is_bounded {
            plan = bounded(plan)?;
            let text = displayable(plan.as_ref()).indent(false).to_string();
            assert!(text.contains("RowNumberExec") && !text.contains("BoundedWindowAggExec"), "{text}");
        }
        let batches: Vec<_> = datafusion::physical_plan::execute_stream(plan, context)?.try_collect().await?;
        let text = arrow::util::pretty::pretty_format_batches(&batches)?.to_string();
        Ok(text.lines().map(|line| line.replace([' ', '-'], "")).collect())
    }

    #[tokio::test]
    async fn answers_are_the_same_and_a_limit_is_kept() {
        let limited = crate::session::session_within(2, Some(32 << 20)).unwrap();
        let batches = limited.copied_config().with_batch_size(512);
        *limited.state_ref().write().config_mut() = batches;
        let unlimited = crate::session::session(2).unwrap();
        let expected = rows(&unlimited, false).await.unwrap();
        assert!(expected.len() > 8_000);
        assert_eq!(rows(&limited, true).await.unwrap(), expected);
    }
}
