//! Rows as a Parquet file.

use std::io::Write;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use earthcatalog_plans::sink::RowsFileEncoder;

use super::{OutputError, RowWriter};

/// Writes a Parquet or GeoParquet file, row group by row group.
pub(super) struct ParquetWriter {
    /// `None` when the file is complete.
    encoder: Option<RowsFileEncoder>,
}

impl ParquetWriter {
    /// GeoParquet, where there are columns of geometries.
    pub(super) fn any(schema: &SchemaRef) -> Result<Self, OutputError> {
        Ok(Self { encoder: Some(RowsFileEncoder::parquet(schema)?) })
    }

    /// An error if there is no column of geometries.
    pub(super) fn geo(schema: &SchemaRef) -> Result<Self, OutputError> {
        Ok(Self { encoder: Some(RowsFileEncoder::geoparquet(schema)?) })
    }
}

impl RowWriter for ParquetWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        if let Some(encoder) = &mut self.encoder {
            encoder.write(batch)?;
            out.write_all(&encoder.take_bytes()?)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), OutputError> {
        if let Some(encoder) = self.encoder.take() {
            out.write_all(&encoder.finish()?)?;
        }
        Ok(())
    }
}
