//! [`WarehouseArgs`]: where a warehouse is.

use clap::Args;

use super::ArgumentError;
use super::locations::{check_catalog, check_location, check_url, is_rest_catalog};
use super::report_format::ReportFormat;

/// Where a warehouse is.
#[derive(Debug, Clone, Default, Args)]
pub struct WarehouseArgs {
    /// Path or URL of the Iceberg catalog: a SQLite file, or a REST catalog
    #[arg(long, value_name = "FILE|URL", env = "EARTHCATALOG_CATALOG")]
    pub catalog: String,
    /// Folder or URL of the data files, which the table knows
    #[arg(long, value_name = "DIR|URL", env = "EARTHCATALOG_WAREHOUSE")]
    pub warehouse: Option<String>,
}

/// Flags of a command that lists what a warehouse has: its tags, columns or collections.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Format of the list
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// Where a warehouse is, for a command that also works without one.
#[derive(Debug, Clone, Default, Args)]
pub struct AnyWarehouseArgs {
    /// Path or URL of the Iceberg catalog: a SQLite file, or a REST catalog; without one, there are no tables of a warehouse
    #[arg(long, value_name = "FILE|URL", env = "EARTHCATALOG_CATALOG")]
    pub catalog: Option<String>,
    /// Folder or URL of the data files, which the table knows
    #[arg(long, value_name = "DIR|URL", env = "EARTHCATALOG_WAREHOUSE")]
    pub warehouse: Option<String>,
}

/// A table that lies in a folder, and the catalog that takes it.
#[derive(Debug, Clone, Args)]
pub struct TableInFolderArgs {
    /// Path or URL of the Iceberg catalog: a SQLite file, or a REST catalog; created if it does not exist
    #[arg(long, value_name = "FILE|URL", env = "EARTHCATALOG_CATALOG")]
    pub catalog: String,
    /// Folder or URL in which the table lies
    #[arg(long, value_name = "DIR|URL", env = "EARTHCATALOG_WAREHOUSE")]
    pub warehouse: String,
}

impl TableInFolderArgs {
    /// An error unless catalog and folder can be there.
    pub fn check(&self) -> Result<(), ArgumentError> {
        check(Some(&self.catalog), Some(&self.warehouse))
    }
}

impl WarehouseArgs {
    /// An error unless a warehouse can be there.
    pub fn check(&self) -> Result<(), ArgumentError> {
        check(Some(&self.catalog), self.warehouse.as_deref())
    }
}

impl AnyWarehouseArgs {
    /// An error unless a warehouse can be there.
    pub fn check(&self) -> Result<(), ArgumentError> {
        check(self.catalog.as_deref(), self.warehouse.as_deref())
    }
}

fn check(catalog: Option<&str>, warehouse: Option<&str>) -> Result<(), ArgumentError> {
    catalog.map_or(Ok(()), check_catalog)?;
    match warehouse {
        // Its keys may come from the catalog.
        Some(warehouse) if catalog.is_some_and(is_rest_catalog) => check_url("warehouse", warehouse),
        Some(warehouse) => check_location("warehouse", warehouse).map(drop),
        None => Ok(()),
    }
}
