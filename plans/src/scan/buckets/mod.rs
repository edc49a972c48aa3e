//! Compaction: `INSERT OVERWRITE items SELECT … FROM buckets(items, 2)` merges the part files of each bucket into one.
//!
//! - `table`: what the table function `buckets` returns; [`BucketScanExec`](super::bucket_files::BucketScanExec) reads it.
//! - `superseded`, `removed`: which rows are left out.
//!
//! The sink and the commit are those of every INSERT; the commit also removes the files that the scan read.

mod removed;
mod superseded;
mod table;

pub use table::{BucketSource, BucketsTable};
