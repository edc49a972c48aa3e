//! [`ChangedItems`]: what a DELETE or an UPDATE did.

use std::fmt;

use earthcatalog_plans::checkpoint::Replaced;
use serde::Serialize;

use super::{bytes, count, millis};

/// What a DELETE or an UPDATE did. Files, rows and bytes are those of the buckets that had rows of the Items.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ChangedItems {
    /// What was done to the Items: `deleted` or `updated`.
    #[serde(skip)]
    pub done: &'static str,
    /// Items that were deleted or updated.
    pub items: u64,
    /// Objects that are gone, and forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    pub buckets: u64,
    pub rows_before: u64,
    /// Without the rows of Items that were deleted, and without those of older versions.
    pub rows_after: u64,
    pub files_before: u64,
    pub files_after: u64,
    pub bytes_before: u64,
    pub bytes_after: u64,
    /// `None` where there was no such Item.
    pub snapshot: Option<i64>,
    pub seconds: f64,
}

impl ChangedItems {
    /// Of a run that took so many seconds; `None` for one of another kind.
    pub fn new(replaced: &Replaced, seconds: f64) -> Option<Self> {
        let Replaced { before, after, .. } = replaced;
        let deleted = replaced.removed.map(|items| ("deleted", items));
        let (done, items) = deleted.or(replaced.updated.map(|items| ("updated", items)))?;
        Some(Self {
            done,
            items,
            objects: Some(replaced.forgotten).filter(|objects| *objects > 0),
            buckets: before.buckets,
            rows_before: before.rows,
            rows_after: after.rows,
            files_before: before.files,
            files_after: after.files,
            bytes_before: before.bytes,
            bytes_after: after.bytes,
            snapshot: replaced.snapshots.last().copied(),
            seconds: millis(seconds),
        })
    }
}

impl fmt::Display for ChangedItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "{name:<12}{value}");
        if let Some(objects) = self.objects {
            line("objects", format!("{} are gone", count(objects)))?;
        }
        line("Items", format!("{} {}", count(self.items), self.done))?;
        line("buckets", format!("{} written again", count(self.buckets)))?;
        line("rows", format!("{} before, {} after", count(self.rows_before), count(self.rows_after)))?;
        line("files", format!("{} before, {} after", count(self.files_before), count(self.files_after)))?;
        line("bytes", format!("{} before, {} after", bytes(self.bytes_before), bytes(self.bytes_after)))?;
        line("time", format!("{:.1} s", self.seconds))?;
        let snapshot = self.snapshot.map_or("none, because there was no such Item".to_owned(), |id| id.to_string());
        write!(f, "{:<12}{snapshot}", "snapshot")
    }
}
