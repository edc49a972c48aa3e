//! Encodes a part file of few rows in one go: one row group with one PLAIN page per column.
//!
//! Most buckets of a chunk hold a handful of rows, so what a file costs before its first row decides. parquet's column
//! writers, meant for long columns, each set up dictionaries, level encoders and two zstd contexts; here all columns of
//! all files share one context and the buffers.

use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use datafusion::common::Result;
use parquet::basic::{Compression, Encoding, EncodingMask, PageType, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, PageEncodingStats, ParquetMetaData, ParquetMetaDataWriter,
    RowGroupMetaData,
};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};

use super::format::{PartFileFormat, ZSTD_LEVEL};
use super::geo::GeoSummary;
use super::plain::PlainPage;

/// A page with fewer bytes is not compressed: it gains little, or nothing.
const COMPRESSED_FROM: usize = 200;

/// Encodes small part files, one after the other.
pub struct SmallFileEncoder {
    format: Arc<PartFileFormat>,
    zstd: zstd::bulk::Compressor<'static>,
    compression: Compression,
    page: PlainPage,
    compressed: Vec<u8>,
}

impl SmallFileEncoder {
    pub fn try_new(format: Arc<PartFileFormat>) -> Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
            compression: Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?),
            page: PlainPage::default(),
            compressed: vec![],
            format,
        })
    }

    /// A file with these rows, and its metadata.
    pub fn encode(&mut self, rows: &[RecordBatch]) -> Result<(Vec<u8>, ParquetMetaData)> {
        let mut geo = GeoSummary::default();
        for rows in rows {
            geo.add(rows, &self.format.geo)?;
        }
        let mut file = Vec::new();
        let mut out = TrackedWrite::new(&mut file);
        std::io::Write::write_all(&mut out, b"PAR1")?;
        let columns = (0..self.format.leaves.len()).map(|leaf| self.encode_column(leaf, rows, &mut out));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let metadata = self.metadata(columns, rows.iter().map(RecordBatch::num_rows).sum(), &geo)?;
        ParquetMetaDataWriter::new_with_tracked(out, &metadata).finish()?;
        Ok((file, metadata))
    }

    fn encode_column(
        &mut self,
        index: usize,
        rows: &[RecordBatch],
        out: &mut TrackedWrite<&mut Vec<u8>>,
    ) -> Result<ColumnChunkMetaData> {
        let leaf = &self.format.leaves[index];
        let statistics = self.page.encode(leaf.path, rows, leaf.bounded)?;
        let (compression, body) = self.compress()?;
        let page = Page::DataPage {
            buf: body,
            num_values: self.page.values as u32,
            encoding: Encoding::PLAIN,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let page = CompressedPage::new(page, self.page.bytes.len());
        let written = SerializedPageWriter::new(out).write_page(page)?;
        let pages = PageEncodingStats { page_type: PageType::DATA_PAGE, encoding: Encoding::PLAIN, count: 1 };
        let column = ColumnChunkMetaData::builder(self.format.parquet.column(index))
            .set_compression(compression)
            .set_encodings_mask(EncodingMask::new_from_encodings([Encoding::PLAIN, Encoding::RLE].iter()))
            .set_page_encoding_stats(vec![pages])
            .set_num_values(self.page.values as i64)
            .set_data_page_offset(written.offset as i64)
            .set_total_compressed_size(written.compressed_size as i64)
            .set_total_uncompressed_size(written.uncompressed_size as i64)
            .set_statistics(statistics);
        Ok(column.build()?)
    }

    /// The body of the page, compressed if that makes it smaller.
    fn compress(&mut self) -> Result<(Compression, Bytes)> {
        let body = &self.page.bytes;
        if body.len() >= COMPRESSED_FROM {
            self.compressed.clear();
            self.compressed.reserve(zstd::zstd_safe::compress_bound(body.len()));
            self.zstd.compress_to_buffer(body, &mut self.compressed)?;
            if self.compressed.len() < body.len() {
                return Ok((self.compression, Bytes::copy_from_slice(&self.compressed)));
            }
        }
        Ok((Compression::UNCOMPRESSED, Bytes::copy_from_slice(body)))
    }

    fn metadata(&self, columns: Vec<ColumnChunkMetaData>, rows: usize, geo: &GeoSummary) -> Result<ParquetMetaData> {
        let properties = &self.format.properties;
        let row_group = RowGroupMetaData::builder(Arc::clone(&self.format.parquet))
            .set_num_rows(rows as i64)
            .set_total_byte_size(columns.iter().map(ColumnChunkMetaData::uncompressed_size).sum())
            .set_column_metadata(columns)
            .set_sorting_columns(properties.sorting_columns().cloned())
            .set_ordinal(0)
            .set_file_offset(4)
            .build()?;
        let mut key_values = properties.key_value_metadata().cloned().unwrap_or_default();
        key_values.push(KeyValue::new("geo".to_owned(), geo.to_json()?));
        let file = FileMetaData::new(
            properties.writer_version().as_num(),
            rows as i64,
            Some(properties.created_by().to_owned()),
            Some(key_values),
            Arc::clone(&self.format.parquet),
            None,
        );
        Ok(ParquetMetaData::new(file, vec![row_group]))
    }
}

#[cfg(test)]
mod tests {
    use arrow::compute::concat_batches;
    use arrow::util::pretty::pretty_format_batches;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
    use proptest::prelude::*;

    use super::*;
    use crate::part_file::ColumnStatistics;
    use crate::write::large_file::LargeFileEncoder;
    use crate::write::sample::{GREENLAND, Row, batch, row, target};
    use crate::write::statistics::column_statistics;

    fn format() -> Arc<PartFileFormat> {
        Arc::new(PartFileFormat::try_new(&target("memory://small/wh/")).unwrap())
    }

    fn read(file: Vec<u8>) -> RecordBatch {
        let reader = ParquetRecordBatchReader::try_new(Bytes::from(file), 1024).unwrap();
        let batches: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
        concat_batches(&batches[0].schema(), &batches).unwrap()
    }

    fn any_row() -> impl Strategy<Value = Row> {
        let text = prop_oneof!["[a-z]{0,12}", "[é𝄞\u{10ffff}a]{10,40}", "x{60,70}"];
        let platform = prop::option::of(prop_oneof![Just("S1A"), Just("LC08"), Just("")]);
        let bound = prop_oneof![-180.0..180.0, Just(0.0), Just(-0.0), Just(f64::NAN)];
        let point = prop::option::of((bound.clone(), bound).prop_map(|(x, y)| [x, y]));
        let datetime = prop::option::of(prop_oneof![Just("2020-01-01T00:00:00Z"), Just("1969-12-31T23:59:59.5Z")]);
        (text, platform, prop::option::of(any::<i32>()), point, datetime, "[ -~]{0,400}").prop_map(
            |(id, platform, percent, point, datetime, assets)| Row {
                platform,
                percent,
                point,
                datetime,
                assets,
                ..row(id, GREENLAND, "", "2020-01-01T00:00:00Z")
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_small_file_is_read_and_summed_up_as_a_large_one(
            rows in prop::collection::vec(any_row(), 1..70),
            cut in any::<prop::sample::Index>(),
        ) {
            let format = format();
            let rows = batch(&rows);
            let cut = cut.index(rows.num_rows());
            let slices: Vec<_> = [rows.slice(0, cut), rows.slice(cut, rows.num_rows() - cut)].into();

            let (small, small_metadata) = SmallFileEncoder::try_new(format.clone()).unwrap().encode(&slices).unwrap();
            let mut encoder = LargeFileEncoder::try_new(format.clone()).unwrap();
            encoder.write(&rows).unwrap();
            let (large, large_metadata) = encoder.finish().unwrap();

            let text = |file| pretty_format_batches(&[read(file)]).unwrap().to_string();
            prop_assert_eq!(text(small), text(large));
            let same_bytes = |column| ColumnStatistics { bytes: 0, ..column };
            let statistics = |metadata| column_statistics(&metadata, &format.leaves).into_iter().map(same_bytes);
            for (small, large) in statistics(small_metadata).zip(statistics(large_metadata)) {
                prop_assert_eq!(small, large);
            }
        }
    }

    #[test]
    fn the_footer_of_a_small_file_is_that_of_a_large_one() {
        let format = format();
        let rows = batch(&[row("x".repeat(80), GREENLAND, "S1A", "2020-01-01T00:00:00Z")]);
        let (small, _) =
            SmallFileEncoder::try_new(format.clone()).unwrap().encode(std::slice::from_ref(&rows)).unwrap();
        let mut encoder = LargeFileEncoder::try_new(format).unwrap();
        encoder.write(&rows).unwrap();
        let (large, _) = encoder.finish().unwrap();

        let footer = |file: Vec<u8>| {
            let reader = parquet::file::metadata::ParquetMetaDataReader::new();
            reader.parse_and_finish(&Bytes::from(file)).unwrap()
        };
        let (small, large) = (footer(small), footer(large));
        assert_eq!(small.file_metadata(), large.file_metadata());
        let (small, large) = (small.row_group(0), large.row_group(0));
        assert_eq!(small.sorting_columns(), large.sorting_columns());
        for (small, large) in small.columns().iter().zip(large.columns()) {
            assert_eq!(small.column_descr(), large.column_descr());
            assert_eq!(small.statistics(), large.statistics(), "{}", small.column_path());
        }
    }
}
