//! Which ids a table holds, and which of them it may hold in more than one version.
//!
//! ```text
//! task ── sink ──► <warehouse>/_ingested/<run>/…-ids.parquet ── commit ──► <warehouse>/metadata/_ids-<id>.parquet  lists
//!          the ids of one task                                             <warehouse>/metadata/_ids-<id>.json     names them
//! ```
//!
//! An Item is stored once per cell, and again with each version that is ingested. A question must see each Item once, in
//! its newest version, although it reads but a few files. So the commit compares the ids of its run with those of the
//! table: an id that was never ingested twice has one version, whatever files its rows are in, and any of them answers
//! for it. The others are listed as *repeated*; all their versions are looked up before one is chosen. A compaction of
//! the whole table leaves one version of each, and none is repeated any more.
//!
//! Ids are listed by a 64-bit hash of collection and id, five to six bytes each. Two Items with one hash are taken for one
//! that is repeated, which costs a look-up and is never wrong. The document is named by a property of the snapshot, and holds for that
//! snapshot alone: where another engine has committed, nothing is known, and every id is looked up.
//!
//! - [`IdHash`], [`TaskIds`]: the ids of a task, while its rows are written.
//! - [`KnownIds`]: the document; [`Repeated`]: the ids with more than one version, and [`is_repeated`] in SQL.
//! - [`merge`]: what a commit does with the ids of its run.

mod file;
mod is_repeated;
mod known;
mod merge;
mod task;

pub(crate) use file::ID_SCHEMA;
pub use file::{IdHash, encode};
pub use is_repeated::{are_repeated, is_repeated, repeated_of};
pub use known::{KnownIds, Repeated};
pub use merge::{Merged, merge};
pub use task::TaskIds;
