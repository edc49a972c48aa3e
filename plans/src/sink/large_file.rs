//! Encodes a part file of many rows as they arrive: dictionaries, many pages and row groups.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Result;
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::statistics::Statistics;

use super::format::{Leaf, PartFileFormat, ROW_GROUP_BYTES};
use super::geo::GeoSummary;
use crate::runtime::ParquetWriter;

/// A part file in the making, on top of parquet's own column writers.
pub struct LargeFileEncoder {
    format: Arc<PartFileFormat>,
    writer: ParquetWriter,
    geo: GeoSummary,
}

impl LargeFileEncoder {
    pub fn try_new(format: Arc<PartFileFormat>) -> Result<Self> {
        let (arrow, properties) = (Arc::clone(&format.arrow), Arc::clone(&format.properties));
        let writer = ParquetWriter::try_new(arrow, &format.parquet, properties, ROW_GROUP_BYTES)?;
        Ok(Self { format, writer, geo: GeoSummary::default() })
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.geo.add(batch, &self.format.geo)?;
        self.writer.write_with(batch, |leaf, close| without_bounds(&self.format.leaves, leaf, close))
    }

    /// The bytes of the row groups that are complete and were not taken before.
    pub fn take_bytes(&mut self) -> Result<Vec<u8>> {
        self.writer.take_bytes()
    }

    /// The rest of the bytes, and the metadata of the whole file.
    pub fn finish(mut self) -> Result<(Vec<u8>, ParquetMetaData)> {
        self.writer.note(KeyValue::new("geo".to_owned(), self.geo.to_json(&self.format.geo)?));
        self.writer.finish_with(|leaf, close| without_bounds(&self.format.leaves, leaf, close))
    }
}

/// parquet counts nulls only together with the least and greatest value: of a column without bounds, the count is kept.
fn without_bounds(leaves: &[Leaf], leaf: usize, close: &mut ColumnCloseResult) -> Result<()> {
    let is_bounded = leaves.get(leaf).is_some_and(|leaf| leaf.bounded);
    let nulls = close.metadata.statistics().and_then(Statistics::null_count_opt);
    if let Some(nulls) = nulls.filter(|_| !is_bounded) {
        let statistics = Statistics::byte_array(None, None, None, Some(nulls), false);
        close.metadata = close.metadata.clone().into_builder().set_statistics(statistics).build()?;
    }
    Ok(())
}
