//! Reads what [`super::small_file`] writes: many files into the columns of one batch.
//!
//! parquet's reader sets up a decoder and two zstd contexts for each column of each file, which takes several times as
//! long as the few rows do. Here the files of a table share one context, and append to the same columns.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;

use super::footer::read_page;
use super::format::PartFileFormat;
use super::plain::LeafPath;
use super::plain_reader::ColumnBuilder;

/// Makes batches of the rows of small part files.
pub struct SmallFileReader {
    format: Arc<PartFileFormat>,
    schema: SchemaRef,
    /// The column of the batch that each column of a file goes to, if it is wanted.
    targets: Vec<Option<usize>>,
    columns: Vec<ColumnBuilder>,
    rows: usize,
    bytes: usize,
    zstd: zstd::bulk::Decompressor<'static>,
    page: Vec<u8>,
}

/// What became of a file that was offered to a [`SmallFileReader`].
#[derive(Debug, PartialEq, Eq)]
pub enum Offered {
    /// So many rows were appended.
    Read(usize),
    /// It was not written by [`SmallFileEncoder`](super::small_file::SmallFileEncoder) for this table.
    OtherFormat,
}

impl SmallFileReader {
    /// `schema` has columns of the table, all or some, of the same types, but with Utf8 and Binary in place of views.
    pub fn try_new(format: Arc<PartFileFormat>, schema: SchemaRef) -> Result<Self> {
        let target = |field: &arrow::datatypes::FieldRef| schema.index_of(field.name()).ok();
        Ok(Self {
            targets: format.arrow.fields().iter().map(target).collect(),
            columns: schema.fields().iter().map(ColumnBuilder::try_new).collect::<Result<_>>()?,
            rows: 0,
            bytes: 0,
            zstd: zstd::bulk::Decompressor::new()?,
            page: vec![],
            format,
            schema,
        })
    }

    /// Rows of the batch in the making.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of its values, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends the rows of a file.
    ///
    /// Errors: the file was written for this table, but is damaged.
    pub fn offer(&mut self, file: &[u8]) -> Result<Offered> {
        let Some((rows, places)) = self.format.footer.read(file) else { return Ok(Offered::OtherFormat) };
        let format = Arc::clone(&self.format);
        for (leaf, place) in format.leaves.iter().zip(places) {
            let (column, optional, child) = match leaf.path {
                LeafPath::Column { column, optional } => (column, optional, 0),
                LeafPath::Child { column, child } => (column, true, child),
                LeafPath::Element { column } => (column, true, 0),
            };
            let Some(target) = self.targets[column] else { continue };
            let appended = file.get(place.bytes.clone()).and_then(|chunk| {
                let (body, length) = read_page(chunk, place.values)?;
                let page = match place.compressed {
                    true => {
                        self.page.clear();
                        self.page.reserve(length);
                        self.zstd.decompress_to_buffer(body, &mut self.page).ok()?;
                        self.page.as_slice()
                    }
                    false => body,
                };
                self.bytes += page.len();
                self.columns[target].append(page, place.values, optional, child)
            });
            if appended.is_none() {
                return datafusion::common::exec_err!("column {} is damaged", format.arrow.field(column).name());
            }
        }
        self.rows += rows;
        Ok(Offered::Read(rows))
    }

    /// The rows so far, and a fresh start; `None` if there are none.
    pub fn take_batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        // Where no column is wanted, the number of rows still is.
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.bytes) = (0, 0);
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<_>>()?;
        Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::compute::{cast, concat_batches};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::super::large_file::LargeFileEncoder;
    use super::super::small_file::SmallFileEncoder;
    use super::*;
    use crate::sink::tests::sample::{GREENLAND, Row, batch, row, target};

    fn format() -> Arc<PartFileFormat> {
        Arc::new(PartFileFormat::try_new(&target("memory://small-reader/wh/")).unwrap())
    }

    /// As `fields`, with texts that lie one behind the other.
    fn without_views(schema: &Schema) -> SchemaRef {
        let field = |field: &arrow::datatypes::FieldRef| {
            let data_type = match field.data_type() {
                DataType::Utf8View => DataType::Utf8,
                DataType::BinaryView => DataType::Binary,
                other => other.clone(),
            };
            Field::clone(field).with_data_type(data_type)
        };
        Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
    }

    fn rows(from: usize, to: usize) -> RecordBatch {
        let rows = (from..to).map(|n| Row {
            platform: [None, Some("S1A"), Some("")][n % 3],
            percent: (n % 2 == 0).then_some(n as i32 - 5),
            point: (n % 4 > 0).then_some([n as f64, -1.5]),
            datetime: (n % 5 > 0).then_some("1969-12-31T23:59:59.5Z"),
            assets: "é𝄞 ".repeat(n * 7),
            ..row(format!("item {n}"), GREENLAND, "", "2020-01-01T00:00:00Z")
        });
        batch(&rows.collect::<Vec<_>>())
    }

    fn small(format: &Arc<PartFileFormat>, rows: &RecordBatch) -> Vec<u8> {
        SmallFileEncoder::try_new(Arc::clone(format)).unwrap().encode(std::slice::from_ref(rows)).unwrap().0
    }

    #[test]
    fn what_small_files_hold_comes_back_in_one_batch() {
        let format = format();
        let schema = without_views(rows(0, 1).schema().as_ref());
        let mut reader = SmallFileReader::try_new(Arc::clone(&format), Arc::clone(&schema)).unwrap();
        for round in 0..2 {
            let files = [rows(0, 1), rows(1, 10), rows(10, 40 + round)];
            for file in &files {
                assert_eq!(reader.offer(&small(&format, file)).unwrap(), Offered::Read(file.num_rows()));
            }
            let read = reader.take_batch().unwrap().unwrap();
            let expected = concat_batches(&files[0].schema(), &files).unwrap();
            for (column, field) in read.columns().iter().zip(schema.fields()) {
                let expected = cast(expected.column_by_name(field.name()).unwrap(), field.data_type()).unwrap();
                assert_eq!(column.to_data(), expected.to_data(), "{}", field.name());
            }
            assert!(reader.take_batch().unwrap().is_none());
        }
    }

    #[test]
    fn columns_that_are_not_wanted_are_not_read() {
        let format = format();
        let schema = without_views(&rows(0, 1).schema().project(&[8, 0]).unwrap());
        let mut reader = SmallFileReader::try_new(Arc::clone(&format), schema).unwrap();
        reader.offer(&small(&format, &rows(0, 3))).unwrap();
        let read = reader.take_batch().unwrap().unwrap();
        assert_eq!((read.num_columns(), read.column(1).as_string::<i32>().value(2)), (2, "item 2"));
    }

    #[test]
    fn a_file_of_another_writer_or_table_is_left_to_others() {
        let format = format();
        let schema = without_views(rows(0, 1).schema().as_ref());
        let mut reader = SmallFileReader::try_new(Arc::clone(&format), schema).unwrap();
        let mut large = LargeFileEncoder::try_new(Arc::clone(&format)).unwrap();
        large.write(&rows(0, 5)).unwrap();
        let (large, _) = large.finish().unwrap();
        for other in [&large[..], b"", b"PAR1", b"no Parquet file at all", &small(&format, &rows(0, 3))[8..]] {
            // A file without its first bytes still has its footer; its pages are not where that says.
            if let Ok(offered) = reader.offer(other) {
                assert_eq!(offered, Offered::OtherFormat, "{} bytes", other.len());
            }
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_and_never_a_panic() {
        let format = format();
        let schema = without_views(rows(0, 1).schema().as_ref());
        let file = small(&format, &rows(0, 9));
        let mut refused = 0;
        for at in (0..file.len()).step_by(7) {
            let mut damaged = file.clone();
            damaged[at] ^= 0x55;
            let mut reader = SmallFileReader::try_new(Arc::clone(&format), Arc::clone(&schema)).unwrap();
            match reader.offer(&damaged).and_then(|_| reader.take_batch()) {
                Err(_) => refused += 1,
                Ok(None) => {}
                Ok(Some(read)) => assert_eq!(read.num_rows(), 9),
            }
        }
        assert!(refused > 0);
    }
}
