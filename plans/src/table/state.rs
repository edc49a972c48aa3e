//! [`TableState`]: the table as one metadata document describes it, and what of it is to follow.

use std::collections::BTreeMap;

use chrono::DateTime;
use iceberg::spec::{SnapshotRef, SnapshotReference, TableMetadata, TableMetadataBuilder, TableMetadataRef};
use serde_json::Value;

use super::committed_runs;

/// Summary property of a snapshot with the id of the run that committed it.
pub const RUN: &str = "earthcatalog.run";

/// Summary property of a snapshot with what its run is called, where what it did does not tell.
pub const KIND: &str = "earthcatalog.kind";

/// Summary property of a snapshot with the number of Items that it removed.
pub const REMOVED: &str = "earthcatalog.removed";

/// Summary property of a snapshot with the number of Items that it gave other values.
pub const UPDATED: &str = "earthcatalog.updated";

/// Summary property of a snapshot with the newest `last_modified_date` of all objects that were ingested until then.
pub const MAX_LAST_MODIFIED: &str = "earthcatalog.max-last-modified";

/// The table as one metadata document describes it.
#[derive(Debug, Clone)]
pub struct TableState {
    pub metadata: TableMetadataRef,
    /// Iceberg location of the metadata file, which tells two states of a table apart.
    pub metadata_location: String,
}

impl TableState {
    /// The metadata that is to follow.
    pub(crate) fn next(&self) -> TableMetadataBuilder {
        self.metadata.as_ref().clone().into_builder(Some(self.metadata_location.clone()))
    }

    /// A property of the current snapshot that each of ours hands on to the next; of the last one that has it, where
    /// another engine has committed since.
    pub fn inherited(&self, property: &str) -> Option<&str> {
        let keeper = self.keeper(property)?;
        keeper.summary().additional_properties.get(property).map(String::as_str)
    }

    /// The snapshot of which the current one inherits `property`.
    pub(super) fn keeper(&self, property: &str) -> Option<&SnapshotRef> {
        self.line().find(|snapshot| snapshot.summary().additional_properties.contains_key(property))
    }

    /// Newest `last_modified_date` of the objects that were ingested, in milliseconds since 1970 UTC; `None` if unknown.
    pub fn max_last_modified(&self) -> Option<i64> {
        let time = DateTime::parse_from_rfc3339(self.inherited(MAX_LAST_MODIFIED)?).ok()?;
        Some(time.timestamp_millis())
    }

    /// The snapshot that a run committed, if it did and the table still retains it, or the run can be resumed. None that the
    /// table was rolled back from: its rows are not there.
    pub fn run_snapshot(&self, run: &str) -> Option<i64> {
        let of_run = |s: &&SnapshotRef| s.summary().additional_properties.get(RUN).is_some_and(|r| r == run);
        let retained = self.metadata.snapshots().filter(of_run).map(|s| s.snapshot_id());
        retained.chain(committed_runs::noted(&self.metadata, run)).find(|id| !self.is_rolled_back(*id))
    }

    /// Whether a snapshot is retained, and the current one does not descend from it.
    fn is_rolled_back(&self, snapshot: i64) -> bool {
        let Some(snapshot) = self.metadata.snapshot_by_id(snapshot) else { return false };
        let line: Vec<_> = self.line().map(|ancestor| (ancestor.snapshot_id(), ancestor.sequence_number())).collect();
        // Behind the last ancestor that is retained, nothing is known.
        let is_newer = line.last().is_none_or(|(_, oldest)| snapshot.sequence_number() > *oldest);
        is_newer && line.iter().all(|(id, _)| *id != snapshot.snapshot_id())
    }

    /// The current snapshot, and those that it descends from, as far as the table retains them.
    fn line(&self) -> impl Iterator<Item = &SnapshotRef> {
        self.line_of(self.metadata.current_snapshot())
    }

    /// A snapshot, and those that it descends from, as far as the table retains them.
    pub(crate) fn line_of<'a>(&'a self, snapshot: Option<&'a SnapshotRef>) -> impl Iterator<Item = &'a SnapshotRef> {
        let parent = |of: &&SnapshotRef| self.metadata.snapshot_by_id(of.parent_snapshot_id()?);
        std::iter::successors(snapshot, parent)
    }
}

/// What tags and branches name, `main` among them.
///
/// Iceberg's crate tells what a name means, and not which names there are.
pub(crate) fn snapshot_references(
    metadata: &TableMetadata,
) -> Result<BTreeMap<String, SnapshotReference>, serde_json::Error> {
    match serde_json::to_value(metadata)?.get_mut("refs").map(Value::take) {
        Some(references) if !references.is_null() => serde_json::from_value(references),
        _ => Ok(BTreeMap::new()),
    }
}
