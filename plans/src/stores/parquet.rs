//! [`ParquetObject`]: a Parquet file in a store, as the `parquet` crate's asynchronous reader wants it, with its pages checked.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::checked_pages::CheckedPages;

/// A Parquet file of known size. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ParquetObject {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
    pages: CheckedPages,
}

impl ParquetObject {
    /// The file at `path`, which has so many `bytes`.
    pub fn new(store: Arc<dyn ObjectStore>, path: Path, bytes: u64) -> Self {
        Self { store, path, bytes, pages: CheckedPages::default() }
    }

    fn check(&self, start: u64, bytes: Bytes) -> Result<Bytes> {
        self.pages.check(self.path.as_ref(), start, &bytes)?;
        Ok(bytes)
    }
}

impl AsyncFileReader for ParquetObject {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let start = range.start;
            let bytes = self.store.get_range(&self.path, range).await.map_err(failed)?;
            self.check(start, bytes)
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let read = self.store.get_ranges(&self.path, &ranges).await.map_err(failed)?;
            ranges.iter().zip(read).map(|(range, bytes)| self.check(range.start, bytes)).collect()
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let bytes = self.bytes;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
            let read = reader.load_and_finish(&mut *self, bytes).await;
            let metadata = Arc::new(read.map_err(|error| CheckedPages::unreadable(self.path.as_ref(), error))?);
            self.pages.set_metadata(self.path.as_ref(), bytes, &metadata)?;
            Ok(metadata)
        }
        .boxed()
    }
}

fn failed(source: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(source))
}
