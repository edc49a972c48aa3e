//! Tables of the session that a statement or an option names.

use std::sync::Arc;

use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, TableReference, plan_datafusion_err, plan_err};
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;

use crate::query::ItemsTable;
use crate::warehouse::{Warehouse, WarehouseTable};

/// The table of that name, if there is one.
pub(crate) async fn find_table(
    session: &SessionState,
    name: &TableReference,
) -> Result<Option<Arc<dyn TableProvider>>> {
    match session.schema_for_ref(name.clone()) {
        Ok(schema) => schema.table(name.table()).await,
        Err(_) => Ok(None),
    }
}

/// The table that `option` calls `name`. Errors where there is none.
pub(crate) async fn named_table(session: &dyn Session, option: &str, name: &str) -> Result<Arc<dyn TableProvider>> {
    let unknown = || plan_datafusion_err!("option '{option}': there is no table {name}; create it first");
    let session = session.as_any().downcast_ref::<SessionState>().ok_or_else(unknown)?;
    find_table(session, &TableReference::from(name)).await?.ok_or_else(unknown)
}

/// The warehouse of the table that `option` calls `name`. Errors where there is no table, or it is none of a warehouse.
pub(crate) async fn named_warehouse(session: &dyn Session, option: &str, name: &str) -> Result<Warehouse> {
    let table = named_table(session, option, name).await?;
    match table.downcast_ref::<WarehouseTable>() {
        Some(table) => Ok(table.warehouse().clone()),
        None => plan_err!("option '{option}': table {name} is no warehouse; make it with STORED AS ICEBERG"),
    }
}

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
