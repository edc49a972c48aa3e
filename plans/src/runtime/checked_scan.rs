//! [`checked_scan`]: has scans of Parquet files check the pages that they read, and name the file in errors.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::ParquetFileReaderFactory;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::parquet_sources::with_parquet_sources;
use crate::stores::CheckedPages;

/// The same plan, in which a page that is not as it was written is an error that names the file.
///
/// As [`by_field_id`](super::by_field_id), it is no part of what a cluster sends.
pub fn checked_scan(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    with_parquet_sources(plan, |scan, _, source| {
        let Some(readers) = source.parquet_file_reader_factory() else { return Ok(None) };
        let readers = Arc::new(Readers(Arc::clone(readers)));
        Ok(Some(scan.with_source(Arc::new(source.clone().with_parquet_file_reader_factory(readers)))))
    })
}

#[derive(Debug)]
struct Readers(Arc<dyn ParquetFileReaderFactory>);

impl ParquetFileReaderFactory for Readers {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let (name, bytes) = (file.path().to_string(), file.object_meta.size);
        let reader = self.0.create_reader(partition, file, size_hint, metrics)?;
        Ok(Box::new(Reader { reader, name, bytes, pages: CheckedPages::default() }))
    }
}

struct Reader {
    reader: Box<dyn AsyncFileReader + Send>,
    /// Of the file, within its store, and its size.
    name: String,
    bytes: u64,
    pages: CheckedPages,
}

impl Reader {
    fn check(&self, start: u64, bytes: Bytes) -> Result<Bytes, ParquetError> {
        self.pages.check(&self.name, start, &bytes)?;
        Ok(bytes)
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move {
            let start = range.start;
            let bytes = self.reader.get_bytes(range).await?;
            self.check(start, bytes)
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move {
            let starts: Vec<u64> = ranges.iter().map(|range| range.start).collect();
            let read = self.reader.get_byte_ranges(ranges).await?;
            starts.into_iter().zip(read).map(|(start, bytes)| self.check(start, bytes)).collect()
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let metadata = self.reader.get_metadata(options).await;
            let metadata = metadata.map_err(|error| CheckedPages::unreadable(&self.name, error))?;
            self.pages.set_metadata(&self.name, self.bytes, &metadata)?;
            Ok(metadata)
        }
        .boxed()
    }
}
