//! Tables `items$snapshots`, `items$files` and `items$partitions`: the table's metadata in SQL, as PyIceberg's `inspect`
//! has it; `items$table`, what there is once; `items$collections`, the Collections that people gave; and `items$refs`
//! and `items$history`, what is named, and what was.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, MapBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::datasource::TableType;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use iceberg::spec::SnapshotRetention;

use crate::scan::table::WarehouseTable;
use crate::table::references::Reference;
use crate::table::{CollectionDocument, LiveFile, TableState, Warehouse};

/// What a metadata table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// `committed_at` (ms), `snapshot_id`, `parent_id`, `operation`, `manifest_list`, `summary` (map); oldest first.
    Snapshots,
    /// `file_path`, `file_format`, `grid_partition`, `year`, `record_count`, `file_size_in_bytes`, `sequence_number` of the
    /// data files of the newest snapshot. In place of `partition` its two values, the year as a calendar's; null without
    /// a `datetime`.
    Files,
    /// `grid_partition`, `year`, `record_count`, `file_count`, `total_data_file_size_in_bytes`, `last_sequence_number` of
    /// each bucket.
    Partitions,
    /// One row: `metadata_file`, the newest; `location`, `catalog`, `grid`, `h3_resolution`, `snapshot_id` of the newest
    /// snapshot, null if there is none.
    Table,
    /// `id` and `document`, JSON, of each Collection that was given.
    Collections,
    /// `name`, `type` (`BRANCH` or `TAG`), `snapshot_id`, `max_reference_age_in_ms`, `min_snapshots_to_keep`,
    /// `max_snapshot_age_in_ms` of each branch and tag; limits are null where the table's hold.
    Refs,
    /// `made_current_at` (ms), `snapshot_id`, `parent_id`, `is_current_ancestor`: which snapshot was the table's and when,
    /// rollbacks included; oldest first. `parent_id` is null of a first snapshot, and of one that has expired.
    History,
}

impl About {
    pub const ALL: [Self; 7] =
        [Self::Snapshots, Self::Files, Self::Partitions, Self::Table, Self::Collections, Self::Refs, Self::History];

    fn suffix(self) -> &'static str {
        match self {
            Self::Snapshots => "$snapshots",
            Self::Files => "$files",
            Self::Partitions => "$partitions",
            Self::Table => "$table",
            Self::Collections => "$collections",
            Self::Refs => "$refs",
            Self::History => "$history",
        }
    }

    /// Name of the metadata table of `table`.
    pub fn table(self, table: &str) -> String {
        format!("{table}{}", self.suffix())
    }

    /// Which table a name is about, and what of it.
    pub(crate) fn parse(name: &str) -> Option<(&str, Self)> {
        Self::ALL.into_iter().find_map(|about| Some((name.strip_suffix(about.suffix())?, about)))
    }
}

/// The metadata of a table as rows, as of the newest snapshot.
#[derive(Debug)]
pub struct MetadataTable {
    about: About,
    table: WarehouseTable,
    schema: SchemaRef,
}

impl MetadataTable {
    pub fn try_new(warehouse: Warehouse, about: About) -> Result<Self> {
        let schema = match about {
            About::Snapshots => snapshots(None)?,
            About::Files => files(&[])?,
            About::Partitions => partitions(&[])?,
            About::Table => table(&warehouse, None)?,
            About::Collections => collections(&[])?,
            About::Refs => refs(&[])?,
            About::History => history(None)?,
        };
        Ok(Self { about, table: WarehouseTable::new(warehouse), schema: schema.schema() })
    }
}

#[async_trait]
impl TableProvider for MetadataTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let warehouse = self.table.warehouse();
        let state = || warehouse.load_for(session);
        let rows = match self.about {
            About::Snapshots => snapshots(Some(&*state().await?))?,
            About::Table => table(warehouse, Some(&*state().await?))?,
            About::Collections => collections(&CollectionDocument::all(&state().await?.metadata))?,
            About::Refs => refs(&Reference::all(&state().await?.metadata)?)?,
            About::History => history(Some(&*state().await?))?,
            About::Files => files(&self.table.live_files(session).await?)?,
            About::Partitions => partitions(&self.table.live_files(session).await?)?,
        };
        MemTable::try_new(self.schema(), vec![vec![rows]])?.scan(session, projection, filters, limit).await
    }
}

fn snapshots(state: Option<&TableState>) -> Result<RecordBatch> {
    let mut snapshots: Vec<_> = state.iter().flat_map(|state| state.metadata.snapshots()).collect();
    snapshots.sort_by_key(|snapshot| snapshot.sequence_number());
    let mut summaries = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for snapshot in &snapshots {
        let sorted: BTreeMap<_, _> = snapshot.summary().additional_properties.iter().collect();
        for (key, value) in sorted {
            summaries.keys().append_value(key);
            summaries.values().append_value(value);
        }
        summaries.append(true)?;
    }
    let times = snapshots.iter().map(|s| s.timestamp_ms());
    let operations = snapshots.iter().map(|s| s.summary().operation.as_str());
    rows(vec![
        ("committed_at", Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC"))),
        ("snapshot_id", Arc::new(snapshots.iter().map(|s| Some(s.snapshot_id())).collect::<Int64Array>())),
        ("parent_id", Arc::new(snapshots.iter().map(|s| s.parent_snapshot_id()).collect::<Int64Array>())),
        ("operation", Arc::new(StringArray::from_iter_values(operations))),
        ("manifest_list", Arc::new(StringArray::from_iter_values(snapshots.iter().map(|s| s.manifest_list())))),
        ("summary", Arc::new(summaries.finish())),
    ])
}

fn files(files: &[LiveFile]) -> Result<RecordBatch> {
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by(|a, b| (&a.cell, a.year, &a.location).cmp(&(&b.cell, b.year, &b.location)));
    let number = |of: fn(&LiveFile) -> u64| -> ArrayRef {
        Arc::new(files.iter().map(|file| i64::try_from(of(file)).ok()).collect::<Int64Array>())
    };
    rows(vec![
        ("file_path", Arc::new(StringArray::from_iter_values(files.iter().map(|file| &file.location)))),
        ("file_format", Arc::new(StringArray::from_iter_values(files.iter().map(|_| "PARQUET")))),
        ("grid_partition", Arc::new(files.iter().map(|file| file.cell.as_deref()).collect::<StringArray>())),
        ("year", Arc::new(files.iter().map(|file| file.year).collect::<Int32Array>())),
        ("record_count", number(|file| file.rows)),
        ("file_size_in_bytes", number(|file| file.bytes)),
        ("sequence_number", Arc::new(files.iter().map(|file| Some(file.sequence)).collect::<Int64Array>())),
    ])
}

fn partitions(files: &[LiveFile]) -> Result<RecordBatch> {
    let mut buckets: BTreeMap<(Option<&str>, Option<i32>), [i64; 4]> = BTreeMap::new();
    for file in files {
        let [rows, count, bytes, sequence] = buckets.entry((file.cell.as_deref(), file.year)).or_default();
        *rows += file.rows as i64;
        *count += 1;
        *bytes += file.bytes as i64;
        *sequence = file.sequence.max(*sequence);
    }
    let number = |i: usize| -> ArrayRef { Arc::new(buckets.values().map(|of| Some(of[i])).collect::<Int64Array>()) };
    rows(vec![
        ("grid_partition", Arc::new(buckets.keys().map(|(cell, _)| *cell).collect::<StringArray>())),
        ("year", Arc::new(buckets.keys().map(|(_, year)| *year).collect::<Int32Array>())),
        ("record_count", number(0)),
        ("file_count", number(1)),
        ("total_data_file_size_in_bytes", number(2)),
        ("last_sequence_number", number(3)),
    ])
}

fn table(warehouse: &Warehouse, state: Option<&TableState>) -> Result<RecordBatch> {
    let text = |value: String| -> ArrayRef { Arc::new(StringArray::from_iter_values([value])) };
    let snapshot = state.and_then(|state| state.metadata.current_snapshot_id());
    rows(vec![
        ("metadata_file", text(state.map(|state| state.metadata_location.clone()).unwrap_or_default())),
        ("location", text(state.map(|state| state.metadata.location().to_owned()).unwrap_or_default())),
        ("catalog", text(warehouse.catalog().to_string())),
        ("grid", text("h3".to_owned())),
        ("h3_resolution", Arc::new(Int32Array::from(vec![i32::from(warehouse.h3_resolution())]))),
        ("snapshot_id", Arc::new(Int64Array::from(vec![snapshot]))),
    ])
}

fn collections(given: &[CollectionDocument]) -> Result<RecordBatch> {
    rows(vec![
        ("id", Arc::new(StringArray::from_iter_values(given.iter().map(CollectionDocument::id)))),
        ("document", Arc::new(StringArray::from_iter_values(given.iter().map(CollectionDocument::to_json)))),
    ])
}

fn refs(references: &[Reference]) -> Result<RecordBatch> {
    let limits = references.iter().map(|reference| match reference.retention {
        SnapshotRetention::Branch { min_snapshots_to_keep, max_snapshot_age_ms, max_ref_age_ms } => {
            (max_ref_age_ms, min_snapshots_to_keep, max_snapshot_age_ms)
        }
        SnapshotRetention::Tag { max_ref_age_ms } => (max_ref_age_ms, None, None),
    });
    let limits: Vec<_> = limits.collect();
    let kinds = references.iter().map(|reference| reference.kind().name().to_uppercase());
    rows(vec![
        ("name", Arc::new(StringArray::from_iter_values(references.iter().map(|reference| &reference.name)))),
        ("type", Arc::new(StringArray::from_iter_values(kinds))),
        ("snapshot_id", Arc::new(references.iter().map(|reference| Some(reference.snapshot)).collect::<Int64Array>())),
        ("max_reference_age_in_ms", Arc::new(limits.iter().map(|limits| limits.0).collect::<Int64Array>())),
        ("min_snapshots_to_keep", Arc::new(limits.iter().map(|limits| limits.1).collect::<Int32Array>())),
        ("max_snapshot_age_in_ms", Arc::new(limits.iter().map(|limits| limits.2).collect::<Int64Array>())),
    ])
}

fn history(state: Option<&TableState>) -> Result<RecordBatch> {
    let entries = state.map_or(&[][..], |state| state.metadata.history());
    let line: HashSet<i64> =
        state.into_iter().flat_map(|s| s.line_of(s.metadata.current_snapshot())).map(|s| s.snapshot_id()).collect();
    let parent = |id| state.and_then(|state| state.metadata.snapshot_by_id(id)?.parent_snapshot_id());
    let times = entries.iter().map(|entry| entry.timestamp_ms());
    let ids = || entries.iter().map(|entry| entry.snapshot_id);
    rows(vec![
        ("made_current_at", Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC"))),
        ("snapshot_id", Arc::new(ids().map(Some).collect::<Int64Array>())),
        ("parent_id", Arc::new(ids().map(parent).collect::<Int64Array>())),
        ("is_current_ancestor", Arc::new(ids().map(|id| Some(line.contains(&id))).collect::<BooleanArray>())),
    ])
}

fn rows(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let columns = columns.into_iter().map(|(name, column)| {
        // One type of text in all tables, so that comparisons need no cast.
        let column = match column.data_type() {
            DataType::Utf8 => arrow::compute::cast(&column, &DataType::Utf8View),
            _ => Ok(column),
        };
        Ok((name, column?, true))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    RecordBatch::try_from_iter_with_nullable(columns).map_err(|e| exec_datafusion_err!("metadata of items: {e}"))
}
