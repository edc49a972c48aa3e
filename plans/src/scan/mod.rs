//! Tables over a warehouse (`STORED AS ICEBERG`): part files chosen by their statistics, buckets, and what is known of the
//! table.
//!
//! - [`WarehouseTable`]: one row per Item and cell, now or [as of](crate::table::AsOf) an earlier state; [`scan_metrics`]: what a scan read.
//! - [`rows_to_read`]: how much a plan has to read.
//! - [`buckets`]: part files by bucket, for merging them; [`bucket_files`] reads them.
//! - [`StagedTable`]: the part files of a run's chunks, between their ingest and their commit (`STORED AS CHECKPOINTS`).
//! - [`declared_columns`]: promoted properties that a text declares.
//! - [`records`]: snapshots, files, runs, rejects and ingested objects.

pub(crate) mod as_of_function;
pub mod bucket_files;
pub mod buckets;
mod candidates;
pub(crate) mod declared_columns;
mod described;
mod factory;
mod ids_of;
mod list_ids;
mod named_warehouse;
mod pruned_by;
pub mod records;
mod rows_to_read;
mod scan_metrics;
mod settles;
mod staged;
mod statistics;
mod table;

pub(crate) use candidates::Candidates;
pub use declared_columns::declared_columns;
pub use factory::WarehouseTableFactory;
pub(crate) use list_ids::list_ids;
pub(crate) use named_warehouse::named_warehouse;
pub use pruned_by::PrunedBy;
pub use rows_to_read::rows_to_read;
pub use scan_metrics::{ScanMetrics, scan_metrics};
pub(crate) use settles::Settles;
pub use staged::{StagedRun, StagedTable, StagedTableFactory, Staging};
pub(crate) use table::TablePart;
pub use table::{ChosenFiles, WarehouseTable};
