//! The Iceberg table `items` over the part files of a warehouse.

pub mod catalog;
pub mod commit;
pub mod create;
mod described;
pub mod error;
pub mod files;
pub mod layout;
pub mod location;
mod manifests;
mod parquet_scan;
pub mod schema;
mod snapshot;
mod statistics;
pub mod storage;
pub mod table;
#[cfg(test)]
mod testing;

pub use catalog::Catalog;
pub use commit::{Change, Committed, Committer};
pub use create::{TableState, Warehouse};
pub use error::WarehouseError;
pub use table::WarehouseTable;
