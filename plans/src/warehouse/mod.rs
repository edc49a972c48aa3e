//! The Iceberg table `items` over the part files of a warehouse.

pub mod catalog;
pub mod error;
pub mod layout;
pub mod location;
pub mod schema;
pub mod storage;

pub use catalog::Catalog;
pub use error::WarehouseError;
