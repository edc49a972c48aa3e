//! [`CompactSummary`]: what a compaction did.

use std::fmt;

use earthcatalog_plans::checkpoint::Replaced;
use earthcatalog_plans::maintenance::ExpireSummary;
use serde::Serialize;

use super::{bytes, count, millis};

/// What a compaction did. Files, rows and bytes are those of all buckets scanned.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CompactSummary {
    pub buckets_scanned: u64,
    pub buckets_compacted: u64,
    /// Buckets that another writer changed first: they keep their files until the next compaction.
    pub buckets_left_out: Vec<String>,
    pub files_before: u64,
    pub files_after: u64,
    pub rows_before: u64,
    pub rows_after: u64,
    /// Rows of older versions of an Item.
    pub versions_dropped: u64,
    pub bytes_before: u64,
    pub bytes_after: u64,
    /// Ids, in the order of their commits; none where there was nothing to do.
    pub snapshots: Vec<i64>,
    /// Of what was older than the retention: snapshots, data files that only they named, and files that nothing names.
    pub snapshots_removed: u64,
    pub files_removed: u64,
    pub orphans_removed: u64,
    /// Why nothing was removed that is older than the retention, where the table or its folder forbids it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_removed: Option<String>,
    pub seconds: f64,
}

impl CompactSummary {
    /// Of a run that took so many seconds, and of the clean-up after it.
    pub fn new(replaced: Replaced, removed: &ExpireSummary, seconds: f64) -> Self {
        let Replaced { scanned, before, after, left_out, snapshots, .. } = replaced;
        Self {
            buckets_scanned: scanned.buckets,
            buckets_compacted: before.buckets,
            buckets_left_out: left_out,
            files_before: scanned.files,
            files_after: scanned.files - before.files + after.files,
            rows_before: scanned.rows,
            rows_after: scanned.rows - before.rows + after.rows,
            versions_dropped: before.rows.saturating_sub(after.rows),
            bytes_before: scanned.bytes,
            bytes_after: scanned.bytes - before.bytes + after.bytes,
            snapshots,
            snapshots_removed: removed.snapshots_removed,
            files_removed: removed.data_files_removed,
            orphans_removed: removed.orphans_removed,
            not_removed: None,
            seconds: millis(seconds),
        }
    }
}

impl fmt::Display for CompactSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "{name:<12}{value}");
        line("buckets", format!("{} compacted of {}", count(self.buckets_compacted), count(self.buckets_scanned)))?;
        if !self.buckets_left_out.is_empty() {
            let first = self.buckets_left_out.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let (n, more) = (self.buckets_left_out.len(), if self.buckets_left_out.len() > 3 { ", …" } else { "" });
            line(
                "left out",
                format!("{n} buckets, because another writer changed them: {first}{more}; compact again"),
            )?;
        }
        line("files", format!("{} before, {} after", count(self.files_before), count(self.files_after)))?;
        let dropped = count(self.versions_dropped);
        let (before, after) = (count(self.rows_before), count(self.rows_after));
        line("rows", format!("{before} before, {after} after; {dropped} rows of older versions were dropped"))?;
        line("bytes", format!("{} before, {} after", bytes(self.bytes_before), bytes(self.bytes_after)))?;
        if self.snapshots_removed + self.files_removed + self.orphans_removed > 0 {
            let (snapshots, files) = (count(self.snapshots_removed), count(self.files_removed));
            line("removed", format!("{snapshots} snapshots, {files} files, {} orphans", count(self.orphans_removed)))?;
        }
        if let Some(reason) = &self.not_removed {
            line("kept", reason.clone())?;
        }
        line("time", format!("{:.1} s", self.seconds))?;
        let snapshots: Vec<_> = self.snapshots.iter().map(i64::to_string).collect();
        let nothing = "none, because there was nothing to compact".to_owned();
        write!(f, "{:<12}{}", "snapshot", if snapshots.is_empty() { nothing } else { snapshots.join(", ") })
    }
}
