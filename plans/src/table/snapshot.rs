//! What a snapshot says of itself: its summary, and the metadata that it is a part of.

use std::collections::{BTreeMap, HashMap, HashSet};

use iceberg::spec::{MAIN_BRANCH, Operation, Snapshot, Summary, TableMetadata};

use super::committed_runs;
use super::deletes::DeleteFile;
use super::error::{Result, WarehouseError};
use super::ingest_record::RecordList;
use super::item_index::ItemIndex;
use super::manifests::files::LiveFile;
use super::state::{MAX_LAST_MODIFIED, TableState};
use crate::model::part_file::PartFile;

/// The metadata that follows `base`: with one more snapshot, which is the current one. That it is the commit of the run
/// `committed`, which has checkpoints, is noted.
pub(crate) fn on_top_of(
    base: &TableState,
    id: i64,
    mut summary: Summary,
    manifest_list: String,
    committed: Option<&str>,
) -> Result<TableMetadata> {
    let metadata = &base.metadata;
    inherit(&mut summary, base);
    let snapshot = Snapshot::builder()
        .with_snapshot_id(id)
        .with_parent_snapshot_id(metadata.current_snapshot_id())
        .with_sequence_number(metadata.next_sequence_number())
        // A writer whose clock is behind must not make history run backwards.
        .with_timestamp_ms(chrono::Utc::now().timestamp_millis().max(metadata.last_updated_ms()))
        .with_schema_id(metadata.current_schema_id())
        .with_summary(summary)
        .with_manifest_list(manifest_list)
        .build();
    let builder = base.next();
    let notes = committed.map(|run| committed_runs::note(run, id)).into_iter().collect();
    let next = builder.set_branch_snapshot(snapshot, MAIN_BRANCH).and_then(|builder| builder.set_properties(notes));
    let next = next.and_then(|builder| builder.build());
    Ok(next.map_err(WarehouseError::metadata(&base.metadata_location))?.metadata)
}

/// Hands on what the table knows of what has been ingested, and where the rows of an id are.
fn inherit(summary: &mut Summary, base: &TableState) {
    let same_rows = summary.operation == Operation::Replace;
    let properties = &mut summary.additional_properties;
    if !properties.contains_key(ItemIndex::PROPERTY) {
        let index = ItemIndex::after(base, base.metadata.next_sequence_number(), same_rows);
        properties.extend(index.map(|index| index.property()));
    }
    if let Some(record) = base.inherited(RecordList::PROPERTY) {
        properties.entry(RecordList::PROPERTY.to_owned()).or_insert_with(|| record.to_owned());
    }
    if let Some(before) = base.inherited(MAX_LAST_MODIFIED) {
        // Times of one form and zone are ordered as texts are.
        let newest = properties.entry(MAX_LAST_MODIFIED.to_owned()).or_default();
        if newest.as_str() < before {
            before.clone_into(newest);
        }
    }
}

/// Summary of a snapshot that adds and removes these files, and has no need of these delete files, on top of the current one.
pub(crate) fn summary(
    operation: Operation,
    added: &[PartFile],
    removed: &[LiveFile],
    applied: &[DeleteFile],
    own: &BTreeMap<String, String>,
    base: &TableMetadata,
) -> Summary {
    let buckets = added.iter().map(|file| (Some(file.cell.as_str()), file.year));
    let buckets: HashSet<_> = buckets.chain(removed.iter().map(|file| (file.cell.as_deref(), file.year))).collect();
    let applied = |by_position: bool| applied.iter().filter(move |file| file.is_by_position() == by_position);
    let rows_of_applied = |by_position: bool| applied(by_position).map(|file| file.rows).sum::<u64>();
    let [by_position, by_value] = [true, false].map(|by_position| applied(by_position).count() as u64);
    let bytes_of_applied = [true, false].into_iter().flat_map(applied).map(|file| file.bytes);
    let mut properties: HashMap<String, String> = own.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    for (name, number) in [
        ("added-data-files", added.len() as u64),
        ("added-records", added.iter().map(|file| file.rows).sum()),
        ("added-files-size", added.iter().map(|file| file.bytes).sum()),
        ("deleted-data-files", removed.len() as u64),
        ("deleted-records", removed.iter().map(|file| file.rows).sum()),
        ("removed-delete-files", by_position + by_value),
        ("removed-position-delete-files", by_position),
        ("removed-equality-delete-files", by_value),
        ("removed-position-deletes", rows_of_applied(true)),
        ("removed-equality-deletes", rows_of_applied(false)),
        ("removed-files-size", removed.iter().map(|file| file.bytes).chain(bytes_of_applied).sum()),
        ("changed-partition-count", buckets.len() as u64),
    ] {
        if number > 0 {
            properties.insert(name.to_owned(), number.to_string());
        }
    }
    let previous = base.current_snapshot().map(|s| s.summary());
    for (total, added, removed) in [
        ("total-data-files", "added-data-files", "deleted-data-files"),
        ("total-records", "added-records", "deleted-records"),
        ("total-files-size", "added-files-size", "removed-files-size"),
        ("total-delete-files", "added-delete-files", "removed-delete-files"),
        ("total-position-deletes", "added-position-deletes", "removed-position-deletes"),
        ("total-equality-deletes", "added-equality-deletes", "removed-equality-deletes"),
    ] {
        let number = |map: &HashMap<String, String>, key: &str| map.get(key).and_then(|v| v.parse::<u64>().ok());
        let change = |key: &str| number(&properties, key).unwrap_or_default();
        // Where an earlier writer left out a total, nobody knows it, and it stays out.
        let before = match previous {
            None => Some(0),
            Some(previous) => number(&previous.additional_properties, total),
        };
        let after = before.and_then(|before| (before + change(added)).checked_sub(change(removed)));
        if let Some(after) = after {
            properties.insert(total.to_owned(), after.to_string());
        }
    }
    Summary { operation, additional_properties: properties }
}
