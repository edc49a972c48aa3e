//! The plans of earthcatalog: where Items come from, how their rows are written, and how they become
//! one snapshot of an Iceberg table.
//!
//! A house with floors: a module imports only from those below it, which `.ci/layers` checks. From the top:
//!
//! - [`session`]: the one place that binds all of it, for the head, a scheduler and an executor alike.
//! - [`wire`]: plans as bytes, for a scheduler and its executors.
//! - [`call`]: procedures as statements (`CALL expire_snapshots(items, '1h')`).
//! - [`maintenance`]: cleans the warehouse.
//! - [`run`]: INSERT and INSERT OVERWRITE as operators, from the first task to the commit.
//! - [`search`]: STAC search as a plan, and as a table function.
//! - [`overview`]: where and when the rows of a table are, from its metadata alone.
//! - [`collections`]: the collections of the Items of a table.
//! - [`query`]: table `items` with each Item once, and optimizer rules by which a question in space reads fewer files.
//! - [`scan`]: tables over part files (`STORED AS ICEBERG`), by bucket (`buckets(items, 2)`), and what is known of them.
//! - [`sink`]: the partitioned GeoParquet sink.
//! - [`checkpoint`]: what the tasks of a long run have done, so that it can be resumed, and the report of a run.
//! - [`source`]: the STAC table provider (`STORED AS STAC`) and its leaf operator.
//! - [`table`]: the Iceberg table: its catalog, metadata, manifests and commit; known ids, ingest record and leases.
//! - [`runtime`]: what plans run with: options of a session, memory, operators found in a plan.
//! - [`stores`]: the one place that opens object stores.
//! - [`model`]: Items, cells, chunks, files and their names.

pub mod call;
pub mod checkpoint;
pub mod collections;
pub mod maintenance;
pub mod model;
pub mod overview;
pub mod query;
pub mod run;
pub mod runtime;
pub mod scan;
pub mod search;
pub mod session;
pub mod sink;
pub mod source;
pub mod stores;
pub mod table;
pub mod wire;

pub use runtime::find_operator;
