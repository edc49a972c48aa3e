//! The rejects of a chunk as a Parquet file, which is what table `rejects` reads.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::model::chunk::{ChunkId, Reject};
use crate::runtime::ParquetWriter;

/// Schema of table `rejects`. `position`, `byte_offset` and `byte_length` are null where the object is one Item, or
/// where they are unknown.
pub static REJECTS_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("run", DataType::Utf8, false),
        Field::new("chunk", DataType::Utf8, false),
        Field::new("object", DataType::Utf8, false),
        Field::new("position", DataType::UInt64, true),
        Field::new("byte_offset", DataType::UInt64, true),
        Field::new("byte_length", DataType::UInt64, true),
        Field::new("kind", DataType::Utf8, false),
        Field::new("message", DataType::Utf8, false),
    ]))
});

/// The rejects of one chunk as a Parquet file of [`REJECTS_SCHEMA`].
pub fn encode(run: &str, chunk: &ChunkId, rejects: &[Reject]) -> Result<Vec<u8>> {
    let text = |values: &mut dyn Iterator<Item = String>| Arc::new(StringArray::from_iter_values(values)) as ArrayRef;
    let number = |of: fn(&Reject) -> Option<u64>| Arc::new(rejects.iter().map(of).collect::<UInt64Array>()) as ArrayRef;
    let columns = vec![
        text(&mut rejects.iter().map(|_| run.to_owned())),
        text(&mut rejects.iter().map(|_| chunk.to_string())),
        text(&mut rejects.iter().map(|r| r.object.clone())),
        number(|r| r.position),
        number(|r| r.bytes.as_ref().map(|b| b.start)),
        number(|r| r.bytes.as_ref().map(|b| b.end.saturating_sub(b.start))),
        text(&mut rejects.iter().map(|r| r.kind.name().to_owned())),
        text(&mut rejects.iter().map(|r| r.message.clone())),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&REJECTS_SCHEMA), columns)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    ParquetWriter::encode(&batch, Arc::new(properties))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::UInt64Type;
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

    use super::*;
    use crate::model::chunk::RejectKind;

    #[test]
    fn a_reject_keeps_its_reason_and_where_its_bytes_are() {
        let chunk = ChunkId { file: "file:///items.ndjson".into(), rows: 0..10 };
        let line = Reject {
            object: "file:///items.ndjson".into(),
            position: Some(7),
            bytes: Some(700..764),
            kind: RejectKind::MalformedJson,
            message: "expected a value".into(),
        };
        let whole = Reject { position: None, bytes: None, kind: RejectKind::Missing, ..line.clone() };

        let file = encode("run-1", &chunk, &[line, whole]).unwrap();

        let batch = ParquetRecordBatchReader::try_new(Bytes::from(file), 10).unwrap().next().unwrap().unwrap();
        assert_eq!(batch.schema().fields(), REJECTS_SCHEMA.fields());
        assert_eq!(batch.column(1).as_string::<i32>().value(0), "file:///items.ndjson[0..10]");
        assert_eq!(batch.column(5).as_primitive::<UInt64Type>().value(0), 64);
        assert!((3..6).all(|i| batch.column(i).is_null(1)));
        assert_eq!(batch.column(6).as_string::<i32>().value(1), "missing");
    }
}
