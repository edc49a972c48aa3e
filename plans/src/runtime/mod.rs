//! What plans run with: the options of a session and its tables, memory, what filters speak of, operators found
//! in a plan, plans over Parquet files, by field id where they have them, and what each partition of a leaf must know.

mod about;
mod balanced;
mod balanced_predicates;
mod by_field_id;
mod checked_scan;
mod external_table;
mod files_table;
mod find_operator;
mod memory;
mod named_table;
mod only_input;
mod parquet_scan;
mod parquet_sources;
mod parquet_writer;
pub(crate) mod partition_numbers;
mod plan_part;
mod promoted_column;
mod run_options;
mod slices;

pub(crate) use about::{exact_about, is_about};
pub(crate) use balanced::consecutive;
pub(crate) use balanced_predicates::BalancedPredicates;
pub use by_field_id::by_field_id;
pub use checked_scan::checked_scan;
pub(crate) use external_table::{location_if_any, one_location};
pub(crate) use files_table::FilesTable;
pub use find_operator::find_operator;
pub(crate) use find_operator::{find_operator_where, leaf_by_partition, rows_of_right};
pub(crate) use memory::within;
pub(crate) use named_table::{find_table, named_table};
pub use only_input::only_input;
pub(crate) use parquet_scan::{ScanFile, parquet_scan};
pub(crate) use parquet_writer::ParquetWriter;
pub use plan_part::RUN_ON_CLUSTER;
pub(crate) use plan_part::{plan_here, plan_look_up, plan_part, runs_on_cluster};
pub use run_options::{MaxRejects, RunOptions};
pub use slices::Slices;
pub(crate) use slices::SlicesMessage;
