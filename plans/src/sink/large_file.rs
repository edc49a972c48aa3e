//! Encodes a part file of many rows as they arrive: dictionaries, many pages and row groups.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Result;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;

use super::format::{PartFileFormat, ROW_GROUP_BYTES, ROW_GROUP_ROWS};
use super::geo::GeoSummary;

/// A part file in the making, on top of parquet's own column writers.
pub struct LargeFileEncoder {
    format: Arc<PartFileFormat>,
    writer: SerializedFileWriter<Vec<u8>>,
    row_groups: ArrowRowGroupWriterFactory,
    /// Of the row group in progress; empty between two.
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
    geo: GeoSummary,
}

impl LargeFileEncoder {
    pub fn try_new(format: Arc<PartFileFormat>) -> Result<Self> {
        let root = format.parquet.root_schema_ptr();
        let writer = SerializedFileWriter::new(Vec::new(), root, Arc::clone(&format.properties))?;
        let row_groups = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&format.arrow));
        Ok(Self { format, writer, row_groups, columns: vec![], rows: 0, geo: GeoSummary::default() })
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.geo.add(batch, &self.format.geo)?;
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            if self.columns.is_empty() {
                self.columns = self.row_groups.create_column_writers(self.writer.flushed_row_groups().len())?;
            }
            let n = rest.num_rows().min(ROW_GROUP_ROWS - self.rows);
            let now = rest.slice(0, n);
            rest = rest.slice(n, rest.num_rows() - n);
            let mut columns = self.columns.iter_mut();
            for (field, column) in self.format.arrow.fields().iter().zip(now.columns()) {
                // The leaves of the schema and of the columns that it made are the same, so zip drops none.
                for (leaf, writer) in compute_leaves(field, column)?.iter().zip(&mut columns) {
                    writer.write(leaf)?;
                }
            }
            self.rows += n;
            let bytes: usize = self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum();
            if self.rows >= ROW_GROUP_ROWS || bytes >= ROW_GROUP_BYTES {
                self.end_row_group()?;
            }
        }
        Ok(())
    }

    /// The bytes of the row groups that are complete and were not taken before.
    pub fn take_bytes(&mut self) -> Result<Vec<u8>> {
        self.writer.flush()?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    /// The rest of the bytes, and the metadata of the whole file.
    pub fn finish(mut self) -> Result<(Vec<u8>, ParquetMetaData)> {
        self.end_row_group()?;
        self.writer.append_key_value_metadata(KeyValue::new("geo".to_owned(), self.geo.to_json(&self.format.geo)?));
        let metadata = self.writer.finish()?;
        Ok((self.take_bytes()?, metadata))
    }

    fn end_row_group(&mut self) -> Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let mut row_group = self.writer.next_row_group()?;
        for (column, leaf) in std::mem::take(&mut self.columns).into_iter().zip(&self.format.leaves) {
            let mut chunk = column.close()?;
            if !leaf.bounded {
                keep_null_count_only(&mut chunk)?;
            }
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        self.rows = 0;
        Ok(())
    }
}

/// parquet counts nulls only together with the least and greatest value.
fn keep_null_count_only(chunk: &mut ArrowColumnChunk) -> Result<()> {
    let close = chunk.close_mut();
    if let Some(nulls) = close.metadata.statistics().and_then(Statistics::null_count_opt) {
        let statistics = Statistics::byte_array(None, None, None, Some(nulls), false);
        close.metadata = close.metadata.clone().into_builder().set_statistics(statistics).build()?;
    }
    Ok(())
}
