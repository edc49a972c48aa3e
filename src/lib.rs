//! earthcatalog: STAC Items by the million into a spatially partitioned GeoParquet warehouse with an Iceberg catalog.
//!
//! The application over `earthcatalog-plans`: pipelines are SQL scripts, the commands fill in their parameters.
//!
//! Imports run down only, in this order:
//!
//! - [`cli`]: parses the command line with the configuration file, calls a command, turns an error into an exit code.
//! - [`commands`]: one file each: arguments, driver, report.
//! - [`arguments`]: arguments that commands share, and the values that they take.
//! - [`serve`]: a STAC API over a warehouse.
//! - [`site`]: the page of the service, and the file of `map`.
//! - [`prompt`]: questions line by line; [`query`]: SQL over a warehouse; [`export`]: Items as they were.
//! - [`documents`]: STAC Collections that people give.
//! - [`demo`]: a small, seeded set of Items.
//! - [`pipeline`]: runs one of the scripts under `sql/`; [`dry_run`]: what a statement that writes would do;
//!   [`progress`]: what a run is doing; [`run_statistics`]: what it did, for the record.
//! - [`script`]: SQL scripts with declared parameters.
//! - [`cluster`]: the roles of a Ballista cluster, and its client.
//! - [`output`]: query results as table, JSON, CSV, GeoJSON or Parquet; [`report`]: what a run did, as text and JSON;
//!   [`rows`]: results of a script, for its report.
//! - [`config`]: the configuration file.
//! - [`verbosity`]: notes and the log; [`terminal`]: its size, colours and pager.
//! - [`signals`]: what asks the process to stop; `reason`: what an error says; `home`: `~` in paths; [`version`]: which build this is.

pub mod arguments;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod demo;
pub mod documents;
pub mod dry_run;
pub mod export;
mod home;
pub mod output;
mod picture;
pub mod pipeline;
pub mod progress;
pub mod prompt;
pub mod query;
mod reason;
pub mod report;
pub mod rows;
pub mod run_statistics;
pub mod script;
pub mod serve;
pub mod signals;
pub mod site;
pub mod terminal;
pub mod verbosity;
pub mod version;
