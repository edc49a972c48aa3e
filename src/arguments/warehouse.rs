//! [`WarehouseArgs`]: where a warehouse is.

use clap::Args;

use super::ArgumentError;
use super::locations::{check_catalog, check_location};

/// Where a warehouse is.
#[derive(Debug, Clone, Default, Args)]
pub struct WarehouseArgs {
    /// Path or URL of the Iceberg catalog, a SQLite file
    #[arg(long, value_name = "FILE|URL", env = "EARTHCATALOG_CATALOG")]
    pub catalog: String,
    /// Folder or URL of the data files
    #[arg(long, value_name = "DIR|URL", env = "EARTHCATALOG_WAREHOUSE")]
    pub warehouse: String,
}

impl WarehouseArgs {
    /// An error unless a warehouse can be there.
    pub fn check(&self) -> Result<(), ArgumentError> {
        check_location("warehouse", &self.warehouse)?;
        check_catalog(&self.catalog)
    }
}
