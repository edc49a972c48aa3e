//! [`open`]: the table of a warehouse that flags name.

use earthcatalog_plans::table::Warehouse;

use super::CommandError;
use crate::arguments::WarehouseArgs;

/// Opens the table as it is now.
///
/// Errors: flags name no catalog or warehouse that there could be; there is none; it cannot be read.
pub(super) async fn open(at: &WarehouseArgs) -> Result<Warehouse, CommandError> {
    at.check()?;
    Ok(Warehouse::open_in(&at.catalog, at.warehouse.as_deref()).await?)
}
