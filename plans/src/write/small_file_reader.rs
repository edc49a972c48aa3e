//! Reads what [`super::small_file`] writes: many files into the columns of one batch.
//!
//! parquet's reader sets up a decoder and two zstd contexts for each column of each file, which takes several times as
//! long as the few rows do. Here the files of a table share one context, and append to the same columns.

use std::sync::Arc;

use arrow::array::RecordBatch;
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
        (self.rows, self.bytes) = (0, 0);
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<_>>()?;
        Ok(Some(RecordBatch::try_new(Arc::clone(&self.schema), columns)?))
    }
}
