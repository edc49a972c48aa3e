//! The Iceberg table `items` over the part files of a warehouse: created, written to in one commit per run, and read.
//!
//! - [`create`]: opens or creates the table; [`catalog`] points at its metadata, [`schema`] describes it.
//! - `folder`: whose metadata lies in a folder; `new_table` creates a table where there is none, [`Warehouse::register`]
//!   takes one that is there into a catalog.
//! - [`commit`]: adds and removes files in one snapshot. The files are listed in manifests, which `manifest_writer` writes
//!   and `listing` reads, both with `avro`; `column_bounds` holds their statistics as pruning wants them.
//! - [`table`], [`factory`], [`views`]: the table in SQL.
//! - [`rejects`], [`runs`]: what could not be read, and what was done to it, in SQL.
//! - [`metadata_tables`]: its snapshots, files and buckets in SQL; [`as_of`]: its earlier states.
//! - [`insert`]: INSERT as `Commit(WriteGeoParquet(…))`; [`commit_exec`] runs it on the head.

pub mod as_of;
mod avro;
pub mod catalog;
mod column_bounds;
pub mod commit;
pub mod commit_exec;
pub mod commit_node;
pub mod create;
mod described;
mod drive;
pub mod error;
pub mod factory;
pub(crate) mod files;
pub(crate) mod folder;
pub mod insert;
pub mod layout;
mod listing;
pub mod location;
mod manifest_writer;
pub(crate) mod manifests;
pub mod metadata_tables;
mod new_table;
pub(crate) mod parquet_scan;
pub(crate) mod pruned_by;
mod register;
pub mod rejects;
mod replace;
pub(crate) mod requirements;
pub(crate) mod resumable;
mod rows_as_read;
mod run;
pub mod run_options;
pub mod run_report;
pub mod runs;
pub mod scan_metrics;
pub mod schema;
pub(crate) mod snapshot;
mod stage;
mod statistics;
pub mod storage;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
pub mod views;

pub use as_of::AsOf;
pub use catalog::Catalog;
pub use commit::{Change, Committed, Committer, IdChange};
pub use commit_exec::{CommitExec, CommitPlanner};
pub use create::{TableState, Warehouse};
pub use error::WarehouseError;
pub use factory::WarehouseTableFactory;
pub use files::LiveFile;
pub use insert::InsertIntoWarehouse;
pub use pruned_by::PrunedBy;
pub use replace::Replaced;
pub use run_options::{MaxRejects, RunOptions};
pub(crate) use run_report::RunRecords;
pub use run_report::{RunProgress, RunReport};
pub use scan_metrics::{ScanMetrics, scan_metrics};
pub use table::{ChosenFiles, WarehouseTable};
pub use views::register_views;
