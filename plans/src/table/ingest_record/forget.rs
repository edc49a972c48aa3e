//! [`forget`]: the record without some objects.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, TimestampMillisecondType};
use datafusion::common::{DataFusionError, Result};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use url::Url;

use super::file::{INGESTED_SCHEMA, encode_rows};
use super::list::RecordList;
use crate::model::layout;
use crate::model::task_files::RecordFile;
use crate::stores::{CheckedPages, stores};
use crate::table::{TableState, Warehouse};

/// Files of the record that are read at a time.
const READS: usize = 8;

/// Writes the files of the record that tell of `objects` again, without them, below the warehouse.
///
/// Output: the paths of the files in whose place they come, and the new ones, of which a file that is left without objects has
/// none. Files are read one by one and whole; one holds the objects of a chunk.
pub async fn forget(
    warehouse: &Warehouse,
    state: &TableState,
    run: &str,
    objects: &HashSet<String>,
) -> Result<(Vec<String>, Vec<RecordFile>)> {
    let list = RecordList::of(warehouse, state).await?;
    let attempt = uuid::Uuid::new_v4().simple().to_string();
    let without = |(n, file): (usize, RecordFile)| {
        let path = layout::ingested_path(run, &attempt, n);
        async move {
            let Some(rows) = rows_without(&file, objects).await? else { return Ok(None) };
            let new = match rows.num_rows() {
                0 => None,
                _ => Some(write(warehouse, path, &rows).await?),
            };
            Ok::<_, DataFusionError>(Some((file.path, new)))
        }
    };
    let written = stream::iter(list.files.into_iter().enumerate()).map(without).buffered(READS);
    let written: Vec<_> = written.try_filter_map(|written| std::future::ready(Ok(written))).try_collect().await?;
    let (old, new): (Vec<String>, Vec<Option<RecordFile>>) = written.into_iter().unzip();
    Ok((old, new.into_iter().flatten().collect()))
}

/// The rows of a file of the record that tell of other objects; `None` if all do.
async fn rows_without(file: &RecordFile, objects: &HashSet<String>) -> Result<Option<RecordBatch>> {
    let url = Url::parse(&file.path).map_err(|e| DataFusionError::External(Box::new(e)))?;
    let (store, path) = stores().locate(&url)?;
    let bytes = store.get(&path).await?.bytes().await?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone())?;
    CheckedPages::check_file(&file.path, &bytes, reader.metadata())?;
    let only_objects = ProjectionMask::columns(reader.parquet_schema(), ["object"]);
    let mut is_concerned = false;
    for batch in reader.with_projection(only_objects).build()? {
        is_concerned |= others(&batch?, objects)?.has_false();
    }
    if !is_concerned {
        return Ok(None);
    }
    let mut kept = vec![];
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
        let batch = as_recorded(&batch?)?;
        kept.push(filter_record_batch(&batch, &others(&batch, objects)?)?);
    }
    Ok(Some(concat_batches(&INGESTED_SCHEMA, &kept)?))
}

/// Which rows tell of other objects.
fn others(rows: &RecordBatch, objects: &HashSet<String>) -> Result<BooleanArray> {
    let names = cast(rows.column(0), &DataType::Utf8View)?;
    Ok(names.as_string_view().iter().map(|name| Some(name.is_none_or(|name| !objects.contains(name)))).collect())
}

/// Rows of an older file have no Items.
fn as_recorded(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = INGESTED_SCHEMA.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => cast(column, field.data_type()),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    Ok(RecordBatch::try_new(Arc::clone(&INGESTED_SCHEMA), columns.collect::<std::result::Result<_, _>>()?)?)
}

async fn write(warehouse: &Warehouse, path: String, rows: &RecordBatch) -> Result<RecordFile> {
    let path = format!("{}{path}", warehouse.url());
    let url = Url::parse(&path).map_err(|e| DataFusionError::External(Box::new(e)))?;
    let bytes = encode_rows(rows)?;
    let times = rows.column_by_name("last_modified").map(|times| times.as_primitive::<TimestampMillisecondType>());
    let times: Option<Vec<i64>> = times.into_iter().flatten().collect();
    let newest = times.and_then(|times| times.into_iter().max());
    let file = RecordFile { path, rows: rows.num_rows() as u64, bytes: bytes.len() as u64, newest };
    let (store, path) = stores().locate(&url)?;
    store.put(&path, bytes.into()).await?;
    Ok(file)
}
