//! [`AsOf`]: which state of a table is meant.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use iceberg::spec::{SnapshotRef, TableMetadata};

use super::error::{Result, WarehouseError};
use crate::model::time::parse_period;

/// Snapshots that an error lists.
const LISTED: usize = 5;

/// Which state of a table is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AsOf {
    Snapshot(i64),
    /// The newest snapshot that was there at that time.
    Time(DateTime<Utc>),
    /// The snapshot that a tag or branch of this name names.
    Reference(String),
}

impl AsOf {
    /// Reads what people write: a time (of a day, a month or a year, its end), the id of a snapshot, or else the name of a
    /// tag or branch.
    pub fn parse(text: &str) -> Self {
        match (parse_period(text), text.parse()) {
            (Some(period), _) => Self::Time(*period.end()),
            (None, Ok(id)) => Self::Snapshot(id),
            (None, Err(_)) => Self::Reference(text.to_owned()),
        }
    }

    /// The snapshot that is meant.
    ///
    /// Errors with [`WarehouseError::NoSnapshot`]: there is none, or none any more; the message lists those that are nearest.
    pub fn find<'a>(&self, metadata: &'a TableMetadata) -> Result<&'a SnapshotRef> {
        let found = match self {
            Self::Snapshot(id) => metadata.snapshot_by_id(*id),
            Self::Time(time) => {
                let mut entries = metadata.history().iter().rev();
                let entry = entries.find(|entry| entry.timestamp_ms() <= time.timestamp_millis());
                entry.and_then(|entry| metadata.snapshot_by_id(entry.snapshot_id))
            }
            Self::Reference(name) => metadata.snapshot_for_ref(name),
        };
        found.ok_or_else(|| WarehouseError::NoSnapshot { wanted: self.to_string(), there: self.there(metadata) })
    }

    /// What there is in place of a snapshot that there is not.
    fn there(&self, metadata: &TableMetadata) -> String {
        let mut snapshots: Vec<_> = metadata.snapshots().collect();
        snapshots.sort_by_key(|snapshot| match self {
            Self::Snapshot(id) => (snapshot.snapshot_id().abs_diff(*id), 0),
            Self::Time(time) => (snapshot.timestamp_ms().abs_diff(time.timestamp_millis()), snapshot.snapshot_id()),
            Self::Reference(_) => (snapshot.sequence_number().abs_diff(i64::MAX), 0),
        });
        let listed = snapshots.iter().take(LISTED).map(|s| format!("{} of {}", s.snapshot_id(), committed_at(s)));
        match (listed.collect::<Vec<_>>().join(", "), self) {
            (none, _) if none.is_empty() => "it has no snapshot".to_owned(),
            (newest, Self::Reference(_)) => {
                format!(
                    "give a tag or branch of \"items$refs\", a date ('2025-01-31'), a time ('2025-01-31T12:00:00Z') or an id of \"items$snapshots\", of which the newest are {newest}"
                )
            }
            (nearest, _) => format!("nearest are {nearest}"),
        }
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(id) => write!(f, "snapshot {id}"),
            Self::Time(time) => write!(f, "snapshot as of {}", time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::Reference(name) => write!(f, "tag or branch '{name}'"),
        }
    }
}

fn committed_at(snapshot: &SnapshotRef) -> String {
    let time = Utc.timestamp_millis_opt(snapshot.timestamp_ms()).single();
    time.map_or_else(String::new, |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}
