//! What maintenance is asked to do, and what it did.

use std::ops::AddAssign;
use std::time::Duration;

use serde::Serialize;

use crate::table::leases::MaintenanceError;

/// What [`clean`](super::clean) and its steps keep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ExpireOptions {
    /// How long a snapshot, and the files that only it needs, stay after another one replaced it: for readers that opened
    /// the table before. Files that no snapshot ever named stay as long after they were written, for runs to come to
    /// their commit. With zero everything goes that is not current, and that no branch or tag keeps. As long as the table
    /// says where it is `None`: `history.expire.max-snapshot-age-ms`, or five days.
    pub retain: Option<Duration>,
    /// Counts what would go, and touches nothing.
    pub dry_run: bool,
}

/// What went, or with `dry_run` would go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ExpireSummary {
    pub snapshots_removed: u64,
    /// Data files that only removed snapshots named.
    pub data_files_removed: u64,
    /// Metadata files that only removed snapshots, or older metadata, named.
    pub metadata_files_removed: u64,
    /// Files that nothing named, of either kind, and what killed processes left half-written.
    pub orphans_removed: u64,
    pub bytes_removed: u64,
    /// Small manifests that were merged into larger ones.
    pub manifests_merged: u64,
    pub seconds: f64,
}

impl AddAssign for ExpireSummary {
    fn add_assign(&mut self, other: Self) {
        self.snapshots_removed += other.snapshots_removed;
        self.data_files_removed += other.data_files_removed;
        self.metadata_files_removed += other.metadata_files_removed;
        self.orphans_removed += other.orphans_removed;
        self.bytes_removed += other.bytes_removed;
        self.manifests_merged += other.manifests_merged;
        self.seconds += other.seconds;
    }
}

/// What a clean-up did, and why it left files alone, if it had to.
#[derive(Debug, Default)]
pub struct Cleaned {
    pub summary: ExpireSummary,
    /// A refusal; what the summary says was done nevertheless.
    pub refused: Option<MaintenanceError>,
}
