//! The Iceberg table `items` over the part files of a warehouse.

pub mod catalog;
pub mod commit;
pub mod create;
pub mod error;
pub mod layout;
pub mod location;
mod manifests;
pub mod schema;
mod snapshot;
pub mod storage;
#[cfg(test)]
mod testing;

pub use catalog::Catalog;
pub use commit::{Change, Committed, Committer};
pub use create::{TableState, Warehouse};
pub use error::WarehouseError;
