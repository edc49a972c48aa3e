//! The plans of earthcatalog: where Items come from, how their rows are written, and how they become
//! one snapshot of an Iceberg table.
//!
//! - [`items`]: the schema of table `items`.
//! - [`call`]: procedures as statements (`CALL expire_snapshots(items, '1h')`).
//! - [`stac`]: the STAC table provider (`STORED AS STAC`) and its leaf operator.
//! - [`write`](mod@write): the partitioned GeoParquet sink.
//! - [`compact`]: the buckets of a warehouse as a table (`buckets(items, 2)`), for merging their part files.
//! - [`checkpoint`]: what the tasks of a long run have done, so that it can be resumed (`STORED AS CHECKPOINTS`).
//! - [`warehouse`]: the Iceberg table over the part files (`STORED AS ICEBERG`), its commit and its scan.
//! - [`ingest_record`]: which version of which object is in the table (`ingested(items)`).
//! - [`known_ids`]: which ids are in the table, and which of them in several versions.
//! - [`query`]: optimizer rules by which a question in space reads fewer files.
//! - [`maintenance`]: cleans the warehouse; leases of runs, and the advisory lock.
//! - [`bounded_memory`]: lets what sorts whole Items keep to a limit of memory.
//! - [`stores`]: the one place that opens object stores.
//! - [`codec`]: plans as bytes, for a scheduler and its executors.
//! - [`session`]: the one place that binds all of it, for the head, a scheduler and an executor alike.

mod balanced;
pub mod bounded_memory;
pub mod bucket;
pub mod call;
pub mod checkpoint;
pub mod chunk;
pub mod codec;
pub mod compact;
mod external_table;
mod find_operator;
pub mod ingest_record;
pub mod items;
pub mod known_ids;
pub mod maintenance;
pub mod part_file;
mod partition_numbers;
pub mod query;
pub mod run_id;
pub mod session;
mod session_schema;
mod session_table;
pub mod stac;
pub mod stores;
mod time;
mod versions;
pub mod warehouse;
pub mod write;

pub use find_operator::find_operator;
