//! Tables of the session that an option of another table names.

use std::sync::Arc;

use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, TableReference, plan_datafusion_err, plan_err};
use datafusion::execution::SessionState;

use crate::warehouse::{Warehouse, WarehouseTable};

/// The table that `option` calls `name`. Errors where there is none.
pub(crate) async fn named_table(session: &dyn Session, option: &str, name: &str) -> Result<Arc<dyn TableProvider>> {
    let unknown = || plan_datafusion_err!("option '{option}': there is no table {name}; create it first");
    let session = session.as_any().downcast_ref::<SessionState>().ok_or_else(unknown)?;
    let reference = TableReference::from(name);
    let schema = session.schema_for_ref(reference.clone()).map_err(|_| unknown())?;
    schema.table(reference.table()).await?.ok_or_else(unknown)
}

/// The warehouse of the table that `option` calls `name`. Errors where there is no table, or it is none of a warehouse.
pub(crate) async fn named_warehouse(session: &dyn Session, option: &str, name: &str) -> Result<Warehouse> {
    let table = named_table(session, option, name).await?;
    match table.as_any().downcast_ref::<WarehouseTable>() {
        Some(table) => Ok(table.warehouse().clone()),
        None => plan_err!("option '{option}': table {name} is no warehouse; make it with STORED AS ICEBERG"),
    }
}
