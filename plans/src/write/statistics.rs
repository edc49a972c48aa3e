//! What Iceberg wants to know of a part file's columns, from the Parquet writer's own metadata.

use std::cmp::Ordering;

use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use super::format::Leaf;
use crate::part_file::ColumnStatistics;

/// Statistics of the leaf columns of a file, ordered by field id. `leaves` are those of its schema.
pub fn column_statistics(file: &ParquetMetaData, leaves: &[Leaf]) -> Vec<ColumnStatistics> {
    let mut columns: Vec<_> = leaves.iter().enumerate().map(|(i, leaf)| of_leaf(file, i, leaf)).collect();
    columns.sort_unstable_by_key(|column| column.field_id);
    columns
}

fn of_leaf(file: &ParquetMetaData, index: usize, leaf: &Leaf) -> ColumnStatistics {
    let mut column =
        ColumnStatistics { field_id: leaf.field_id, bytes: 0, values: 0, nulls: 0, lower: None, upper: None };
    let mut lower = Bound::Empty;
    let mut upper = Bound::Empty;
    for row_group in file.row_groups() {
        let chunk = row_group.column(index);
        column.bytes += chunk.compressed_size().unsigned_abs();
        column.values += chunk.num_values().unsigned_abs();
        let statistics = chunk.statistics();
        let nulls = statistics.and_then(Statistics::null_count_opt);
        column.nulls += nulls.unwrap_or_default();
        if nulls == Some(chunk.num_values().unsigned_abs()) {
            continue;
        }
        lower.extend(statistics.filter(|s| s.min_is_exact()).and_then(min), Ordering::Less);
        upper.extend(statistics.filter(|s| s.max_is_exact()).and_then(max), Ordering::Greater);
    }
    if leaf.bounded {
        column.lower = lower.into_bytes();
        column.upper = upper.into_bytes();
    }
    column
}

/// A value of a Parquet statistic, comparable as Iceberg compares.
#[derive(Debug, PartialEq, PartialOrd)]
enum Value {
    Boolean(bool),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Bytes(Vec<u8>),
}

impl Value {
    /// Iceberg's single-value serialization (spec, appendix D).
    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Boolean(value) => vec![value.into()],
            Self::Int(value) => value.to_le_bytes().into(),
            Self::Long(value) => value.to_le_bytes().into(),
            Self::Float(value) => value.to_le_bytes().into(),
            Self::Double(value) => value.to_le_bytes().into(),
            Self::Bytes(value) => value,
        }
    }
}

/// The least or greatest value of a column over its row groups.
enum Bound {
    Empty,
    Of(Value),
    /// A row group has no exact one.
    Unknown,
}

impl Bound {
    fn extend(&mut self, value: Option<Value>, better: Ordering) {
        *self = match (std::mem::replace(self, Self::Unknown), value) {
            (Self::Empty, Some(value)) => Self::Of(value),
            (Self::Of(old), Some(new)) => Self::Of(if new.partial_cmp(&old) == Some(better) { new } else { old }),
            (Self::Unknown, _) | (_, None) => Self::Unknown,
        };
    }

    fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Of(value) => Some(value.into_bytes()),
            Self::Empty | Self::Unknown => None,
        }
    }
}

fn min(statistics: &Statistics) -> Option<Value> {
    Some(match statistics {
        Statistics::Boolean(s) => Value::Boolean(*s.min_opt()?),
        Statistics::Int32(s) => Value::Int(*s.min_opt()?),
        Statistics::Int64(s) => Value::Long(*s.min_opt()?),
        Statistics::Float(s) => Value::Float(*s.min_opt()?),
        Statistics::Double(s) => Value::Double(*s.min_opt()?),
        Statistics::ByteArray(s) => Value::Bytes(s.min_opt()?.data().to_vec()),
        Statistics::Int96(_) | Statistics::FixedLenByteArray(_) => return None,
    })
}

fn max(statistics: &Statistics) -> Option<Value> {
    Some(match statistics {
        Statistics::Boolean(s) => Value::Boolean(*s.max_opt()?),
        Statistics::Int32(s) => Value::Int(*s.max_opt()?),
        Statistics::Int64(s) => Value::Long(*s.max_opt()?),
        Statistics::Float(s) => Value::Float(*s.max_opt()?),
        Statistics::Double(s) => Value::Double(*s.max_opt()?),
        Statistics::ByteArray(s) => Value::Bytes(s.max_opt()?.data().to_vec()),
        Statistics::Int96(_) | Statistics::FixedLenByteArray(_) => return None,
    })
}
