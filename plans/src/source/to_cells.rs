//! Tells the scans of a plan that their rows go to cells.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_plan::ExecutionPlan;

use super::exec::StacExec;

/// The same plan, in which an Item is a reject if it has too many cells of this resolution, and batches are cut by cells.
pub(crate) fn with_h3_resolution(plan: Arc<dyn ExecutionPlan>, h3_resolution: u8) -> Result<Arc<dyn ExecutionPlan>> {
    let told = plan.transform_up(|node| {
        let Some(scan) = node.downcast_ref::<StacExec>() else { return Ok(Transformed::no(node)) };
        let scan = scan.again()?.with_h3_resolution(Some(h3_resolution));
        Ok(Transformed::yes(Arc::new(scan) as Arc<dyn ExecutionPlan>))
    })?;
    Ok(told.data)
}
