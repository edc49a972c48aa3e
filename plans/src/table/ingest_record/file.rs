//! A file of the ingest record.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Result;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::model::chunk::IngestedObject;
use crate::runtime::ParquetWriter;

/// Columns of the ingest record.
///
/// | column | meaning |
/// |---|---|
/// | `object` | `s3://<bucket>/<key>`, or the URL of an object that is listed without a bucket |
/// | `e_tag` | its ETag as listed; null where the inventory has none |
/// | `last_modified` | when it was last modified, as listed (UTC); null where the inventory does not say |
/// | `run` | the run that ingested it |
/// | `collection`, `id` | the Item in it, of which an object has a row each; both null where it has none, is a file of many Items, or was ingested before this was written down |
pub static INGESTED_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("object", DataType::Utf8View, false),
        Field::new("e_tag", DataType::Utf8View, true),
        Field::new("last_modified", DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), true),
        Field::new("run", DataType::Utf8View, false),
        Field::new("collection", DataType::Utf8View, true),
        Field::new("id", DataType::Utf8View, true),
    ]))
});

/// The objects of one chunk as a Parquet file of [`INGESTED_SCHEMA`].
pub fn encode(run: &str, objects: &[IngestedObject]) -> Result<Vec<u8>> {
    let view = |texts: StringArray| arrow::compute::cast(&texts, &DataType::Utf8View);
    let times = objects.iter().map(|o| o.last_modified).collect::<TimestampMillisecondArray>();
    let columns: Vec<ArrayRef> = vec![
        view(objects.iter().map(|o| Some(o.object.as_str())).collect())?,
        view(objects.iter().map(|o| o.e_tag.as_deref()).collect())?,
        Arc::new(times.with_timezone("UTC")),
        view(objects.iter().map(|_| Some(run)).collect())?,
        view(objects.iter().map(|o| o.item.as_ref()?.collection.as_deref()).collect())?,
        view(objects.iter().map(|o| Some(o.item.as_ref()?.id.as_str())).collect())?,
    ];
    encode_rows(&RecordBatch::try_new(Arc::clone(&INGESTED_SCHEMA), columns)?)
}

/// Rows of [`INGESTED_SCHEMA`] as a Parquet file.
pub(super) fn encode_rows(rows: &RecordBatch) -> Result<Vec<u8>> {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    ParquetWriter::encode(rows, Arc::new(properties))
}
