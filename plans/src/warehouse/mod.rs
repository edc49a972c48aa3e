//! The Iceberg table `items` over the part files of a warehouse.

pub mod layout;
