//! Parquet inventories, read batch by batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit};
use arrow::error::ArrowError;
use datafusion::common::{Result, exec_err, plan_err};
use futures::StreamExt;
use parquet::arrow::ProjectionMask;
use url::Url;

use super::check_since;
use super::columns::Columns;
use super::keys::KeyBase;
use crate::stac::planner::{Listed, Planner};
use crate::stac::read::parquet_file::ParquetFile;

/// Whether a Parquet file lists objects, by its columns.
pub(in super::super) fn is_inventory(schema: &Schema) -> bool {
    columns_of(schema).is_some_and(|columns| columns.bucket.is_some())
}

fn columns_of(schema: &Schema) -> Option<Columns> {
    Columns::by_name(schema.fields().iter().map(|f| f.name().as_str()))
}

/// Plans a data file.
pub(super) async fn plan(file: &Url, planner: &mut Planner<'_>, keys: &Arc<KeyBase>) -> Result<()> {
    let parquet = ParquetFile::open(file).await?;
    let Some(columns) = columns_of(parquet.schema()) else {
        let names = parquet.schema().fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>();
        return plan_err!("{file} is no inventory: it has no column key, but {}", names.join(", "));
    };
    check_since(file, &columns, planner)?;
    planner.start_file(file, Arc::clone(keys), false);
    let wanted =
        [columns.bucket, Some(columns.key), columns.is_latest, columns.is_delete_marker, columns.last_modified];
    let builder = parquet.builder()?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.into_iter().flatten());
    let mut batches = builder.with_projection(mask).with_batch_size(8192).build()?;
    'file: while let Some(batch) = batches.next().await {
        let batch = Batch::try_new(&batch?)?;
        for row in 0..batch.key.len() {
            if planner.is_full() {
                break 'file;
            }
            batch.push(row, planner)?;
        }
    }
    planner.end_file();
    Ok(())
}

/// The columns of a batch, as the types they must have.
struct Batch {
    bucket: Option<StringArray>,
    key: StringArray,
    is_latest: Option<BooleanArray>,
    is_delete_marker: Option<BooleanArray>,
    last_modified: Option<TimestampMillisecondArray>,
}

impl Batch {
    fn try_new(batch: &RecordBatch) -> Result<Self> {
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
        })
    }

    fn push(&self, row: usize, planner: &mut Planner<'_>) -> Result<()> {
        let bucket = self.bucket.as_ref().filter(|c| c.is_valid(row));
        let boolean = |c: &Option<BooleanArray>| c.as_ref().filter(|c| c.is_valid(row)).map(|column| column.value(row));
        let listed = Listed {
            bucket: bucket.map_or("", |c| c.value(row)),
            key: if self.key.is_valid(row) { self.key.value(row) } else { "" },
            is_latest: boolean(&self.is_latest),
            is_delete_marker: boolean(&self.is_delete_marker),
            last_modified: self.last_modified.as_ref().filter(|c| c.is_valid(row)).map(|c| c.value(row)),
        };
        planner.push(&listed, 1)
    }
}

fn millis(column: &ArrayRef) -> Result<TimestampMillisecondArray, ArrowError> {
    if column.data_type() == &DataType::Int64 {
        // The physical type of a time without its annotation.
        return Ok(column.as_primitive::<Int64Type>().reinterpret_cast());
    }
    Ok(cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?.as_primitive().clone())
}
