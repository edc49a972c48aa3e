//! [`stored`]: the rows behind a table.

use std::sync::Arc;

use datafusion::catalog::TableProvider;

use super::ItemsTable;
use crate::scan::WarehouseTable;

/// The table of the rows as they are stored, one for each version and cell, of which `table` is the Items; any other table
/// as it is.
pub(super) fn stored(table: Arc<dyn TableProvider>) -> Arc<dyn TableProvider> {
    match table.downcast_ref::<ItemsTable>() {
        Some(items) => Arc::new(WarehouseTable::new(items.warehouse().clone())),
        None => table,
    }
}
