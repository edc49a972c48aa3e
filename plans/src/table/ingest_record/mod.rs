//! The ingest record: which version of which object each run has ingested, so that the next one leaves those out.
//!
//! ```text
//! chunk ── sink ──► <warehouse>/_ingested/<run>/….parquet ── commit ──► <warehouse>/metadata/_ingested-<id>.json
//!          one file of record per chunk                                 lists the files of all runs; its location is a
//!                                                                       property of the snapshot
//! ```
//!
//! The list is named by the snapshot, so that record and table change in one step, and go back in one step. It is for
//! SQL: `ingested(items)` is a table, and `sql/incremental.sql` an anti-join with it.
//!
//! - [`encode`]: a file of record; [`INGESTED_SCHEMA`]: its columns.
//! - [`RecordList`]: the files of the record; [`forget`] takes objects out of it.

mod file;
mod forget;
mod list;

pub use file::{INGESTED_SCHEMA, encode};
pub use forget::forget;
pub use list::RecordList;
