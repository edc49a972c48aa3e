//! Finds the scans of a warehouse in a plan.

use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use datafusion::optimizer::OptimizerConfig;

use crate::runtime::RunOptions;
use crate::scan::WarehouseTable;

/// The scan that `plan` is, if it is one of a warehouse's rows, all of them.
pub(super) fn warehouse_scan(plan: &LogicalPlan) -> Option<&TableScan> {
    let LogicalPlan::TableScan(scan) = plan else { return None };
    let table = source_as_provider(&scan.source).ok()?;
    (table.is::<WarehouseTable>() && scan.fetch.is_none()).then_some(scan)
}

/// Whether the session wants plans pruned.
pub(super) fn is_on(config: &dyn OptimizerConfig) -> bool {
    config.options().extensions.get::<RunOptions>().is_none_or(|options| options.spatial_pruning)
}
