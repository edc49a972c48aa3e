//! Reads part files from end to end.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::metrics::{Count, Time};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::async_reader::{ParquetObjectReader, ParquetRecordBatchStreamBuilder};
use parquet::schema::types::SchemaDescriptor;

use super::table::{SEQUENCE, YEAR};
use crate::bucket::Bucket;
use crate::stores::stores;
use crate::warehouse::LiveFile;
use crate::warehouse::location::to_url;

/// A file of more bytes is read row group by row group, others at once.
const WHOLE_FILE_BYTES: u64 = 1 << 20;

/// Small files that are fetched ahead.
const FETCH_AHEAD: usize = 16;

/// Reads part files into batches of one schema.
#[derive(Debug)]
pub(super) struct PartFileReader {
    /// Columns of [`super::BucketsTable`], all or some.
    pub schema: SchemaRef,
    pub batch_rows: usize,
    pub bytes_read: Count,
    pub files_read: Count,
    pub decode_time: Time,
}

/// A file that is about to be read.
enum Opened {
    Whole(Bytes),
    Parts(BoxStream<'static, Result<RecordBatch>>),
}

impl PartFileReader {
    /// The rows of these files, in order.
    pub fn read(self: Arc<Self>, files: Vec<(Arc<Bucket>, LiveFile)>) -> BoxStream<'static, Result<RecordBatch>> {
        let reader = Arc::clone(&self);
        let opened = stream::iter(files).map(move |(bucket, file)| {
            let reader = Arc::clone(&reader);
            async move {
                let opened = reader.open(&file).await.map_err(|e| unreadable(&file, e))?;
                Ok::<_, DataFusionError>((bucket, file, opened))
            }
        });
        let batches = opened.buffered(FETCH_AHEAD).map_ok(move |(bucket, file, opened)| {
            let reader = Arc::clone(&self);
            let batches = match opened {
                Opened::Whole(bytes) => stream::iter(reader.decode(bytes)).boxed(),
                Opened::Parts(batches) => batches,
            };
            batches.map(move |batch| {
                batch.and_then(|b| reader.table_columns(&b, &bucket, &file)).map_err(|e| unreadable(&file, e))
            })
        });
        batches.try_flatten().boxed()
    }

    async fn open(&self, file: &LiveFile) -> Result<Opened> {
        let (store, path) = stores().locate(&to_url(&file.location)?)?;
        self.files_read.add(1);
        self.bytes_read.add(file.bytes as usize);
        if file.bytes <= WHOLE_FILE_BYTES {
            return Ok(Opened::Whole(store.get(&path).await?.bytes().await?));
        }
        let object = ParquetObjectReader::new(store, path).with_file_size(file.bytes);
        let builder = ParquetRecordBatchStreamBuilder::new_with_options(object, options()).await?;
        let mask = self.mask(builder.parquet_schema());
        let batches = builder.with_projection(mask).with_batch_size(self.batch_rows).build()?;
        Ok(Opened::Parts(batches.map_err(DataFusionError::from).boxed()))
    }

    fn decode(&self, file: Bytes) -> Vec<Result<RecordBatch>> {
        let _timer = self.decode_time.timer();
        let open = || {
            let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options())?;
            let mask = self.mask(builder.parquet_schema());
            builder.with_projection(mask).with_batch_size(self.batch_rows).build()
        };
        match open() {
            Ok(batches) => batches.map(|batch| batch.map_err(DataFusionError::from)).collect(),
            Err(e) => vec![Err(e.into())],
        }
    }

    fn mask(&self, file: &SchemaDescriptor) -> ProjectionMask {
        let names = file.root_schema().get_fields().iter().enumerate();
        let wanted = names.filter(|(_, field)| self.schema.column_with_name(field.name()).is_some());
        ProjectionMask::roots(file, wanted.map(|(i, _)| i))
    }

    /// The columns of the table out of those of a file, which may have others, fewer, or of another type.
    fn table_columns(&self, rows: &RecordBatch, bucket: &Bucket, file: &LiveFile) -> Result<RecordBatch> {
        let n = rows.num_rows();
        let columns = self.schema.fields().iter().map(|field| -> Result<ArrayRef> {
            Ok(match (field.name().as_str(), rows.column_by_name(field.name())) {
                (YEAR, _) => match bucket.year {
                    Some(year) => Arc::new(Int32Array::from_value(year, n)),
                    None => new_null_array(&DataType::Int32, n),
                },
                (SEQUENCE, _) => Arc::new(Int64Array::from_value(file.sequence, n)),
                (_, Some(column)) if column.data_type() == field.data_type() => Arc::clone(column),
                (_, Some(column)) => cast(column, field.data_type())?,
                (_, None) => new_null_array(field.data_type(), n),
            })
        });
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<Result<_>>()?)?)
    }
}

/// Types are those of Parquet, whatever the writer's own were.
fn options() -> ArrowReaderOptions {
    ArrowReaderOptions::new().with_skip_arrow_metadata(true)
}

fn unreadable(file: &LiveFile, error: DataFusionError) -> DataFusionError {
    error.context(format!("cannot read part file {}", file.location))
}
