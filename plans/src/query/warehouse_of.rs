//! The warehouse behind a table of the session.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;

use super::ItemsTable;
use crate::scan::WarehouseTable;
use crate::table::Warehouse;

/// The warehouse of `table`; of the first table of one that it reads, if it is a view.
pub(crate) fn warehouse_of(table: &Arc<dyn TableProvider>) -> Option<Warehouse> {
    if let Some(table) = table.downcast_ref::<WarehouseTable>() {
        return Some(table.warehouse().clone());
    }
    if let Some(table) = table.downcast_ref::<ItemsTable>() {
        return Some(table.warehouse().clone());
    }
    let mut found = None;
    let visited = table.get_logical_plan()?.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            found = warehouse_of(&provider);
        }
        Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    visited.ok().and(found)
}
