//! The records that a sink hands to the commit: one per file, plus one per chunk with its counts.

use std::collections::BTreeMap;
use std::ops::Not;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::chunk::{ChunkCounts, ChunkId};
use super::task_files::{IdFile, RecordFile};

mod codec;
mod packed;

pub use codec::{decode, encode};
pub use packed::PackedColumns;

/// One Parquet file of one bucket, with what Iceberg wants to know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PartFile {
    /// Absolute URL of the file.
    pub path: String,
    /// `grid_partition` of all its rows.
    pub cell: String,
    /// Year of `datetime` of all its rows; `None` where it is null.
    pub year: Option<i32>,
    pub rows: u64,
    pub bytes: u64,
    /// Data sequence number, where the rows are not new; else that of the commit.
    pub sequence: Option<i64>,
    /// Statistics of the columns by which files are chosen, ordered by field id, from the Parquet writer.
    pub columns: PackedColumns,
}

/// Statistics of one leaf column of a part file; bounds are owned bytes, or borrowed ones.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnStatistics<B = Vec<u8>> {
    /// Iceberg field id.
    pub field_id: i32,
    /// Values, nulls included.
    pub values: u64,
    pub nulls: u64,
    /// Iceberg single-value serialization (spec, appendix D); `None` where unknown or not exact.
    pub lower: Option<B>,
    pub upper: Option<B>,
}

impl ColumnStatistics<&[u8]> {
    pub fn to_owned(self) -> ColumnStatistics {
        let Self { field_id, values, nulls, lower, upper } = self;
        ColumnStatistics { field_id, values, nulls, lower: lower.map(<[u8]>::to_vec), upper: upper.map(<[u8]>::to_vec) }
    }
}

/// A line of the sink's output.
#[derive(Debug, Clone, PartialEq)]
pub enum SinkRecord {
    /// A part file was written.
    Data(PartFile),
    /// A chunk was read to its end: its id and counts, and where its rejects are.
    Chunk(ChunkRecord),
    /// The ids of the rows of a task.
    Ids(IdFile),
}

/// What became of a chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChunkRecord {
    pub chunk: ChunkId,
    pub counts: ChunkCounts,
    /// Items with at least one row in a part file.
    pub committed: u64,
    /// URL of the Parquet file with the chunk's rejects; `None` where there are none.
    pub rejects: Option<String>,
    /// The file of the ingest record with the chunk's objects; `None` where it read none that is listed.
    #[serde(default)]
    pub ingested: Option<RecordFile>,
    /// Items by the number of their rows, which is that of their cells.
    #[serde(default)]
    pub fan_out: BTreeMap<u32, u64>,
    /// Whether an earlier start of the run has written the chunk.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub resumed: bool,
}

/// Schema of the sink's output: a data record has the columns from `path` on, another one has `of_task` (JSON).
pub static SINK_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let element = Field::new("element", DataType::Struct(STATISTICS.clone()), false);
    Arc::new(Schema::new(vec![
        Field::new("of_task", DataType::Utf8, true),
        Field::new("path", DataType::Utf8, true),
        Field::new("grid_partition", DataType::Utf8, true),
        Field::new("year", DataType::Int32, true),
        Field::new("rows", DataType::UInt64, true),
        Field::new("bytes", DataType::UInt64, true),
        Field::new("columns", DataType::List(Arc::new(element)), true),
    ]))
});

/// Fields of an element of `columns`.
static STATISTICS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("field_id", DataType::Int32, false),
        Field::new("values", DataType::UInt64, false),
        Field::new("nulls", DataType::UInt64, false),
        Field::new("lower", DataType::Binary, true),
        Field::new("upper", DataType::Binary, true),
    ])
});
