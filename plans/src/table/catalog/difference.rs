//! What leads from one metadata document of a table to another, in the words of Iceberg's REST protocol.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use iceberg::spec::{MAIN_BRANCH, Snapshot, SnapshotReference, TableMetadata};
use iceberg::{TableRequirement, TableUpdate};

use crate::table::state::snapshot_references;

/// In updates, the schema, partition spec or sort order that was added last, whatever its id will be.
const LAST_ADDED: i32 = -1;

/// A change of a table, and what it stands on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub requirements: Vec<TableRequirement>,
    /// In the order in which they apply. Empty where both documents say the same.
    pub updates: Vec<TableUpdate>,
}

/// What leads from `base` to `next`. When tables were updated, and which files had their metadata before, is the catalog's to say.
///
/// Errors, with what it is, where they differ in something that no update can change.
pub(super) fn between(base: &TableMetadata, next: &TableMetadata) -> Result<Difference, String> {
    let (before, after) = (references(base)?, references(next)?);
    let updates = updates(base, next, &before, &after);
    let mut builder = base.clone().into_builder(None);
    for update in updates.clone() {
        builder = update.apply(builder).map_err(|e| e.message().to_owned())?;
    }
    let reached = match updates.is_empty() {
        true => base.clone(),
        false => builder.build().map_err(|e| e.message().to_owned())?.metadata,
    };
    match difference_in(&reached, next)? {
        Some(what) => Err(format!("its {what} would change otherwise than by an update of a table")),
        None => Ok(Difference { requirements: requirements(base, &updates, &before), updates }),
    }
}

/// Whether what leads from `base` to `next` is in `now` already.
pub(super) fn is_in(now: &TableMetadata, base: &TableMetadata, next: &TableMetadata) -> bool {
    let Ok(Difference { updates, .. }) = between(base, next) else { return false };
    let Ok(references) = references(now) else { return false };
    let property = |name: &String| now.properties().get(name);
    updates.iter().all(|update| match update {
        TableUpdate::SetLocation { location } => now.location() == location,
        TableUpdate::SetProperties { updates } => updates.iter().all(|(name, value)| property(name) == Some(value)),
        TableUpdate::RemoveProperties { removals } => removals.iter().all(|name| property(name).is_none()),
        TableUpdate::AddSchema { .. } | TableUpdate::SetCurrentSchema { .. } => {
            now.current_schema().as_struct() == next.current_schema().as_struct()
        }
        TableUpdate::AddSpec { .. } | TableUpdate::SetDefaultSpec { .. } => {
            now.default_partition_spec().fields() == next.default_partition_spec().fields()
        }
        TableUpdate::AddSortOrder { .. } | TableUpdate::SetDefaultSortOrder { .. } => {
            now.default_sort_order().fields == next.default_sort_order().fields
        }
        TableUpdate::AddSnapshot { snapshot } => now.snapshot_by_id(snapshot.snapshot_id()).is_some(),
        TableUpdate::RemoveSnapshots { snapshot_ids } => {
            snapshot_ids.iter().all(|id| now.snapshot_by_id(*id).is_none())
        }
        TableUpdate::SetSnapshotRef { ref_name, reference } => references.get(ref_name) == Some(reference),
        TableUpdate::RemoveSnapshotRef { ref_name } => !references.contains_key(ref_name),
        TableUpdate::SetStatistics { statistics } => {
            now.statistics_for_snapshot(statistics.snapshot_id) == Some(statistics)
        }
        TableUpdate::RemoveStatistics { snapshot_id } => now.statistics_for_snapshot(*snapshot_id).is_none(),
        TableUpdate::SetPartitionStatistics { partition_statistics } => {
            now.partition_statistics_for_snapshot(partition_statistics.snapshot_id) == Some(partition_statistics)
        }
        TableUpdate::RemovePartitionStatistics { snapshot_id } => {
            now.partition_statistics_for_snapshot(*snapshot_id).is_none()
        }
        TableUpdate::UpgradeFormatVersion { format_version } => now.format_version() == *format_version,
        TableUpdate::RemoveSchemas { schema_ids } => schema_ids.iter().all(|id| now.schema_by_id(*id).is_none()),
        TableUpdate::RemovePartitionSpecs { spec_ids } => {
            spec_ids.iter().all(|id| now.partition_spec_by_id(*id).is_none())
        }
        // None that `updates` makes.
        TableUpdate::AssignUuid { .. }
        | TableUpdate::AddEncryptionKey { .. }
        | TableUpdate::RemoveEncryptionKey { .. } => false,
    })
}

type References = BTreeMap<String, SnapshotReference>;

fn references(metadata: &TableMetadata) -> Result<References, String> {
    snapshot_references(metadata).map_err(|e| e.to_string())
}

fn updates(base: &TableMetadata, next: &TableMetadata, before: &References, after: &References) -> Vec<TableUpdate> {
    let mut updates = vec![];
    if base.format_version() < next.format_version() {
        updates.push(TableUpdate::UpgradeFormatVersion { format_version: next.format_version() });
    }
    if base.location() != next.location() {
        updates.push(TableUpdate::SetLocation { location: next.location().to_owned() });
    }
    properties(base, next, &mut updates);
    schema(base, next, &mut updates);
    partitioning(base, next, &mut updates);
    sort_order(base, next, &mut updates);

    let mut new: Vec<&Snapshot> =
        next.snapshots().filter(|s| base.snapshot_by_id(s.snapshot_id()).is_none()).map(AsRef::as_ref).collect();
    new.sort_by_key(|snapshot| snapshot.sequence_number());
    updates.extend(new.into_iter().map(|snapshot| TableUpdate::AddSnapshot { snapshot: snapshot.clone() }));
    for (name, reference) in after.iter().filter(|(name, reference)| before.get(*name) != Some(*reference)) {
        updates.push(TableUpdate::SetSnapshotRef { ref_name: name.clone(), reference: reference.clone() });
    }
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    updates.extend(gone.map(|name| TableUpdate::RemoveSnapshotRef { ref_name: name.clone() }));
    statistics(base, next, &mut updates);
    let gone = base.snapshots().map(|snapshot| snapshot.snapshot_id());
    let mut snapshot_ids: Vec<i64> = gone.filter(|id| next.snapshot_by_id(*id).is_none()).collect();
    snapshot_ids.sort_unstable();
    if !snapshot_ids.is_empty() {
        updates.push(TableUpdate::RemoveSnapshots { snapshot_ids });
    }

    // No longer the current ones by now.
    let gone = base.partition_specs_iter().map(|spec| spec.spec_id());
    let spec_ids: Vec<i32> = gone.filter(|id| next.partition_spec_by_id(*id).is_none()).collect();
    if !spec_ids.is_empty() {
        updates.push(TableUpdate::RemovePartitionSpecs { spec_ids });
    }
    let gone = base.schemas_iter().map(|schema| schema.schema_id());
    let schema_ids: Vec<i32> = gone.filter(|id| next.schema_by_id(*id).is_none()).collect();
    if !schema_ids.is_empty() {
        updates.push(TableUpdate::RemoveSchemas { schema_ids });
    }
    updates
}

fn properties(base: &TableMetadata, next: &TableMetadata, updates: &mut Vec<TableUpdate>) {
    let (before, after) = (base.properties(), next.properties());
    let changed = after.iter().filter(|(name, value)| before.get(*name) != Some(*value));
    let changed: HashMap<String, String> = changed.map(|(name, value)| (name.clone(), value.clone())).collect();
    if !changed.is_empty() {
        updates.push(TableUpdate::SetProperties { updates: changed });
    }
    let gone: BTreeSet<String> = before.keys().filter(|name| !after.contains_key(*name)).cloned().collect();
    if !gone.is_empty() {
        updates.push(TableUpdate::RemoveProperties { removals: gone.into_iter().collect() });
    }
}

fn schema(base: &TableMetadata, next: &TableMetadata, updates: &mut Vec<TableUpdate>) {
    let new = next.schemas_iter().filter(|schema| base.schema_by_id(schema.schema_id()).is_none());
    let new: BTreeMap<i32, _> = new.map(|schema| (schema.schema_id(), schema.as_ref().clone())).collect();
    let last = new.keys().next_back().copied();
    updates.extend(new.into_values().map(|schema| TableUpdate::AddSchema { schema }));
    let current = next.current_schema_id();
    if base.current_schema_id() != current {
        let schema_id = if last == Some(current) { LAST_ADDED } else { current };
        updates.push(TableUpdate::SetCurrentSchema { schema_id });
    }
}

fn partitioning(base: &TableMetadata, next: &TableMetadata, updates: &mut Vec<TableUpdate>) {
    let new = next.partition_specs_iter().filter(|spec| base.partition_spec_by_id(spec.spec_id()).is_none());
    let new: BTreeMap<i32, _> = new.map(|spec| (spec.spec_id(), spec.as_ref().clone().into_unbound())).collect();
    let last = new.keys().next_back().copied();
    updates.extend(new.into_values().map(|spec| TableUpdate::AddSpec { spec }));
    let default = next.default_partition_spec_id();
    if base.default_partition_spec_id() != default {
        let spec_id = if last == Some(default) { LAST_ADDED } else { default };
        updates.push(TableUpdate::SetDefaultSpec { spec_id });
    }
}

fn sort_order(base: &TableMetadata, next: &TableMetadata, updates: &mut Vec<TableUpdate>) {
    let new = next.sort_orders_iter().filter(|order| base.sort_order_by_id(order.order_id).is_none());
    let new: BTreeMap<i64, _> = new.map(|order| (order.order_id, order.as_ref().clone())).collect();
    let last = new.keys().next_back().copied();
    updates.extend(new.into_values().map(|sort_order| TableUpdate::AddSortOrder { sort_order }));
    let default = next.default_sort_order_id();
    if base.default_sort_order_id() != default {
        let sort_order_id = if last == Some(default) { i64::from(LAST_ADDED) } else { default };
        updates.push(TableUpdate::SetDefaultSortOrder { sort_order_id });
    }
}

fn statistics(base: &TableMetadata, next: &TableMetadata, updates: &mut Vec<TableUpdate>) {
    let gone = base.statistics_iter().map(|file| file.snapshot_id);
    let gone = gone.filter(|id| next.statistics_for_snapshot(*id).is_none());
    updates.extend(gone.map(|snapshot_id| TableUpdate::RemoveStatistics { snapshot_id }));
    let gone = base.partition_statistics_iter().map(|file| file.snapshot_id);
    let gone = gone.filter(|id| next.partition_statistics_for_snapshot(*id).is_none());
    updates.extend(gone.map(|snapshot_id| TableUpdate::RemovePartitionStatistics { snapshot_id }));
    let set = next.statistics_iter().filter(|file| base.statistics_for_snapshot(file.snapshot_id) != Some(*file));
    updates.extend(set.map(|file| TableUpdate::SetStatistics { statistics: file.clone() }));
    let set = next
        .partition_statistics_iter()
        .filter(|file| base.partition_statistics_for_snapshot(file.snapshot_id) != Some(*file));
    updates.extend(set.map(|file| TableUpdate::SetPartitionStatistics { partition_statistics: file.clone() }));
}

/// What must hold of a table for a change that was made for `base`: it is the same table, of the same columns, partitioning, order
/// and rows; what the change says of tags and branches was read from `base`; and where snapshots go, so was what names them.
fn requirements(base: &TableMetadata, updates: &[TableUpdate], before: &References) -> Vec<TableRequirement> {
    let mut named: BTreeSet<&str> = [MAIN_BRANCH].into();
    for update in updates {
        match update {
            TableUpdate::SetSnapshotRef { ref_name, .. } | TableUpdate::RemoveSnapshotRef { ref_name } => {
                named.insert(ref_name);
            }
            TableUpdate::RemoveSnapshots { .. } => named.extend(before.keys().map(String::as_str)),
            _ => {}
        }
    }
    let mut requirements = vec![
        TableRequirement::UuidMatch { uuid: base.uuid() },
        TableRequirement::CurrentSchemaIdMatch { current_schema_id: base.current_schema_id() },
        TableRequirement::LastAssignedFieldIdMatch { last_assigned_field_id: base.last_column_id() },
        TableRequirement::DefaultSpecIdMatch { default_spec_id: base.default_partition_spec_id() },
        TableRequirement::LastAssignedPartitionIdMatch { last_assigned_partition_id: base.last_partition_id() },
        TableRequirement::DefaultSortOrderIdMatch { default_sort_order_id: base.default_sort_order_id() },
    ];
    requirements.extend(named.into_iter().map(|name| TableRequirement::RefSnapshotIdMatch {
        r#ref: name.to_owned(),
        snapshot_id: before.get(name).map(|reference| reference.snapshot_id),
    }));
    requirements
}

/// What the two documents say otherwise, but for times and for the files of earlier metadata.
fn difference_in(one: &TableMetadata, other: &TableMetadata) -> Result<Option<&'static str>, String> {
    fn by_id<'a, K: Ord, V: 'a>(all: impl Iterator<Item = &'a V>, id: impl Fn(&V) -> K) -> BTreeMap<K, &'a V> {
        all.map(|one| (id(one), one)).collect()
    }
    let history =
        |metadata: &TableMetadata| metadata.history().iter().map(|entry| entry.snapshot_id).collect::<Vec<_>>();
    let schemas = [one, other].map(|of| by_id(of.schemas_iter(), |s| s.schema_id()));
    let specs = [one, other].map(|of| by_id(of.partition_specs_iter(), |s| s.spec_id()));
    let orders = [one, other].map(|of| by_id(of.sort_orders_iter(), |s| s.order_id));
    let snapshots = [one, other].map(|of| by_id(of.snapshots(), |s| s.snapshot_id()));
    let statistics = [one, other].map(|of| by_id(of.statistics_iter(), |s| s.snapshot_id));
    let of_partitions = [one, other].map(|of| by_id(of.partition_statistics_iter(), |s| s.snapshot_id));
    let keys = [one, other].map(|of| by_id(of.encryption_keys_iter(), |key| key.key_id().to_owned()));
    let checks = [
        ("table-uuid", one.uuid() == other.uuid()),
        ("format version", one.format_version() == other.format_version()),
        ("location", one.location() == other.location()),
        ("properties", one.properties() == other.properties()),
        ("schemas", schemas[0] == schemas[1] && one.current_schema_id() == other.current_schema_id()),
        ("last column id", one.last_column_id() == other.last_column_id()),
        (
            "partition specs",
            specs[0] == specs[1] && one.default_partition_spec_id() == other.default_partition_spec_id(),
        ),
        ("last partition id", one.last_partition_id() == other.last_partition_id()),
        ("sort orders", orders[0] == orders[1] && one.default_sort_order_id() == other.default_sort_order_id()),
        ("snapshots", snapshots[0] == snapshots[1] && one.last_sequence_number() == other.last_sequence_number()),
        ("current snapshot", one.current_snapshot_id() == other.current_snapshot_id()),
        ("tags and branches", references(one)? == references(other)?),
        ("history", history(one) == history(other)),
        ("statistics", statistics[0] == statistics[1] && of_partitions[0] == of_partitions[1]),
        ("encryption keys", keys[0] == keys[1]),
    ];
    Ok(checks.into_iter().find(|(_, same)| !same).map(|(what, _)| what))
}

#[cfg(test)]
mod tests {
    use iceberg::spec::{NestedField, PrimitiveType, SnapshotRetention, StatisticsFile, TableMetadataBuilder, Type};
    use serde_json::{Value, json};

    use super::*;
    use crate::table::column_change::ColumnChange;
    use crate::table::testing::{record, warehouse};
    use crate::table::{Change, Committer, Warehouse};

    /// A table with three snapshots, a tag, a branch and a property.
    async fn table(folder: &tempfile::TempDir) -> (Warehouse, TableMetadata, [i64; 3]) {
        let warehouse = warehouse(folder).await;
        let mut ids = [0; 3];
        for (n, id) in ids.iter_mut().enumerate() {
            let change =
                Change { add: vec![record(&warehouse, "81a", Some(2020), &n.to_string())], ..Change::default() };
            *id = Committer::new(warehouse.clone()).commit(change).await.unwrap().snapshot;
        }
        let state = warehouse.load().await.unwrap();
        let builder = state.next().set_ref("kept", tag(ids[1])).unwrap().set_ref("work", branch(ids[0])).unwrap();
        let next = builder.set_properties([("owner".to_owned(), "lab".to_owned())].into()).unwrap();
        let metadata = next.build().unwrap().metadata;
        (warehouse, metadata, ids)
    }

    fn tag(snapshot_id: i64) -> SnapshotReference {
        SnapshotReference::new(snapshot_id, SnapshotRetention::Tag { max_ref_age_ms: None })
    }

    fn branch(snapshot_id: i64) -> SnapshotReference {
        SnapshotReference::new(snapshot_id, SnapshotRetention::branch(None, Some(7), None))
    }

    fn changed(
        base: &TableMetadata,
        change: impl FnOnce(TableMetadataBuilder) -> TableMetadataBuilder,
    ) -> TableMetadata {
        change(base.clone().into_builder(Some("memory://t/metadata/1.json".into()))).build().unwrap().metadata
    }

    fn statistics(snapshot_id: i64) -> StatisticsFile {
        let file = json!({
            "snapshot-id": snapshot_id, "statistics-path": "memory://t/s.puffin", "file-size-in-bytes": 1,
            "file-footer-size-in-bytes": 1, "blob-metadata": [],
        });
        serde_json::from_value(file).unwrap()
    }

    /// The updates as they travel, by their actions, after a check that they lead from the one to the other, that this can be seen
    /// afterwards, and could not before.
    fn actions(base: &TableMetadata, next: &TableMetadata) -> Vec<String> {
        let difference = between(base, next).unwrap();
        let mut builder = base.clone().into_builder(None);
        for requirement in &difference.requirements {
            requirement.check(Some(base)).unwrap();
        }
        for update in difference.updates.clone() {
            builder = update.apply(builder).unwrap();
        }
        let reached = builder.build().unwrap().metadata;
        assert_eq!(document(&reached), document(next));
        assert!(is_in(&reached, base, next));
        assert_eq!(is_in(base, base, next), difference.updates.is_empty());
        let sent: Value = serde_json::to_value(&difference.updates).unwrap();
        sent.as_array().unwrap().iter().map(|update| update["action"].as_str().unwrap().to_owned()).collect()
    }

    /// The whole document, but for times and earlier files.
    fn document(metadata: &TableMetadata) -> Value {
        let mut json = serde_json::to_value(metadata).unwrap();
        for name in ["metadata-log", "last-updated-ms"] {
            json.as_object_mut().unwrap().remove(name);
        }
        for entry in json["snapshot-log"].as_array_mut().into_iter().flatten() {
            entry.as_object_mut().unwrap().remove("timestamp-ms");
        }
        for (list, id) in [("snapshots", "snapshot-id"), ("schemas", "schema-id"), ("sort-orders", "order-id")] {
            if let Some(list) = json[list].as_array_mut() {
                list.sort_by_key(|entry| entry[id].as_i64());
            }
        }
        json
    }

    #[tokio::test]
    async fn what_leads_from_one_document_to_another_is_found_for_every_change_that_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let (warehouse, base, [one, two, three]) = table(&folder).await;
        assert_eq!(actions(&base, &base), Vec::<String>::new());

        let change = Change { add: vec![record(&warehouse, "81a", Some(2020), "new")], ..Change::default() };
        let before = warehouse.load().await.unwrap().metadata.clone();
        Committer::new(warehouse.clone()).commit(change).await.unwrap();
        let after = warehouse.load().await.unwrap().metadata.clone();
        assert_eq!(actions(&before, &after), ["add-snapshot", "set-snapshot-ref"]);

        let next = changed(&base, |b| b.set_ref("new", tag(one)).unwrap());
        assert_eq!(actions(&base, &next), ["set-snapshot-ref"]);
        let next = changed(&base, |b| b.remove_ref("kept").set_ref("work", branch(three)).unwrap());
        assert_eq!(actions(&base, &next), ["set-snapshot-ref", "remove-snapshot-ref"]);
        let main = SnapshotReference::new(one, SnapshotRetention::branch(None, None, None));
        let next = changed(&base, |b| b.set_ref("main", main.clone()).unwrap());
        assert_eq!(actions(&base, &next), ["set-snapshot-ref"], "a rollback");

        let with = changed(&base, |b| b.set_statistics(statistics(two)));
        assert_eq!(actions(&base, &with), ["set-statistics"]);
        let without = changed(&with, |b| b.remove_statistics(two).remove_ref("kept").remove_snapshots(&[two]));
        assert_eq!(actions(&with, &without), ["remove-snapshot-ref", "remove-statistics", "remove-snapshots"]);

        let set = [("owner".to_owned(), "other".to_owned()), ("a".to_owned(), "b".to_owned())];
        let next = changed(&base, |b| b.set_properties(set.into()).unwrap());
        assert_eq!(actions(&base, &next), ["set-properties"]);
        let next = changed(&base, |b| b.remove_properties(&["owner".to_owned()]).unwrap());
        assert_eq!(actions(&base, &next), ["remove-properties"]);
        let next = changed(&base, |b| b.set_location("memory://elsewhere".into()));
        assert_eq!(actions(&base, &next), ["set-location"]);
    }

    #[tokio::test]
    async fn columns_come_and_go_by_updates() {
        let folder = tempfile::tempdir().unwrap();
        let (warehouse, ..) = table(&folder).await;
        let states = async |change: ColumnChange| {
            let before = warehouse.load().await.unwrap().metadata.clone();
            change.commit(&warehouse, false).await.unwrap().unwrap();
            (before, warehouse.load().await.unwrap().metadata.clone())
        };
        let data_type = arrow::datatypes::DataType::Int32;
        let (before, after) =
            states(ColumnChange::Add { property: "proj:epsg".into(), data_type, if_not_exists: false }).await;
        assert_eq!(actions(&before, &after), ["set-properties", "add-schema", "set-current-schema"]);
        let (before, after) = states(ColumnChange::Drop { name: "platform".into(), if_exists: false }).await;
        let all = actions(&before, &after);
        assert!(
            all.contains(&"add-sort-order".to_owned()) && all.contains(&"set-default-sort-order".to_owned()),
            "{all:?}"
        );

        let back = changed(&after, |b| b.set_current_schema(before.current_schema_id()).unwrap());
        assert_eq!(actions(&after, &back), ["set-current-schema"], "a schema that was there before");
    }

    #[tokio::test]
    async fn a_change_is_refused_by_a_table_that_is_not_what_it_was_made_for() {
        let folder = tempfile::tempdir().unwrap();
        let (_, base, [one, two, three]) = table(&folder).await;
        let holds = |next: &TableMetadata, now: &TableMetadata| {
            between(&base, next).unwrap().requirements.iter().all(|requirement| requirement.check(Some(now)).is_ok())
        };
        let owner = [("owner".to_owned(), "other".to_owned())];
        let property = changed(&base, |b| b.set_properties(owner.into()).unwrap());
        let tagged = changed(&base, |b| b.set_ref("new", tag(three)).unwrap());
        let expired = changed(&base, |b| b.remove_snapshots(&[two]));
        let main = SnapshotReference::new(one, SnapshotRetention::branch(None, None, None));
        let rolled_back = changed(&base, |b| b.set_ref("main", main.clone()).unwrap());
        let tagged_otherwise = changed(&base, |b| b.set_ref("new", tag(one)).unwrap());
        let moved = changed(&base, |b| b.set_ref("work", branch(two)).unwrap());
        let mut fields = base.current_schema().as_struct().fields().to_vec();
        fields.push(NestedField::optional(base.last_column_id() + 1, "x", Type::Primitive(PrimitiveType::Long)).into());
        let schema = iceberg::spec::Schema::builder().with_fields(fields).build().unwrap();
        let with_a_column = changed(&base, |b| b.add_current_schema(schema).unwrap());

        for next in [&property, &tagged, &expired] {
            assert!(holds(next, &base) && holds(next, &property));
            for now in [&rolled_back, &with_a_column] {
                assert!(!holds(next, now), "{:?}", between(&base, next));
            }
        }
        assert!(!holds(&tagged, &tagged_otherwise), "of two that create a tag, one does");
        assert!(!holds(&expired, &moved), "a branch may name by then what is to go");
    }

    #[tokio::test]
    async fn what_no_update_can_change_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (_, base, [one, ..]) = table(&folder).await;
        let otherwise = |path: &dyn Fn(&mut Value)| {
            let mut json = serde_json::to_value(&base).unwrap();
            path(&mut json);
            between(&base, &serde_json::from_value(json).unwrap()).unwrap_err()
        };
        let error = otherwise(&|json| json["table-uuid"] = json!("00000000-0000-0000-0000-000000000007"));
        assert!(error.contains("table-uuid"), "{error}");
        let error = otherwise(&|json| {
            let snapshots = json["snapshots"].as_array_mut().unwrap();
            let snapshot = snapshots.iter_mut().find(|s| s["snapshot-id"] == json!(one)).unwrap();
            snapshot["manifest-list"] = json!("memory://elsewhere/list.avro");
        });
        assert!(error.contains("snapshots"), "{error}");
    }
}
