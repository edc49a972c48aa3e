//! Encodes a part file of few rows in one go: one row group with one PLAIN page per column.
//!
//! Most buckets of a chunk hold a handful of rows, so what a file costs before its first row decides. parquet's column
//! writers, meant for long columns, each set up dictionaries, level encoders and two zstd contexts, and its footer is
//! made of objects; that is ten times the work of the rows. Here all columns of all files share one context and the
//! buffers, and the constant parts of the footer are copied.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Result;

use super::footer::{ColumnChunk, write_page_header};
use super::format::{Leaf, PartFileFormat};
use super::geo::GeoSummary;
use super::page_index::write_page_index;
use super::plain::PlainPage;
use super::statistics::of_column;
use crate::model::part_file::ColumnStatistics;

/// zstd's level for pages of a few kilobytes, where building entropy tables for literals costs more than all the rest,
/// and gains 4 % of a file.
const ZSTD_LEVEL: i32 = -1;

/// A page with fewer bytes is not compressed: it gains little, or nothing.
const COMPRESSED_FROM: usize = 200;

/// Encodes small part files, one after the other.
pub struct SmallFileEncoder {
    format: Arc<PartFileFormat>,
    zstd: zstd::bulk::Compressor<'static>,
    page: PlainPage,
    compressed: Vec<u8>,
    chunks: Vec<ColumnChunk>,
    /// Bytes of the last file.
    length: usize,
}

impl SmallFileEncoder {
    pub fn try_new(format: Arc<PartFileFormat>) -> Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
            page: PlainPage::default(),
            compressed: vec![],
            chunks: vec![],
            length: 0,
            format,
        })
    }

    /// A file with these rows, and the statistics of its recorded columns, ordered by field id.
    pub fn encode(&mut self, rows: &[RecordBatch]) -> Result<(Vec<u8>, Vec<ColumnStatistics>)> {
        let mut geo = GeoSummary::default();
        for rows in rows {
            geo.add(rows, &self.format.geo)?;
        }
        let mut file = Vec::with_capacity(self.length + self.length / 4);
        file.extend_from_slice(b"PAR1");
        self.chunks.clear();
        for leaf in 0..self.format.leaves.len() {
            let chunk = self.encode_column(leaf, rows, &mut file)?;
            self.chunks.push(chunk);
        }
        write_page_index(&mut file, &mut self.chunks);
        let n = rows.iter().map(RecordBatch::num_rows).sum::<usize>();
        self.format.footer.write(&mut file, n as i64, &self.chunks, &geo.to_json(&self.format.geo)?);
        self.length = file.len();

        let columns = self.format.leaves.iter().zip(&self.chunks);
        let recorded = columns.filter(|(leaf, _)| leaf.is_recorded());
        let mut columns: Vec<_> =
            recorded.map(|(leaf, chunk)| of_column(leaf, chunk.values as u64, &chunk.statistics)).collect();
        columns.sort_unstable_by_key(|column| column.field_id);
        Ok((file, columns))
    }

    fn encode_column(&mut self, leaf: usize, rows: &[RecordBatch], file: &mut Vec<u8>) -> Result<ColumnChunk> {
        let Leaf { path, bounded, .. } = self.format.leaves[leaf];
        let statistics = self.page.encode(path, rows, bounded)?;
        let compressed = self.compress()?;
        let body = if compressed { &self.compressed } else { &self.page.bytes };
        let offset = file.len();
        write_page_header(file, self.page.values, self.page.bytes.len(), body.len());
        let header = file.len() - offset;
        file.extend_from_slice(body);
        Ok(ColumnChunk {
            compressed,
            values: self.page.values as i64,
            offset: offset as i64,
            uncompressed_size: (header + self.page.bytes.len()) as i64,
            compressed_size: (header + body.len()) as i64,
            statistics,
            bounded,
            column_index: None,
            offset_index: 0..0,
        })
    }

    /// Compresses the body of the page, if that makes it smaller.
    fn compress(&mut self) -> Result<bool> {
        let body = &self.page.bytes;
        if body.len() < COMPRESSED_FROM {
            return Ok(false);
        }
        self.compressed.clear();
        self.compressed.reserve(zstd::zstd_safe::compress_bound(body.len()));
        self.zstd.compress_to_buffer(body, &mut self.compressed)?;
        Ok(self.compressed.len() < body.len())
    }
}

#[cfg(test)]
mod tests {
    use arrow::compute::concat_batches;
    use arrow::util::pretty::pretty_format_batches;
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
    use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
    use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
    use proptest::prelude::*;

    use super::*;
    use crate::sink::large_file::LargeFileEncoder;
    use crate::sink::statistics::column_statistics;
    use crate::sink::tests::sample::{GREENLAND, Row, batch, row, target};

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

            let (small, small_columns) = SmallFileEncoder::try_new(format.clone()).unwrap().encode(&slices).unwrap();
            let mut encoder = LargeFileEncoder::try_new(format.clone()).unwrap();
            encoder.write(&rows).unwrap();
            let (large, large_metadata) = encoder.finish().unwrap();

            let text = |file| pretty_format_batches(&[read(file)]).unwrap().to_string();
            prop_assert_eq!(text(small), text(large));
            let large_columns = column_statistics(&large_metadata, &format.leaves);
            for (small, large) in small_columns.into_iter().zip(large_columns) {
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

    #[test]
    fn the_page_index_of_a_small_file_is_that_of_a_large_one() {
        let format = format();
        let rows = batch(&[
            row("x".repeat(80), GREENLAND, "S1A", "2020-01-01T00:00:00Z"),
            Row { platform: None, point: None, ..row("y", GREENLAND, "", "2021-01-01T00:00:00Z") },
        ]);
        let (small, _) =
            SmallFileEncoder::try_new(format.clone()).unwrap().encode(std::slice::from_ref(&rows)).unwrap();
        let mut encoder = LargeFileEncoder::try_new(format.clone()).unwrap();
        encoder.write(&rows).unwrap();
        let (large, _) = encoder.finish().unwrap();

        let index = |file: Vec<u8>| {
            let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
            let metadata = reader.parse_and_finish(&Bytes::from(file)).unwrap();
            let (index, offsets) = (metadata.column_index().unwrap(), metadata.offset_index().unwrap());
            let columns = rows.schema_ref().fields().iter().filter(|field| !field.data_type().is_nested());
            let columns = columns.map(|field| {
                let converter =
                    StatisticsConverter::try_new(field.name(), &format.arrow, metadata.file_metadata().schema_descr());
                let converter = converter.unwrap();
                let [min, max] = [StatisticsConverter::data_page_mins, StatisticsConverter::data_page_maxes]
                    .map(|of| of(&converter, index, offsets, &[0]).unwrap().to_data());
                let nulls = converter.data_page_null_counts(index, offsets, &[0]).unwrap();
                (field.name().clone(), min, max, nulls)
            });
            let places = metadata.row_group(0).columns().iter().zip(&offsets[0]).map(|(column, offsets)| {
                let [page] = offsets.page_locations().as_slice() else { panic!("one page") };
                let first = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
                let dictionary = column.data_page_offset() - first;
                let end = page.offset + i64::from(page.compressed_page_size);
                assert_eq!((page.offset, page.first_row_index), (column.data_page_offset(), 0));
                assert_eq!(end - page.offset + dictionary, column.compressed_size());
                column.column_index_length().is_some()
            });
            (columns.collect::<Vec<_>>(), places.collect::<Vec<_>>())
        };
        assert_eq!(index(small), index(large));
    }
}
