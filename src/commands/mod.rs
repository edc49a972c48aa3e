//! The commands, one file each: its arguments, what it does, and how it reports.
//!
//! `run` in each file is the command: it checks the arguments, calls its driver, and writes the report to `out`.

pub mod backfill;
pub mod change_items;
pub mod changes;
pub mod cluster;
pub mod collection;
pub mod column;
pub mod compact;
pub mod completions;
pub mod config;
pub mod delete;
pub mod delta;
pub mod demo;
mod error;
pub mod executor;
pub mod expire;
pub mod explain;
pub mod export;
pub mod incremental;
pub mod index;
pub mod info;
pub mod ingest;
pub mod init;
pub mod man;
pub mod map;
pub mod migrate;
mod open;
pub mod paths;
pub mod pipelines;
pub mod reconcile;
pub mod register;
pub mod relocate;
pub mod rollback;
pub mod run;
pub mod runs;
pub mod scheduler;
pub mod search;
pub mod serve;
pub mod sql;
pub mod tag;
pub mod update;
pub mod verify;

pub use error::CommandError;
use open::open;
