//! What snapshots name in their summaries, beside Iceberg's own: the record of what was ingested, the known ids, and indexes.

use std::collections::{BTreeSet, HashSet};

use iceberg::io::FileIO;
use iceberg::spec::SnapshotRef;

use super::deletion::Doomed;
use crate::table::gone::unless_gone;
use crate::table::ingest_record::RecordList;
use crate::table::known_ids::KnownIds;
use crate::table::leases::error::Result;
use crate::table::location::to_location;
use crate::table::{ItemIndex, TableState, Warehouse, WarehouseError};

/// The documents that only `expired` snapshots name, and the files that only these name.
///
/// Nothing where a document cannot be read: then nobody knows what the others need. One that another engine has deleted needs
/// nothing; of one that another clean-up has, because it knows a newer state than `table`, nobody knows either.
pub(super) async fn only_in<'a>(
    warehouse: &Warehouse,
    table: &TableState,
    expired: impl IntoIterator<Item = &'a SnapshotRef>,
    stay: &[&'a SnapshotRef],
) -> Result<Vec<Doomed>> {
    let io = warehouse.io();
    let needed = documents(stay.iter().copied());
    let gone: BTreeSet<_> = documents(expired).difference(&needed).cloned().collect();
    if gone.is_empty() {
        return Ok(vec![]);
    }
    let (Ok((needed, are_there)), Ok((mut doomed, _))) = (named(io, &needed).await, named(io, &gone).await) else {
        return Ok(vec![]);
    };
    if !are_there && !warehouse.is_still(table).await? {
        return Ok(vec![]);
    }
    let needed: HashSet<String> = needed.into_iter().map(|file| file.location).collect();
    doomed.retain(|file| !needed.contains(&file.location));
    Ok(doomed)
}

/// Which kind a document is, and its Iceberg location, or what it is.
type Document = (&'static str, String);

fn documents<'a>(snapshots: impl IntoIterator<Item = &'a SnapshotRef>) -> BTreeSet<Document> {
    let of_snapshot = |snapshot: &'a SnapshotRef| {
        let properties = &snapshot.summary().additional_properties;
        [RecordList::PROPERTY, KnownIds::PROPERTY, ItemIndex::PROPERTY]
            .into_iter()
            .filter_map(|kind| Some((kind, properties.get(kind)?.clone())))
    };
    snapshots.into_iter().flat_map(of_snapshot).collect()
}

/// The documents, and the files that they name; and whether all of them are there.
async fn named(io: &FileIO, documents: &BTreeSet<Document>) -> Result<(Vec<Doomed>, bool), WarehouseError> {
    let (mut named, mut are_there) = (vec![], true);
    let mut seen = HashSet::new();
    for (kind, location) in documents {
        if *kind != ItemIndex::PROPERTY {
            named.push(Doomed { location: location.clone(), bytes: None });
        }
        let files: Vec<(String, u64)> = match *kind {
            // It is in the property itself.
            ItemIndex::PROPERTY => {
                let index: Option<ItemIndex> = serde_json::from_str(location).ok();
                index.into_iter().map(|index| (index.path, index.bytes)).collect()
            }
            RecordList::PROPERTY => {
                let list = unless_gone(io, location, RecordList::read(io, location)).await?;
                are_there &= list.is_some();
                list.unwrap_or_default().files.into_iter().map(|file| (file.path, file.bytes)).collect()
            }
            _ => {
                let known = unless_gone(io, location, KnownIds::read(io, location)).await?;
                are_there &= known.is_some();
                known.unwrap_or_default().files().map(|file| (file.path.clone(), file.bytes)).collect()
            }
        };
        for (path, bytes) in files {
            // A document names its files by URL.
            let url = url::Url::parse(&path)
                .map_err(|e| WarehouseError::InvalidLocation { location: path.clone(), reason: e.to_string() })?;
            let location = to_location(&url)?;
            if seen.insert(location.clone()) {
                named.push(Doomed { location, bytes: Some(bytes) });
            }
        }
    }
    Ok((named, are_there))
}
