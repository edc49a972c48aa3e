//! Reads part files from end to end, bucket after bucket.
//!
//! - `groups`: buckets with their files, and how they are packed into groups.
//! - `scan`: the leaf operator, one partition per group; `read` reads the files, `group_message` takes a group elsewhere.

mod group_message;
mod groups;
mod read;
mod scan;

pub use groups::BucketFiles;
pub(crate) use groups::{YEAR, buckets, groups};
pub(crate) use read::without_views;
pub use scan::BucketScanExec;
pub(crate) use scan::SentGroups;
