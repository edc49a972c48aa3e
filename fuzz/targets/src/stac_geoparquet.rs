//! A stac-geoparquet file: each row that becomes an Item is JSON, and the decoder takes or refuses it.

use arrow::array::RecordBatch;
use bytes::Bytes;
use earthcatalog_stac_rows::geoparquet::ItemWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Rows that are looked at.
const ROWS: usize = 256;

pub fn fuzz_stac_geoparquet(data: &[u8]) {
    super::not_ours_from_here();
    let file = Bytes::copy_from_slice(data);
    let batches = super::caught(|| {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).ok()?;
        let reader = reader.with_batch_size(ROWS).with_limit(ROWS).build().ok()?;
        Some(reader.map_while(Result::ok).collect::<Vec<RecordBatch>>())
    });
    for batch in batches.iter().flatten() {
        let writer = ItemWriter::new(batch);
        for row in 0..batch.num_rows() {
            if let Ok(item) = writer.write(row) {
                super::item::decode(&item);
            }
        }
    }
}
