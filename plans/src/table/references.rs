//! [`ReferenceChange`]: changes what the tags and branches of a table name; a rollback is a change of the branch `main`.

use iceberg::spec::{MAIN_BRANCH, SnapshotReference, SnapshotRetention, TableMetadata};

use super::as_of::AsOf;
use super::error::{Result, WarehouseError};
use super::leases::error::{MaintenanceError, Result as Maintained};
use super::manifests::MetadataFiles;
use super::rewrite::{Rewrite, rewrite_metadata};
use super::state::snapshot_references;
use super::{TableState, Warehouse};

/// A tag or branch of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub name: String,
    pub snapshot: i64,
    pub retention: SnapshotRetention,
}

/// What a reference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReferenceKind {
    /// It stays where it is.
    Tag,
    /// Other engines commit to it, and it moves on.
    Branch,
}

/// What is to become of a tag, a branch, or the state of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReferenceChange {
    /// The table has the rows that it had then. What came after stays as a snapshot until it expires.
    Rollback {
        to: AsOf,
    },
    /// A new reference to a snapshot, the current one where none is named.
    Create {
        kind: ReferenceKind,
        name: String,
        at: Option<AsOf>,
    },
    Drop {
        kind: ReferenceKind,
        name: String,
    },
}

/// What a reference named, and what it names now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedReference {
    pub name: String,
    /// `None` of a new one.
    pub before: Option<i64>,
    /// `None` of one that is gone.
    pub after: Option<i64>,
}

impl Reference {
    /// The references of a table, by name; `main`, the table itself, is one.
    ///
    /// Errors with [`WarehouseError::InvalidReferences`] where the metadata says something else.
    pub fn all(metadata: &TableMetadata) -> Result<Vec<Self>> {
        let failed = |e: serde_json::Error| WarehouseError::InvalidReferences { reason: e.to_string() };
        let all = snapshot_references(metadata).map_err(failed)?.into_iter();
        Ok(all.map(|(name, of)| Self { name, snapshot: of.snapshot_id, retention: of.retention }).collect())
    }

    pub fn kind(&self) -> ReferenceKind {
        match self.retention {
            SnapshotRetention::Branch { .. } => ReferenceKind::Branch,
            SnapshotRetention::Tag { .. } => ReferenceKind::Tag,
        }
    }
}

impl ReferenceKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Branch => "branch",
        }
    }
}

impl ReferenceChange {
    /// Makes the change visible, beside any other writer; `None` where all is so already. With `dry_run` nothing changes.
    ///
    /// Errors: there is no such snapshot or reference; there is one of that name already; it cannot have that name; else as
    /// [`MaintenanceError`] says.
    pub async fn commit(&self, warehouse: &Warehouse, dry_run: bool) -> Maintained<Option<MovedReference>> {
        if dry_run {
            return Ok(self.planned(&*warehouse.load().await?)?.map(|(moved, _)| moved));
        }
        rewrite_metadata(warehouse, "references", self).await
    }

    /// What becomes of a reference, and the one to come, if it is not to go.
    fn planned(&self, base: &TableState) -> Result<Option<(MovedReference, Option<SnapshotReference>)>> {
        let metadata = &base.metadata;
        let all = Reference::all(metadata)?;
        let named = |name: &str| all.iter().find(|reference| reference.name == name);
        let (name, next, before) = match self {
            Self::Rollback { to } => {
                let main = named(MAIN_BRANCH);
                let retention = main.map(|main| main.retention.clone());
                let retention = retention.unwrap_or_else(|| SnapshotRetention::branch(None, None, None));
                let next = SnapshotReference::new(to.find(metadata)?.snapshot_id(), retention);
                (MAIN_BRANCH, Some(next), metadata.current_snapshot_id())
            }
            Self::Create { kind, name, at } => {
                check_name(name)?;
                let snapshot = match at {
                    Some(at) => at.find(metadata)?.snapshot_id(),
                    None => metadata.current_snapshot_id().ok_or(WarehouseError::NoSnapshot {
                        wanted: "current snapshot".to_owned(),
                        there: "nothing was ingested yet".to_owned(),
                    })?,
                };
                if let Some(there) = named(name) {
                    let (kind, name) = (there.kind().name(), name.clone());
                    return Err(WarehouseError::HasReference { kind, name, snapshot: there.snapshot });
                }
                let retention = match kind {
                    ReferenceKind::Tag => SnapshotRetention::Tag { max_ref_age_ms: None },
                    ReferenceKind::Branch => SnapshotRetention::branch(None, None, None),
                };
                (name.as_str(), Some(SnapshotReference::new(snapshot, retention)), None)
            }
            Self::Drop { name, .. } if name == MAIN_BRANCH => return Err(reserved(name, "it is the table itself")),
            Self::Drop { kind, name } => match named(name).filter(|reference| reference.kind() == *kind) {
                Some(there) => (name.as_str(), None, Some(there.snapshot)),
                None => {
                    let names = all.iter().filter(|reference| reference.kind() == *kind);
                    let names: Vec<_> = names.map(|r| r.name.clone()).filter(|name| name != MAIN_BRANCH).collect();
                    return Err(WarehouseError::NoReference { kind: kind.name(), name: name.clone(), names });
                }
            },
        };
        let after = next.as_ref().map(|reference| reference.snapshot_id);
        let moved = MovedReference { name: name.to_owned(), before, after };
        Ok((before != after).then_some((moved, next)))
    }
}

impl Rewrite for ReferenceChange {
    type Outcome = MovedReference;

    async fn rewrite(
        &self,
        base: &TableState,
        _: &mut MetadataFiles,
    ) -> Maintained<Option<(TableMetadata, MovedReference)>> {
        let Some((moved, next)) = self.planned(base)? else { return Ok(None) };
        let failed = |e| MaintenanceError::from(WarehouseError::metadata(&base.metadata_location)(e));
        let builder = base.next();
        let builder = match next {
            Some(reference) => builder.set_ref(&moved.name, reference).map_err(failed)?,
            None => builder.remove_ref(&moved.name),
        };
        Ok(Some((builder.build().map_err(failed)?.metadata, moved)))
    }
}

/// Errors where a name means something else wherever a state of the table is named.
fn check_name(name: &str) -> Result<()> {
    match AsOf::parse(name) {
        AsOf::Time(_) => Err(reserved(name, "it reads as a time")),
        AsOf::Snapshot(_) => Err(reserved(name, "it reads as the id of a snapshot")),
        AsOf::Reference(_) if name.trim().is_empty() => Err(reserved(name, "it is empty")),
        AsOf::Reference(_) if name == MAIN_BRANCH => Err(reserved(name, "it is the table itself")),
        AsOf::Reference(_) => Ok(()),
    }
}

fn reserved(name: &str, reason: &'static str) -> WarehouseError {
    WarehouseError::ReservedName { name: name.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::testing::{Row, warehouse, write_part};
    use crate::table::{Change, Committer};

    async fn commit(warehouse: &Warehouse, name: &str) -> i64 {
        let part = write_part(warehouse, "81a", name, &[Row::new(name, Some((2020, 1, 1)))]);
        let change = Change { add: vec![part], ..Change::default() };
        Committer::new(warehouse.clone()).commit(change).await.unwrap().snapshot
    }

    fn create(kind: ReferenceKind, name: &str, at: Option<AsOf>) -> ReferenceChange {
        ReferenceChange::Create { kind, name: name.to_owned(), at }
    }

    fn dropped(kind: ReferenceKind, name: &str) -> ReferenceChange {
        ReferenceChange::Drop { kind, name: name.to_owned() }
    }

    async fn names(warehouse: &Warehouse) -> Vec<(String, i64)> {
        let state = warehouse.load().await.unwrap();
        let all = Reference::all(&state.metadata).unwrap();
        all.into_iter().map(|reference| (reference.name, reference.snapshot)).collect()
    }

    #[tokio::test]
    async fn references_come_and_go_and_a_rollback_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let empty = create(ReferenceKind::Tag, "t", None).commit(&warehouse, false).await.unwrap_err().to_string();
        assert!(empty.contains("nothing was ingested yet"), "{empty}");
        let (one, two) = (commit(&warehouse, "1").await, commit(&warehouse, "2").await);
        let main = |snapshot| ("main".to_owned(), snapshot);

        let tag = create(ReferenceKind::Tag, "release 1", Some(AsOf::Snapshot(one)));
        let moved = tag.commit(&warehouse, true).await.unwrap().unwrap();
        assert_eq!((moved.before, moved.after), (None, Some(one)));
        assert_eq!(names(&warehouse).await, [main(two)], "a dry run changes nothing");
        tag.commit(&warehouse, false).await.unwrap().unwrap();
        create(ReferenceKind::Branch, "ünë", None).commit(&warehouse, false).await.unwrap().unwrap();
        assert_eq!(names(&warehouse).await, [main(two), ("release 1".into(), one), ("ünë".into(), two)]);

        let back = ReferenceChange::Rollback { to: AsOf::parse("release 1") };
        let moved = back.commit(&warehouse, false).await.unwrap().unwrap();
        assert_eq!((moved.name.as_str(), moved.before, moved.after), ("main", Some(two), Some(one)));
        assert_eq!(back.commit(&warehouse, false).await.unwrap(), None, "it is there already");
        let history: Vec<_> =
            warehouse.load().await.unwrap().metadata.history().iter().map(|entry| entry.snapshot_id).collect();
        assert_eq!(history, [one, two, one]);
        // What comes next stands on what is there.
        let three = commit(&warehouse, "3").await;
        let state = warehouse.load().await.unwrap();
        assert_eq!(state.metadata.snapshot_by_id(three).unwrap().parent_snapshot_id(), Some(one));
        let forth = ReferenceChange::Rollback { to: AsOf::Snapshot(two) };
        assert_eq!(forth.commit(&warehouse, false).await.unwrap().unwrap().after, Some(two));

        for change in [dropped(ReferenceKind::Tag, "release 1"), dropped(ReferenceKind::Branch, "ünë")] {
            assert_eq!(change.commit(&warehouse, false).await.unwrap().unwrap().after, None);
        }
        assert_eq!(names(&warehouse).await, [main(two)]);
    }

    #[tokio::test]
    async fn what_cannot_be_meant_changes_nothing_and_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let one = commit(&warehouse, "1").await;
        create(ReferenceKind::Tag, "t", None).commit(&warehouse, false).await.unwrap();
        let before = warehouse.load().await.unwrap().metadata_location.clone();
        for (change, words) in [
            (create(ReferenceKind::Tag, "t", None), format!("a tag 't' already, of snapshot {one}")),
            (create(ReferenceKind::Branch, "t", None), format!("a tag 't' already, of snapshot {one}")),
            (create(ReferenceKind::Tag, "2025-01", None), "'2025-01' cannot be a name: it reads as a time".to_owned()),
            (create(ReferenceKind::Tag, "20250131", None), "it reads as".to_owned()),
            (create(ReferenceKind::Tag, " ", None), "it is empty".to_owned()),
            (create(ReferenceKind::Branch, "main", None), "it is the table itself".to_owned()),
            (create(ReferenceKind::Tag, "u", Some(AsOf::Snapshot(42))), "no snapshot 42, or no longer".to_owned()),
            (dropped(ReferenceKind::Tag, "main"), "it is the table itself".to_owned()),
            (dropped(ReferenceKind::Tag, "u"), "no tag 'u'; it has 't'".to_owned()),
            (dropped(ReferenceKind::Branch, "t"), "no branch 't'; it has none".to_owned()),
            (ReferenceChange::Rollback { to: AsOf::parse("yesterday") }, "no tag or branch 'yesterday'".to_owned()),
        ] {
            let error = change.commit(&warehouse, false).await.unwrap_err().to_string();
            assert!(error.contains(&words), "{change:?}: {error}");
        }
        assert_eq!(warehouse.load().await.unwrap().metadata_location, before);
    }
}
