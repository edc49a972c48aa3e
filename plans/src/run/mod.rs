//! A run: INSERT, DELETE or UPDATE as `Commit(WriteGeoParquet(…))`, which writes part files and commits them as one snapshot.
//!
//! - [`InsertIntoWarehouse`]: makes INSERT a plan, `delete` DELETE and `update` UPDATE; [`CommitExec`] runs it on the head.
//! - `write_and_commit`: drives the sink to its end, then commits; `stage`: the same, chunk by chunk, to be resumed.
//! - `replace`: the buckets that an INSERT OVERWRITE writes again; `keeps_newest`: whether it is a compaction.

mod check_rejects;
mod commit_exec;
mod commit_node;
mod commit_plan;
mod delete;
mod drive;
mod insert;
mod keeps_newest;
mod newest_rows;
mod replace;
#[cfg(test)]
mod some_buckets;
mod stage;
#[cfg(test)]
mod testing;
mod update;
mod write_and_commit;

pub use commit_exec::{CommitExec, CommitPlanner};
pub use commit_node::{Commit, CommitTarget, Outcome};
pub use delete::remove_items;
pub use insert::InsertIntoWarehouse;
