//! The words of the engine: what Items, cells, chunks and files are. Knows nothing of stores, sessions or tables.
//!
//! - [`items`]: the schema of table `items`; `versions`: which version of an Item is the newest.
//! - [`item_key`]: what tells an Item from others.
//! - [`field_ids`]: columns by Iceberg field id; `promotion`: properties that a file has in other columns than its table.
//! - [`bucket`]: a cell and a year; [`layout`]: the names of everything in a warehouse.
//! - [`chunk`]: a part of an inventory, and what became of it.
//! - [`part_file`], [`task_files`]: the files that a task writes, as it reports them.
//! - [`run_id`]: the name of a run.
//! - [`time`]: points in time as text.

pub mod bucket;
pub mod chunk;
pub mod field_ids;
pub mod item_key;
pub mod items;
pub mod layout;
pub mod part_file;
pub(crate) mod promotion;
pub mod run_id;
pub mod task_files;
pub mod time;
pub(crate) mod versions;
