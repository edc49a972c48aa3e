//! Rows of an inventory that come as Arrow batches.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit};
use arrow::error::ArrowError;
use datafusion::common::{Result, exec_err};

use super::columns::Columns;
use crate::source::planner::{Listed, Planner};

/// The columns of an inventory with this schema; `None` where it lists no keys.
pub(in super::super) fn columns_of(schema: &Schema) -> Option<Columns> {
    Columns::by_name(schema.fields().iter().map(|f| f.name().as_str()))
}

/// The columns of a batch, as the types they must have.
pub(in super::super) struct ListedBatch {
    bucket: Option<StringArray>,
    key: StringArray,
    is_latest: Option<BooleanArray>,
    is_delete_marker: Option<BooleanArray>,
    last_modified: Option<TimestampMillisecondArray>,
    e_tag: Option<StringArray>,
}

impl ListedBatch {
    pub fn try_new(batch: &RecordBatch) -> Result<Self> {
        let schema = batch.schema();
        let Some(columns) = columns_of(&schema) else { return exec_err!("the projection lost column key") };
        let text = |i: usize| Ok::<_, ArrowError>(cast(batch.column(i), &DataType::Utf8)?.as_string().clone());
        let boolean = |i: usize| Ok::<_, ArrowError>(cast(batch.column(i), &DataType::Boolean)?.as_boolean().clone());
        Ok(Self {
            bucket: columns.bucket.map(text).transpose()?,
            key: text(columns.key)?,
            is_latest: columns.is_latest.map(boolean).transpose()?,
            is_delete_marker: columns.is_delete_marker.map(boolean).transpose()?,
            last_modified: columns.last_modified.map(|i| millis(batch.column(i))).transpose()?,
            e_tag: columns.e_tag.map(text).transpose()?,
        })
    }

    /// Hands the rows to `planner`, in order, as long as its limit allows.
    pub fn push(&self, planner: &mut Planner<'_>) -> Result<()> {
        for row in 0..self.key.len() {
            if planner.is_full() {
                break;
            }
            planner.push(&self.listed(row), 1)?;
        }
        Ok(())
    }

    fn listed(&self, row: usize) -> Listed<'_> {
        let boolean = |c: &Option<BooleanArray>| c.as_ref().filter(|c| c.is_valid(row)).map(|column| column.value(row));
        Listed {
            bucket: text(self.bucket.as_ref(), row),
            key: text(Some(&self.key), row),
            is_latest: boolean(&self.is_latest),
            is_delete_marker: boolean(&self.is_delete_marker),
            last_modified: self.last_modified.as_ref().filter(|c| c.is_valid(row)).map(|c| c.value(row)),
            e_tag: text(self.e_tag.as_ref(), row),
        }
    }
}

fn text(column: Option<&StringArray>, row: usize) -> &str {
    column.filter(|column| column.is_valid(row)).map_or("", |column| column.value(row))
}

fn millis(column: &ArrayRef) -> Result<TimestampMillisecondArray, ArrowError> {
    if column.data_type() == &DataType::Int64 {
        // The physical type of a time without its annotation.
        return Ok(column.as_primitive::<Int64Type>().reinterpret_cast());
    }
    Ok(cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?.as_primitive().clone())
}
