//! Rows of an inventory that come as Arrow batches.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit};
use arrow::error::ArrowError;
use datafusion::common::Result;

use super::columns::{Columns, Store};
use crate::source::planner::{Listed, Planner};

/// The columns of an inventory with this schema; `None` where it lists no keys.
pub(in super::super) fn columns_of(schema: &Schema) -> Option<Columns> {
    Columns::by_name(schema.fields().iter().map(|f| f.name().as_str()))
}

/// The columns of a batch, as the types they must have.
pub(in super::super) struct ListedBatch {
    store: Store,
    bucket: Option<StringArray>,
    key: StringArray,
    is_latest: Option<BooleanArray>,
    is_delete_marker: Option<BooleanArray>,
    last_modified: Option<TimestampMillisecondArray>,
    e_tag: Option<StringArray>,
    /// Valid where another object has taken the name since.
    replaced: Option<ArrayRef>,
}

impl ListedBatch {
    pub fn try_new(batch: &RecordBatch, columns: &Columns) -> Result<Self> {
        let text = |i: usize| Ok::<_, ArrowError>(cast(batch.column(i), &DataType::Utf8)?.as_string().clone());
        let boolean = |i: usize| Ok::<_, ArrowError>(cast(batch.column(i), &DataType::Boolean)?.as_boolean().clone());
        Ok(Self {
            store: columns.store,
            bucket: columns.bucket.map(text).transpose()?,
            key: text(columns.key)?,
            is_latest: columns.is_latest.map(boolean).transpose()?,
            is_delete_marker: columns.is_delete_marker.map(boolean).transpose()?,
            last_modified: columns.last_modified.map(|i| millis(batch.column(i))).transpose()?,
            e_tag: columns.e_tag.map(text).transpose()?,
            replaced: columns.replaced.map(|i| Arc::clone(batch.column(i))),
        })
    }

    /// Hands the rows to `planner`, in order, as long as its limit allows.
    pub fn push(&self, planner: &mut Planner<'_>) -> Result<()> {
        self.push_unless(planner, |_, _| false)
    }

    /// The same, without the rows that `takes` takes.
    pub fn push_unless(
        &self,
        planner: &mut Planner<'_>,
        mut takes: impl FnMut(&Planner<'_>, &Listed<'_>) -> bool,
    ) -> Result<()> {
        for row in 0..self.key.len() {
            if planner.is_full() {
                break;
            }
            let (bucket, key) = (text(self.bucket.as_ref(), row), text(Some(&self.key), row));
            let (bucket, key) = self.store.place(Cow::Borrowed(bucket), Cow::Borrowed(key));
            let listed = self.listed(row, &bucket, &key);
            if !takes(planner, &listed) {
                planner.push(&listed, 1)?;
            }
        }
        Ok(())
    }

    fn listed<'a>(&'a self, row: usize, bucket: &'a str, key: &'a str) -> Listed<'a> {
        let boolean = |c: &Option<BooleanArray>| c.as_ref().filter(|c| c.is_valid(row)).map(|column| column.value(row));
        let is_replaced = self.replaced.as_ref().is_some_and(|replaced| replaced.is_valid(row));
        Listed {
            bucket,
            key,
            is_latest: if is_replaced { Some(false) } else { boolean(&self.is_latest) },
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
    let to = DataType::Timestamp(TimeUnit::Millisecond, None);
    // Of text, one that is no time is an error, and not unknown.
    Ok(cast_with_options(column, &to, &CastOptions { safe: false, ..CastOptions::default() })?.as_primitive().clone())
}
