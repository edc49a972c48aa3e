//! Turns the logical node [`WriteGeoParquet`] into its operator.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use super::{WriteGeoParquet, WriteGeoParquetExec};
use crate::runtime::only_input;
use crate::source;

/// Plans [`WriteGeoParquet`] as [`WriteGeoParquetExec`].
#[derive(Debug, Default)]
pub struct WriteGeoParquetPlanner;

#[async_trait]
impl ExtensionPlanner for WriteGeoParquetPlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(write) = node.as_any().downcast_ref::<WriteGeoParquet>() else {
            return Ok(None);
        };
        let input = only_input("WriteGeoParquet", physical_inputs)?;
        let input = source::with_h3_resolution(Arc::clone(input), write.target.h3_resolution)?;
        Ok(Some(Arc::new(WriteGeoParquetExec::try_new(input, Arc::clone(&write.target))?)))
    }
}
