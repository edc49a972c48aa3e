//! What Iceberg wants to know of a part file's columns, from the Parquet writer's own metadata.

use std::cmp::Ordering;

use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use super::format::Leaf;
use crate::model::part_file::ColumnStatistics;

/// Statistics of the recorded columns of a file, ordered by field id. `leaves` are those of its schema.
pub fn column_statistics(file: &ParquetMetaData, leaves: &[Leaf]) -> Vec<ColumnStatistics> {
    let recorded = leaves.iter().enumerate().filter(|(_, leaf)| leaf.is_recorded());
    let mut columns: Vec<_> = recorded.map(|(i, leaf)| of_leaf(file, i, leaf)).collect();
    columns.sort_unstable_by_key(|column| column.field_id);
    columns
}

/// Statistics of a column that has one chunk. `values` include nulls.
pub fn of_column(leaf: &Leaf, values: u64, statistics: &Statistics) -> ColumnStatistics {
    let mut column = Summary::default();
    column.add(values, Some(statistics));
    column.finish(leaf)
}

fn of_leaf(file: &ParquetMetaData, index: usize, leaf: &Leaf) -> ColumnStatistics {
    let mut column = Summary::default();
    for row_group in file.row_groups() {
        let chunk = row_group.column(index);
        column.add(chunk.num_values().unsigned_abs(), chunk.statistics());
    }
    column.finish(leaf)
}

/// The chunks of a column, summed up.
#[derive(Default)]
struct Summary {
    values: u64,
    nulls: u64,
    lower: Bound,
    upper: Bound,
}

impl Summary {
    fn add(&mut self, values: u64, statistics: Option<&Statistics>) {
        let nulls = statistics.and_then(Statistics::null_count_opt);
        self.values += values;
        self.nulls += nulls.unwrap_or_default();
        if nulls != Some(values) {
            self.lower.extend(statistics.filter(|s| s.min_is_exact()).and_then(min), Ordering::Less);
            self.upper.extend(statistics.filter(|s| s.max_is_exact()).and_then(max), Ordering::Greater);
        }
    }

    fn finish(self, leaf: &Leaf) -> ColumnStatistics {
        let bound = |bound: Bound| bound.into_bytes().filter(|_| leaf.bounded);
        ColumnStatistics {
            field_id: leaf.field_id,
            values: self.values,
            nulls: self.nulls,
            lower: bound(self.lower),
            upper: bound(self.upper),
        }
    }
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
#[derive(Default)]
enum Bound {
    #[default]
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
