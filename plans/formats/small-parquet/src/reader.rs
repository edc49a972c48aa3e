//! Reads what [`super::encoder`] writes: many files into the columns of one batch.
//!
//! parquet's reader sets up a decoder and two zstd contexts for each column of each file, which takes several times as
//! long as the few rows do. Here the files of a table share one context, and append to the same columns.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use super::columns::ColumnBuilder;
use super::error::{Error, Result};
use super::footer::read_page;
use super::format::SmallFileFormat;
use super::plain::LeafPath;
use super::{MAX_ROWS, MAX_VALUES};

/// Bytes that zstd makes of a block, at most, and bytes that a block takes at least.
const ZSTD_BLOCK: usize = 128 << 10;
const ZSTD_LEAST: usize = 4;

/// Makes batches of the rows of small files. After an error it is of no use any more.
pub struct SmallFileReader {
    format: Arc<SmallFileFormat>,
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
    /// It was not written by [`Encoder`](super::Encoder) for this schema, or it is cut off.
    OtherFormat,
}

impl SmallFileReader {
    /// `schema` has columns of the table, all or some, of the same types, but with Utf8 and Binary in place of views.
    pub fn try_new(format: Arc<SmallFileFormat>, schema: SchemaRef) -> Result<Self> {
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
        if rows > MAX_ROWS || places.iter().any(|place| place.values > MAX_VALUES) {
            return Ok(Offered::OtherFormat);
        }
        let format = Arc::clone(&self.format);
        for (leaf, place) in format.leaves().iter().zip(places) {
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
                        if length > (body.len() / ZSTD_LEAST + 1) * ZSTD_BLOCK {
                            return None;
                        }
                        self.page.clear();
                        self.page.reserve(length);
                        self.zstd.decompress_to_buffer(body, &mut self.page).ok()?;
                        self.page.as_slice()
                    }
                    false => body,
                };
                if page.len() != length {
                    return None;
                }
                self.bytes += page.len();
                self.columns[target].append(page, place.values, rows, optional, child)
            });
            if appended.is_none() {
                return Err(Error::Damaged { column: format.arrow.field(column).name().clone() });
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
