//! [`Encoding`]: how the columns of stac-geoparquet are written.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use datafusion::common::Result;
use earthcatalog_plans::sink::RowsFileEncoder;
use serde_json::{Map, Value, json};

/// The entry by which readers know such a file.
const METADATA: &str = "stac-geoparquet";

/// How the columns of stac-geoparquet are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Parquet,
    /// The same columns as a stream of Arrow's IPC format.
    ArrowStream,
}

/// A file or stream in the making.
pub(super) enum Encoder {
    Parquet(Box<RowsFileEncoder>),
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Encoder {
    /// `collections` are the documents of the Items' collections, by id.
    pub fn new(encoding: Encoding, schema: &SchemaRef, collections: Map<String, Value>) -> Result<Self> {
        Ok(match encoding {
            Encoding::Parquet => {
                let mut encoder = RowsFileEncoder::geoparquet(schema)?;
                let mut metadata = json!({"version": "1.1.0"});
                if !collections.is_empty() {
                    metadata["collections"] = collections.into();
                }
                encoder.note(METADATA, metadata.to_string());
                Self::Parquet(Box::new(encoder))
            }
            Encoding::ArrowStream => Self::Arrow(Box::new(StreamWriter::try_new(vec![], schema)?)),
        })
    }

    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Parquet(encoder) => encoder.write(batch),
            Self::Arrow(writer) => Ok(writer.write(batch)?),
        }
    }

    /// The bytes that are complete and were not taken before.
    pub fn take_bytes(&mut self) -> Result<Vec<u8>> {
        match self {
            Self::Parquet(encoder) => encoder.take_bytes(),
            Self::Arrow(writer) => Ok(std::mem::take(writer.get_mut())),
        }
    }

    /// The rest of the bytes.
    pub fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Parquet(encoder) => encoder.finish(),
            Self::Arrow(writer) => Ok((*writer).into_inner()?),
        }
    }
}
