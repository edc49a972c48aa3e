//! [`ParquetWriter`]: parquet's own column writers, and a checksum for each page.
//!
//! parquet checks the checksums that it reads, and writes none; its writers of columns hand on each page as bytes, before
//! the places of pages are settled.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::{Buf, Bytes};
use datafusion::common::Result;
use earthcatalog_small_parquet::{PageHeader, with_checksum};
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, PageKey, PageStore, PageStoreArgs,
    PageStoreFactory, compute_leaves,
};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowSchemaConverter, encode_arrow_schema};
use parquet::basic::PageType;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;

/// Rows of a row group, at most, where the properties do not say.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// A Parquet file in the making, whose pages have checksums.
pub(crate) struct ParquetWriter {
    arrow: SchemaRef,
    writer: SerializedFileWriter<Vec<u8>>,
    row_groups: ArrowRowGroupWriterFactory,
    pages: Arc<PagesOfColumns>,
    /// Of the row group in progress; empty between two.
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
    most_rows: usize,
    most_bytes: usize,
}

impl ParquetWriter {
    /// For rows of `arrow`, which is `parquet` in the terms of that crate. A row group has as many rows as `properties`
    /// say, and about as many encoded bytes as `most_bytes`.
    pub fn try_new(
        arrow: SchemaRef,
        parquet: &SchemaDescriptor,
        properties: WriterPropertiesPtr,
        most_bytes: usize,
    ) -> Result<Self> {
        let most_rows = properties.max_row_group_row_count().unwrap_or(ROW_GROUP_ROWS);
        let writer = SerializedFileWriter::new(Vec::new(), parquet.root_schema_ptr(), properties)?;
        let pages = Arc::new(PagesOfColumns::default());
        let row_groups = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&arrow))
            .with_page_store_factory(Arc::clone(&pages) as Arc<dyn PageStoreFactory>);
        Ok(Self { arrow, writer, row_groups, pages, columns: vec![], rows: 0, most_rows, most_bytes })
    }

    /// A file of one row group of these rows.
    pub fn encode(rows: &RecordBatch, properties: WriterPropertiesPtr) -> Result<Vec<u8>> {
        let mut writer = Self::of_rows(rows.schema(), properties)?;
        writer.write(rows)?;
        Ok(writer.finish()?.0)
    }

    /// As [`Self::try_new`], with the Arrow schema in the file, and with row groups of any size.
    pub fn of_rows(arrow: SchemaRef, properties: WriterPropertiesPtr) -> Result<Self> {
        let parquet = ArrowSchemaConverter::new().convert(&arrow)?;
        let stored = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&arrow));
        let mut writer = Self::try_new(arrow, &parquet, properties, usize::MAX)?;
        writer.note(stored);
        Ok(writer)
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.write_with(batch, |_, _| Ok(()))
    }

    /// As [`Self::write`]; `adapt` may change what is said of a column chunk, which it gets with the number of its leaf.
    pub fn write_with(
        &mut self,
        batch: &RecordBatch,
        adapt: impl Fn(usize, &mut ColumnCloseResult) -> Result<()>,
    ) -> Result<()> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            if self.columns.is_empty() {
                self.columns = self.row_groups.create_column_writers(self.writer.flushed_row_groups().len())?;
            }
            let n = rest.num_rows().min(self.most_rows - self.rows);
            let now = rest.slice(0, n);
            rest = rest.slice(n, rest.num_rows() - n);
            let mut columns = self.columns.iter_mut();
            for (field, column) in self.arrow.fields().iter().zip(now.columns()) {
                // The leaves of the schema and of the columns that it made are the same, so zip drops none.
                for (leaf, writer) in compute_leaves(field, column)?.iter().zip(&mut columns) {
                    writer.write(leaf)?;
                }
            }
            self.rows += n;
            let bytes: usize = self.columns.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum();
            if self.rows >= self.most_rows || bytes >= self.most_bytes {
                self.end_row_group(&adapt)?;
            }
        }
        Ok(())
    }

    /// Adds an entry to the metadata of the file.
    pub fn note(&mut self, entry: KeyValue) {
        self.writer.append_key_value_metadata(entry);
    }

    /// The bytes of the row groups that are complete and were not taken before.
    pub fn take_bytes(&mut self) -> Result<Vec<u8>> {
        self.writer.flush()?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    /// The rest of the bytes, and the metadata of the whole file.
    pub fn finish(self) -> Result<(Vec<u8>, ParquetMetaData)> {
        self.finish_with(|_, _| Ok(()))
    }

    /// As [`Self::finish`], with `adapt` as in [`Self::write_with`].
    pub fn finish_with(
        mut self,
        adapt: impl Fn(usize, &mut ColumnCloseResult) -> Result<()>,
    ) -> Result<(Vec<u8>, ParquetMetaData)> {
        self.end_row_group(&adapt)?;
        let metadata = self.writer.finish()?;
        Ok((self.take_bytes()?, metadata))
    }

    fn end_row_group(&mut self, adapt: &impl Fn(usize, &mut ColumnCloseResult) -> Result<()>) -> Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let mut row_group = self.writer.next_row_group()?;
        let pages = self.pages.take();
        for (leaf, (column, pages)) in std::mem::take(&mut self.columns).into_iter().zip(pages).enumerate() {
            let chunk = column.close()?;
            let mut close = placed(&chunk, &mut lock(&pages))?;
            adapt(leaf, &mut close)?;
            let bytes = pages_in_order(&mut lock(&pages));
            row_group.append_column(&bytes, close)?;
        }
        row_group.close()?;
        self.rows = 0;
        Ok(())
    }
}

/// What is said of a column chunk, once its pages have checksums.
fn placed(chunk: &ArrowColumnChunk, pages: &mut Pages) -> Result<ColumnCloseResult> {
    let mut close = chunk.close().clone();
    let before: usize = pages.pages.iter().map(|page| page.before).sum();
    let after: usize = pages.pages.iter().map(Page::length).sum();
    if pages.header.is_some() || before as i64 != close.metadata.compressed_size() {
        return Err(unforeseen().into());
    }
    let dictionary: usize = pages.pages.iter().filter(|page| page.is_dictionary).map(Page::length).sum();
    let growth = (after - before) as i64;
    close.bytes_written += growth as u64;
    let metadata = close.metadata;
    let (compressed, uncompressed) = (metadata.compressed_size() + growth, metadata.uncompressed_size() + growth);
    close.metadata = metadata
        .into_builder()
        .set_dictionary_page_offset((dictionary > 0).then_some(0))
        .set_data_page_offset(dictionary as i64)
        .set_total_compressed_size(compressed)
        .set_total_uncompressed_size(uncompressed)
        .build()?;
    if let Some(index) = &mut close.offset_index {
        let data: Vec<_> = pages.pages.iter().filter(|page| !page.is_dictionary).collect();
        if data.len() != index.page_locations.len() {
            return Err(unforeseen().into());
        }
        let mut offset = dictionary as i64;
        for (place, page) in index.page_locations.iter_mut().zip(data) {
            place.offset = offset;
            place.compressed_page_size = page.length() as i32;
            offset += page.length() as i64;
        }
    }
    Ok(close)
}

fn unforeseen() -> ParquetError {
    ParquetError::General(
        "the parquet crate hands on pages in an unforeseen layout; the versions do not fit".to_owned(),
    )
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is in it is changed in one step.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A page with its checksum.
struct Page {
    is_dictionary: bool,
    /// Bytes that it had without.
    before: usize,
    header: Bytes,
    body: Bytes,
}

impl Page {
    fn length(&self) -> usize {
        self.header.len() + self.body.len()
    }
}

/// The pages of a column chunk, as they are handed on.
#[derive(Default)]
struct Pages {
    /// Of the page whose body comes next.
    header: Option<Bytes>,
    pages: Vec<Page>,
}

/// The pages of the columns of a row group, in the order of its leaves.
#[derive(Default)]
struct PagesOfColumns(Mutex<Vec<Arc<Mutex<Pages>>>>);

impl PagesOfColumns {
    fn take(&self) -> Vec<Arc<Mutex<Pages>>> {
        std::mem::take(&mut lock(&self.0))
    }
}

impl std::fmt::Debug for PagesOfColumns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PagesOfColumns").finish()
    }
}

impl PageStoreFactory for PagesOfColumns {
    fn create(&self, _: &PageStoreArgs<'_>) -> parquet::errors::Result<Box<dyn PageStore>> {
        let pages = Arc::new(Mutex::new(Pages::default()));
        lock(&self.0).push(Arc::clone(&pages));
        Ok(Box::new(PagesOfColumn(pages)))
    }
}

struct PagesOfColumn(Arc<Mutex<Pages>>);

impl PageStore for PagesOfColumn {
    /// Takes a header, then its body.
    fn put(&mut self, value: Bytes) -> parquet::errors::Result<PageKey> {
        let mut pages = lock(&self.0);
        match pages.header.take() {
            None => pages.header = Some(value),
            Some(header) => {
                let read = PageHeader::read(&header).ok_or_else(unforeseen)?;
                let sealed = with_checksum(&header, &value).ok_or_else(unforeseen)?;
                pages.pages.push(Page {
                    is_dictionary: read.page_type == PageType::DICTIONARY_PAGE,
                    before: header.len() + value.len(),
                    header: sealed.into(),
                    body: value,
                });
            }
        }
        Ok(PageKey::new(pages.pages.len() as u64))
    }

    fn take(&mut self, _: PageKey) -> parquet::errors::Result<Bytes> {
        // The pages are taken all at once.
        Err(unforeseen())
    }

    fn memory_size(&self) -> usize {
        lock(&self.0).pages.iter().map(Page::length).sum()
    }
}

/// The bytes of a column chunk: its dictionary comes first, though it was handed on last.
fn pages_in_order(pages: &mut Pages) -> ChunkBytes {
    let (mut first, rest): (Vec<_>, Vec<_>) =
        std::mem::take(&mut pages.pages).into_iter().partition(|p| p.is_dictionary);
    first.extend(rest);
    ChunkBytes(first.into_iter().flat_map(|page| [page.header, page.body]).collect())
}

struct ChunkBytes(VecDeque<Bytes>);

impl Length for ChunkBytes {
    fn len(&self) -> u64 {
        self.0.iter().map(|bytes| bytes.len() as u64).sum()
    }
}

impl ChunkReader for ChunkBytes {
    type T = Self;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self> {
        // A column chunk is copied from its start.
        if start == 0 { Ok(Self(self.0.clone())) } else { Err(unforeseen()) }
    }

    fn get_bytes(&self, _: u64, _: usize) -> parquet::errors::Result<Bytes> {
        Err(unforeseen())
    }
}

impl Read for ChunkBytes {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while let Some(next) = self.0.front_mut() {
            if next.is_empty() {
                self.0.pop_front();
                continue;
            }
            let n = next.len().min(out.len());
            next.copy_to_slice(&mut out[..n]);
            return Ok(n);
        }
        Ok(0)
    }
}
