//! [`Retention`]: which snapshots of a table stay, as its properties and references say, and the caller.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use iceberg::spec::{MAIN_BRANCH, SnapshotRetention, TableMetadata};

use super::summary::ExpireOptions;
use crate::table::leases::error::{MaintenanceError, Result};
use crate::table::references::Reference;

/// Table properties, and what holds without them: those of Iceberg.
const GC_ENABLED: &str = "gc.enabled";
const MAX_AGE: &str = "history.expire.max-snapshot-age-ms";
const MIN_SNAPSHOTS: &str = "history.expire.min-snapshots-to-keep";
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(5 * 24 * 60 * 60);
const DEFAULT_MIN_SNAPSHOTS: u64 = 1;

/// What of a table's history stays.
#[derive(Debug)]
pub(super) struct Retention {
    /// What was replaced until then, in milliseconds since 1970, goes.
    cutoff: i64,
    branches: Vec<Branch>,
    /// Snapshots that branches and tags name.
    referenced: HashSet<i64>,
}

#[derive(Debug)]
struct Branch {
    head: i64,
    cutoff: i64,
    /// Of its snapshots, the newest ones that stay.
    least: u64,
}

/// Errors where the table forbids that files are deleted.
pub(super) fn refuse_without_gc(metadata: &TableMetadata) -> Result<()> {
    match metadata.properties().get(GC_ENABLED) {
        Some(enabled) if enabled.eq_ignore_ascii_case("false") => Err(MaintenanceError::GcDisabled),
        _ => Ok(()),
    }
}

/// What ended until then goes: before the caller's retention, or the table's where there is none.
pub(super) fn cutoff(metadata: &TableMetadata, options: &ExpireOptions) -> DateTime<Utc> {
    let of_table = || number(metadata, MAX_AGE).map_or(DEFAULT_MAX_AGE, Duration::from_millis);
    before(options.retain.unwrap_or_else(of_table))
}

fn before(retain: Duration) -> DateTime<Utc> {
    if retain.is_zero() {
        // A clock that is ahead of ours must not make things stay.
        return DateTime::<Utc>::MAX_UTC;
    }
    let retain = chrono::TimeDelta::from_std(retain).ok();
    retain.and_then(|retain| Utc::now().checked_sub_signed(retain)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

fn number(metadata: &TableMetadata, property: &str) -> Option<u64> {
    metadata.properties().get(property)?.parse().ok()
}

impl Retention {
    /// Of `metadata`, whose references these are.
    ///
    /// A branch that has a retention of its own keeps to it, whatever the caller says; tags and branches themselves stay.
    pub fn new(metadata: &TableMetadata, references: &[Reference], cutoff: DateTime<Utc>) -> Self {
        let cutoff = cutoff.timestamp_millis();
        let least = number(metadata, MIN_SNAPSHOTS).unwrap_or(DEFAULT_MIN_SNAPSHOTS);
        let (mut main, mut branches) =
            (metadata.current_snapshot_id().map(|head| Branch { head, cutoff, least }), vec![]);
        let mut referenced = HashSet::new();
        for Reference { name, snapshot, retention } in references {
            referenced.insert(*snapshot);
            let SnapshotRetention::Branch { min_snapshots_to_keep, max_snapshot_age_ms, .. } = retention else {
                continue;
            };
            // A number below zero is no limit.
            let age = max_snapshot_age_ms.and_then(|age| u64::try_from(age).ok());
            let of_branch = age.map(|age| before(Duration::from_millis(age)).timestamp_millis());
            let branch = Branch {
                head: *snapshot,
                cutoff: of_branch.unwrap_or(cutoff),
                least: min_snapshots_to_keep.and_then(|least| u64::try_from(least).ok()).unwrap_or(least),
            };
            if name == MAIN_BRANCH { main = Some(branch) } else { branches.push(branch) }
        }
        branches.extend(main);
        Self { cutoff, branches, referenced }
    }

    /// The snapshots that go, in the order in which they were made. A snapshot's age counts from when another one
    /// replaced it.
    pub fn expired(&self, metadata: &TableMetadata) -> Vec<i64> {
        let replaced = replaced(metadata);
        let replaced = |id: i64, made: i64| replaced.get(&id).copied().unwrap_or(made);
        let (mut kept, mut of_branches) = (self.referenced.clone(), HashSet::new());
        kept.extend(metadata.current_snapshot_id());
        for branch in &self.branches {
            let mut snapshot = metadata.snapshot_by_id(branch.head);
            let mut nth = 0;
            while let Some(current) = snapshot {
                let id = current.snapshot_id();
                of_branches.insert(id);
                if nth < branch.least || replaced(id, current.timestamp_ms()) > branch.cutoff {
                    kept.insert(id);
                }
                nth += 1;
                snapshot = current.parent_snapshot_id().and_then(|parent| metadata.snapshot_by_id(parent));
            }
        }
        // Of no branch: what was rolled back, or staged.
        let is_young = |id, made| !of_branches.contains(&id) && replaced(id, made) > self.cutoff;
        let mut expired: Vec<_> = metadata
            .snapshots()
            .filter(|s| !kept.contains(&s.snapshot_id()) && !is_young(s.snapshot_id(), s.timestamp_ms()))
            .map(|s| (s.sequence_number(), s.snapshot_id()))
            .collect();
        expired.sort_unstable();
        expired.into_iter().map(|(_, id)| id).collect()
    }
}

/// When each snapshot was replaced, of those that were.
fn replaced(metadata: &TableMetadata) -> HashMap<i64, i64> {
    let mut replaced: HashMap<i64, i64> = HashMap::new();
    let mut note = |snapshot, time: i64| {
        let latest = replaced.entry(snapshot).or_insert(time);
        *latest = time.max(*latest);
    };
    for pair in metadata.history().windows(2) {
        note(pair[0].snapshot_id, pair[1].timestamp_ms);
    }
    // Branches, and what history no longer tells.
    for snapshot in metadata.snapshots() {
        if let Some(parent) = snapshot.parent_snapshot_id() {
            note(parent, snapshot.timestamp_ms());
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::super::tests::{append, part};
    use super::*;
    use crate::table::testing::warehouse;

    #[tokio::test]
    async fn age_counts_from_the_replacement_and_not_from_the_snapshot() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let mut ids = vec![];
        for n in 1..=4 {
            ids.push(append(&warehouse, [part(&warehouse, "81a", n)]).await);
        }
        let state = warehouse.load().await.unwrap();
        let time = |n: usize| state.metadata.snapshot_by_id(ids[n]).unwrap().timestamp_ms();
        let expired = |references: &[Reference], cutoff| {
            let cutoff = DateTime::from_timestamp_millis(cutoff).unwrap();
            Retention::new(&state.metadata, references, cutoff).expired(&state.metadata)
        };
        let end = time(3) + 1;
        // Commits may be so fast that two have the same time: what is expected is computed from the times.
        for cutoff in [time(0) - 1, time(1) - 1, time(1), time(2), time(3), end] {
            let expected: Vec<_> = (0..3).filter(|n| time(n + 1) <= cutoff).map(|n| ids[n]).collect();
            assert_eq!(expired(&[], cutoff), expected);
        }
        let reference = |name: &str, snapshot, retention| Reference { name: name.to_owned(), snapshot, retention };
        let tag = reference("t", ids[1], SnapshotRetention::Tag { max_ref_age_ms: None });
        assert_eq!(expired(&[tag], end), [ids[0], ids[2]]);
        let main = reference(MAIN_BRANCH, ids[3], SnapshotRetention::branch(Some(3), None, None));
        assert_eq!(expired(&[main], end), [ids[0]]);
    }

    #[tokio::test]
    async fn without_anything_said_five_days_count() {
        let folder = tempfile::tempdir().unwrap();
        let metadata = warehouse(&folder).await.load().await.unwrap();
        let before = Utc::now();
        let cutoff = cutoff(&metadata.metadata, &ExpireOptions::default());
        let retained = chrono::TimeDelta::days(5);
        assert!(before - retained <= cutoff && cutoff <= Utc::now() - retained);
    }
}
