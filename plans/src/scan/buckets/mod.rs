//! Compaction: `INSERT OVERWRITE items SELECT … FROM buckets(items, 2)` merges the part files of each bucket into one.
//!
//! - `table`: what the table function `buckets` returns.
//! - `scan`: its leaf operator, one partition per group of buckets; `groups` packs them, `read` reads their files,
//!   `group_message` takes a group elsewhere.
//!
//! The sink and the commit are those of every INSERT; the commit also removes the files that the scan read.

mod group_message;
mod groups;
mod read;
mod removed;
mod scan;
mod superseded;
mod table;

pub use groups::BucketFiles;
pub(crate) use groups::YEAR;
pub use scan::BucketScanExec;
pub(crate) use scan::SentGroups;
pub use table::{BucketSource, BucketsTable};
