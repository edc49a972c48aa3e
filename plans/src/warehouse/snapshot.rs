//! What a commit says of its files: Iceberg data files from [`PartFile`] records, and the snapshot's summary.

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::{
    DataContentType, DataFile, DataFileBuilder, DataFileBuilderError, DataFileFormat, Datum, Literal, MAIN_BRANCH,
    PrimitiveLiteral, Snapshot, SnapshotSummaryCollector, Struct, Summary, TableMetadata,
};
use url::Url;

use super::create::{MAX_LAST_MODIFIED, TableState};
use super::error::{Result, WarehouseError};
use super::files::LiveFile;
use super::location::to_location;
use crate::ingest_record::RecordList;
use crate::part_file::{ColumnStatistics, PartFile};

/// Iceberg counts years from this one.
pub(super) const EPOCH_YEAR: i32 = 1970;

/// The Iceberg data file of a part file: its partition, metrics and bounds. It takes some 10 kB.
pub(super) fn data_file(part: &PartFile, metadata: &TableMetadata) -> Result<DataFile> {
    let columns: Vec<_> = part.columns.iter().collect();
    let counts = |count: fn(&ColumnStatistics) -> u64| columns.iter().map(|c| (c.field_id, count(c))).collect();
    let bounds = |bound: fn(&ColumnStatistics) -> Option<&Vec<u8>>| -> Result<HashMap<i32, Datum>> {
        let bounds = columns.iter().filter_map(|c| Some((c.field_id, bound(c)?)));
        bounds
            .map(|(id, bytes)| Ok((id, datum(id, bytes, metadata).map_err(|reason| invalid(part, reason))?)))
            .collect()
    };
    let mut file = without_columns(part, metadata)?;
    file.value_counts(counts(|c| c.values))
        .null_value_counts(counts(|c| c.nulls))
        .lower_bounds(bounds(|c| c.lower.as_ref())?)
        .upper_bounds(bounds(|c| c.upper.as_ref())?);
    file.build().map_err(|e| invalid(part, e))
}

fn without_columns(part: &PartFile, metadata: &TableMetadata) -> Result<DataFileBuilder> {
    let url = Url::parse(&part.path).map_err(|e| invalid(part, e))?;
    let mut file = DataFileBuilder::default();
    file.content(DataContentType::Data)
        .file_path(to_location(&url)?)
        .file_format(DataFileFormat::Parquet)
        .partition(partition(Some(&part.cell), part.year))
        .partition_spec_id(metadata.default_partition_spec_id())
        .record_count(part.rows)
        .file_size_in_bytes(part.bytes);
    if let Ok(order) = i32::try_from(metadata.default_sort_order_id()) {
        file.sort_order_id(order);
    }
    Ok(file)
}

/// The Iceberg data file of a live file, without the metrics of its columns: what a snapshot's summary counts, and a
/// manifest says of a file that is gone.
pub(super) fn listed_file(file: &LiveFile, metadata: &TableMetadata) -> Result<DataFile> {
    let mut listed = DataFileBuilder::default();
    listed
        .content(DataContentType::Data)
        .file_path(file.location.clone())
        .file_format(DataFileFormat::Parquet)
        .partition(partition(file.cell.as_deref(), file.year))
        .partition_spec_id(metadata.default_partition_spec_id())
        .record_count(file.rows)
        .file_size_in_bytes(file.bytes);
    let invalid = |e: DataFileBuilderError| WarehouseError::InvalidPartFile {
        path: file.location.clone(),
        reason: e.to_string(),
    };
    listed.build().map_err(invalid)
}

fn invalid(part: &PartFile, reason: impl ToString) -> WarehouseError {
    WarehouseError::InvalidPartFile { path: part.path.clone(), reason: reason.to_string() }
}

/// Partition tuple of a bucket.
fn partition(cell: Option<&str>, year: Option<i32>) -> Struct {
    Struct::from_iter([cell.map(Literal::string), year.map(|year| Literal::int(year - EPOCH_YEAR))])
}

/// Cell and year of the partition tuple of a file; `None` where it has none, or another partitioning.
pub(super) fn bucket_of(file: &DataFile) -> (Option<&str>, Option<i32>) {
    let value = |i: usize| match file.partition().fields().get(i) {
        Some(Some(Literal::Primitive(value))) => Some(value),
        _ => None,
    };
    let cell = value(0).and_then(|v| if let PrimitiveLiteral::String(cell) = v { Some(cell.as_str()) } else { None });
    let year = value(1).and_then(|v| if let PrimitiveLiteral::Int(year) = v { Some(year + EPOCH_YEAR) } else { None });
    (cell, year)
}

fn datum(id: i32, bytes: &[u8], metadata: &TableMetadata) -> Result<Datum, String> {
    let field = metadata.current_schema().field_by_id(id);
    let field = field.ok_or_else(|| format!("the table has no field {id}"))?;
    let data_type = field.field_type.as_primitive_type();
    let data_type = data_type.ok_or_else(|| format!("field {} has bounds, but is no primitive", field.name))?;
    Datum::try_from_bytes(bytes, data_type.clone()).map_err(|e| format!("bounds of {}: {e}", field.name))
}

/// The metadata that follows `base`: with one more snapshot, which is the current one.
pub(crate) fn on_top_of(
    base: &TableState,
    id: i64,
    mut summary: Summary,
    manifest_list: String,
) -> Result<TableMetadata> {
    let metadata = &base.metadata;
    inherit(&mut summary.additional_properties, base);
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
    let builder = metadata.as_ref().clone().into_builder(Some(base.metadata_location.clone()));
    let next = builder.set_branch_snapshot(snapshot, MAIN_BRANCH).and_then(|builder| builder.build());
    Ok(next.map_err(WarehouseError::metadata(&base.metadata_location))?.metadata)
}

/// Hands on what the table knows of what has been ingested.
fn inherit(properties: &mut HashMap<String, String>, base: &TableState) {
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

/// Summary of a snapshot that adds and removes these files, on top of the current one.
pub(crate) fn summary(
    operation: iceberg::spec::Operation,
    added: &[PartFile],
    removed: &[LiveFile],
    own: &BTreeMap<String, String>,
    base: &TableMetadata,
) -> Result<Summary> {
    let mut collector = SnapshotSummaryCollector::default();
    let (schema, spec) = (base.current_schema(), base.default_partition_spec());
    for part in added {
        // Of all at once, the metrics of their columns would take more memory than all else that a run keeps.
        let file = without_columns(part, base)?.build().map_err(|e| invalid(part, e))?;
        collector.add_file(&file, schema.clone(), spec.clone());
    }
    for file in removed {
        collector.remove_file(&listed_file(file, base)?, schema.clone(), spec.clone());
    }
    let mut properties: HashMap<String, String> = own.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    properties.extend(collector.build());
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
    Ok(Summary { operation, additional_properties: properties })
}
