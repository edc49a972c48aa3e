//! Parquet files of a table, whichever engine wrote them.

use arrow::compute::CastOptions;
use arrow::util::display::FormatOptions;
use datafusion::common::Result;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;

use super::location::to_url;
use crate::stores::{ParquetObject, stores};

/// A cast that fails where a value has no place in the other type: what does not fit is no null.
pub(crate) const EXACT: CastOptions<'static> = CastOptions { safe: false, format_options: FormatOptions::new() };

/// Types are those of Parquet, whatever the writer's own were.
pub(crate) fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}

/// Opens the file at an Iceberg location, which has so many bytes.
pub(crate) async fn open(location: &str, bytes: u64) -> Result<ParquetRecordBatchStreamBuilder<ParquetObject>> {
    let (store, path) = stores().locate(&to_url(location)?)?;
    let object = ParquetObject::new(store, path, bytes);
    Ok(ParquetRecordBatchStreamBuilder::new_with_options(object, options()).await?)
}
