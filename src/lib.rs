//! earthcatalog: STAC Items by the million into a spatially partitioned GeoParquet warehouse with an Iceberg catalog.
//!
//! The application over `earthcatalog-plans`: pipelines are SQL scripts, the commands fill in their parameters.
//!
//! - [`cli`]: the commands and their options.
//! - [`cluster`]: the roles of a Ballista cluster, and its client.
//! - [`script`]: SQL scripts with declared parameters.
//! - [`pipeline`]: runs one of the scripts under `sql/`; [`ingest`], [`backfill`],
//!   [`incremental`], [`compact`], [`expire`] and [`info`] are their drivers.
//! - [`register`]: takes a table into a catalog that has none.
//! - [`dry_run`]: what a statement that writes would do.
//! - [`runs`]: the runs of a warehouse; [`run_statistics`]: what each of them did, for the record.
//! - [`query`]: SQL over a warehouse; [`prompt`]: the same, asked line by line; [`export`]: Items as they were;
//!   [`paths`]: the files that a question needs.
//! - [`report`]: what a run did, as text and JSON; [`progress`]: what it is doing.
//! - [`rows`]: results of a script, for its report.
//! - [`output`]: query results as table, JSON, CSV, GeoJSON or Parquet.
//! - [`config`]: the configuration file.
//! - [`demo`]: a small, seeded set of Items, and a tour.

pub mod backfill;
pub mod cli;
pub mod cluster;
pub mod compact;
pub mod config;
pub mod demo;
pub mod dry_run;
pub mod expire;
pub mod export;
pub mod incremental;
pub mod info;
pub mod ingest;
pub mod output;
pub mod paths;
pub mod pipeline;
pub mod progress;
pub mod prompt;
pub mod query;
pub mod register;
pub mod report;
pub mod rows;
pub mod run_statistics;
pub mod runs;
pub mod script;
