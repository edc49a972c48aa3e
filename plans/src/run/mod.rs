//! A run: INSERT or DELETE as `Commit(WriteGeoParquet(…))`, which writes part files and commits them as one snapshot.
//!
//! - [`InsertIntoWarehouse`]: makes INSERT a plan, and `delete` DELETE; [`CommitExec`] runs it on the head.
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
mod replace;
#[cfg(test)]
mod some_buckets;
mod stage;
mod write_and_commit;

pub use commit_exec::{CommitExec, CommitPlanner};
pub use commit_node::{Commit, CommitTarget, Outcome};
pub use delete::remove_items;
pub use insert::InsertIntoWarehouse;
