//! Which runs have committed that can be started again, for as long as a checkpoint could repeat them.
//!
//! A run may die between its commit and the checkpoint that says so, and its snapshot may have expired since. So the commit
//! notes itself in the table's properties, which every engine hands on.

use std::collections::HashSet;

use iceberg::spec::TableMetadata;

/// Table property with the snapshot that a run committed which has checkpoints, behind it the id of its commit.
const COMMITTED: &str = "earthcatalog.committed.";

/// The property that notes the commit of a run.
pub(super) fn note(run: &str, snapshot: i64) -> (String, String) {
    (format!("{COMMITTED}{run}"), snapshot.to_string())
}

/// The snapshot that a run committed, whether or not it is retained.
pub(super) fn noted(metadata: &TableMetadata, run: &str) -> Option<i64> {
    metadata.properties().get(&format!("{COMMITTED}{run}"))?.parse().ok()
}

/// The properties of a table that note commits which no checkpoint can repeat: all but those of `unfinished` runs, by the
/// ids of their commits.
pub(crate) fn needless_notes(metadata: &TableMetadata, unfinished: impl IntoIterator<Item = String>) -> Vec<String> {
    let unfinished: HashSet<String> = unfinished.into_iter().map(|commit| format!("{COMMITTED}{commit}")).collect();
    let notes = metadata.properties().keys().filter(|key| key.starts_with(COMMITTED));
    notes.filter(|key| !unfinished.contains(*key)).cloned().collect()
}
