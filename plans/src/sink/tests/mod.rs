//! Tests of the sink from its input to what is in the store.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::common::Result;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::WriteGeoParquetExec;
use crate::model::part_file::{PartFile, SinkRecord, decode};
use crate::stores::{location_url, stores};
use sample::{Row, batch, target};

mod attempts;
mod contents;
mod plans;
pub mod sample;

/// A sink over sorted rows, one partition per element.
pub fn sink(warehouse: &str, partitions: &[Vec<RecordBatch>]) -> Arc<WriteGeoParquetExec> {
    let target = target(warehouse);
    let input = MemorySourceConfig::try_new_exec(partitions, target.schema.table_schema().clone(), None).unwrap();
    Arc::new(WriteGeoParquetExec::try_new(input, Arc::new(target)).unwrap())
}

pub async fn write(warehouse: &str, rows: &[Row]) -> Result<Vec<PartFile>> {
    let plan = sink(warehouse, &[vec![batch(rows)]]);
    let output = collect(plan, SessionContext::new().task_ctx()).await?;
    files(&output)
}

pub fn files(output: &[RecordBatch]) -> Result<Vec<PartFile>> {
    let records = output.iter().map(decode).collect::<Result<Vec<_>>>()?.concat();
    let file = |record| match record {
        SinkRecord::Data(file) => Some(file),
        SinkRecord::Chunk(_) | SinkRecord::Ids(_) => None,
    };
    Ok(records.into_iter().filter_map(file).collect())
}

pub async fn open(file: &PartFile) -> ParquetRecordBatchReaderBuilder<bytes::Bytes> {
    let (store, path) = stores().locate(&location_url(&file.path).unwrap()).unwrap();
    let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes.len() as u64, file.bytes);
    ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap()
}

pub async fn read(file: &PartFile) -> RecordBatch {
    let reader = open(file).await.build().unwrap();
    let schema = reader.schema();
    concat_batches(&schema, &reader.map(|batch| batch.unwrap()).collect::<Vec<_>>()).unwrap()
}

pub async fn objects(warehouse: &str) -> Vec<String> {
    let (store, path) = stores().locate(&location_url(warehouse).unwrap()).unwrap();
    store.list(Some(&path)).map_ok(|object| object.location.to_string()).try_collect().await.unwrap()
}

pub fn buckets(files: &[PartFile]) -> Vec<(&str, Option<i32>, u64)> {
    files.iter().map(|file| (file.cell.as_str(), file.year, file.rows)).collect()
}
