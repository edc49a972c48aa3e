//! Encodes a part file of few rows in one go, with what Iceberg and GeoParquet want to know of it.
//!
//! Most buckets of a chunk hold a handful of rows: see [`earthcatalog_small_parquet`] for the measured reason.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use earthcatalog_small_parquet::Encoder;

use super::format::PartFileFormat;
use super::geo::GeoSummary;
use super::statistics::of_column;
use crate::model::part_file::ColumnStatistics;

/// Encodes small part files, one after the other.
pub struct SmallFileEncoder {
    format: Arc<PartFileFormat>,
    encoder: Encoder,
}

impl SmallFileEncoder {
    pub fn try_new(format: Arc<PartFileFormat>) -> Result<Self> {
        Ok(Self { encoder: Encoder::try_new(Arc::clone(&format.small)).map_err(external)?, format })
    }

    /// A file with these rows, and the statistics of its recorded columns, ordered by field id.
    pub fn encode(&mut self, rows: &[RecordBatch]) -> Result<(Vec<u8>, Vec<ColumnStatistics>)> {
        let mut geo = GeoSummary::default();
        for rows in rows {
            geo.add(rows, &self.format.geo)?;
        }
        let geo = geo.to_json(&self.format.geo)?;
        let (file, chunks) = self.encoder.encode(rows, ("geo", &geo)).map_err(external)?;

        let columns = self.format.leaves.iter().zip(chunks);
        let recorded = columns.filter(|(leaf, _)| leaf.is_recorded());
        let mut columns: Vec<_> =
            recorded.map(|(leaf, chunk)| of_column(leaf, chunk.values as u64, &chunk.statistics)).collect();
        columns.sort_unstable_by_key(|column| column.field_id);
        Ok((file, columns))
    }
}

fn external(error: earthcatalog_small_parquet::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
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
