//! The STAC table provider (`CREATE EXTERNAL TABLE … STORED AS STAC`): Items from wherever they are, as rows.
//!
//! ```text
//! LOCATION ── planning (head): list, select, cut ──► chunks ── StacExec: one partition per chunk ──► rows + outcome
//!             inventory/ direct/                    spool      read/: fetch, decode/
//! ```
//!
//! - [`StacTableFactory`], [`StacTable`], [`StacOptions`]: the SQL side.
//! - [`InventoryTable`]: what an inventory lists, as a table of its own (`STORED AS INVENTORY`).
//! - [`ProbeItems`]: joins through which Items stream.
//! - [`StacExec`]: the leaf operator; [`chunk_outcome`] tells what became of a partition's chunk.
//! - `chunks`, `spool`: what planning leaves behind; `inventory` and `direct` make it, `chunk_message` takes it elsewhere.
//! - `read`: what a partition does: fetch bytes, decode them, account for each.

mod chunk;
mod chunk_message;
mod chunks;
mod direct;
mod exec;
mod factory;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod inventory;
mod inventory_table;
mod keys;
mod option_error;
mod options;
mod outcome;
mod parquet_file;
mod plan_chunks;
mod planner;
mod probe_items;
mod read;
mod relation;
mod spool;
mod table;
mod to_cells;
mod wildcards;

pub use earthcatalog_stac_rows::decode;
pub use exec::{PlannedItems, StacExec};
pub use factory::StacTableFactory;
pub use format::Format;
pub use inventory_table::{INVENTORY_SCHEMA, InventoryTable};
pub use option_error::OptionError;
pub use options::StacOptions;
pub(crate) use options::flag;
pub(crate) use outcome::loses_chunks;
pub use outcome::{chunk_outcome, reads_chunks};
pub use probe_items::ProbeItems;
pub(crate) use probe_items::probe_items;
pub use table::StacTable;
pub(crate) use to_cells::with_h3_resolution;

#[cfg(test)]
mod tests;
