//! The warehouse of a table that an option names.

use datafusion::catalog::Session;
use datafusion::common::{Result, plan_err};

use super::WarehouseTable;
use crate::runtime::named_table;
use crate::table::Warehouse;

/// The warehouse of the table that `option` calls `name`. Errors where there is no table, or it is none of a warehouse.
pub(crate) async fn named_warehouse(session: &dyn Session, option: &str, name: &str) -> Result<Warehouse> {
    let table = named_table(session, option, name).await?;
    match table.downcast_ref::<WarehouseTable>() {
        Some(table) => Ok(table.warehouse().clone()),
        None => plan_err!("option '{option}': table {name} is no warehouse; make it with STORED AS ICEBERG"),
    }
}
