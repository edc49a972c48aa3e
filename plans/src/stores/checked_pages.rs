//! Whether the pages of a Parquet file are what was written: by their checksums, and by what the footer says of them.
//!
//! parquet can check checksums, too, but its error does not say of which file.

use std::sync::Arc;

use bytes::Bytes;
use earthcatalog_small_parquet::PageHeader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use thiserror::Error;

/// How the name of the writer of our files begins.
const OURS: &str = "earthcatalog ";

/// Why the bytes of a Parquet file cannot be used.
#[derive(Debug, Error)]
#[error(
    "file {file} is damaged: {what}; bring it back from a backup, or take it out of the table with `earthcatalog verify --repair`"
)]
pub(crate) struct DamagedFile {
    file: String,
    pub what: String,
}

/// Why the bytes of a Parquet file are not there.
#[derive(Debug, Error)]
#[error(
    "file {file} cannot be read: {what}; where a clean-up has removed it with an older state of the table, ask again, and where it is lost, `earthcatalog verify` says what to do"
)]
pub(crate) struct UnreadFile {
    file: String,
    what: String,
}

/// What DataFusion, which makes a text of them, writes before the errors of a store.
const OF_THE_STORE: &str = "Object Store error: ";

/// Checks the pages of one file, as they are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct CheckedPages {
    /// Of the file, once it is known.
    metadata: Option<Arc<ParquetMetaData>>,
}

impl CheckedPages {
    /// Takes the metadata of the file, which has so many bytes.
    ///
    /// Errors: it has columns where the file is not.
    pub fn set_metadata(
        &mut self,
        file: &str,
        bytes: u64,
        metadata: &Arc<ParquetMetaData>,
    ) -> Result<(), ParquetError> {
        for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
            let is_within = place(column).is_some_and(|(_, end)| end <= bytes);
            if !is_within || column.num_values() < 0 {
                return Err(damaged(file, format!("column {} lies elsewhere", column.column_path())));
            }
        }
        self.metadata = Some(Arc::clone(metadata));
        Ok(())
    }

    /// An error unless all pages of a file are as they were written.
    pub fn check_file(file: &str, bytes: &Bytes, metadata: &Arc<ParquetMetaData>) -> Result<(), ParquetError> {
        let mut pages = Self::default();
        pages.set_metadata(file, bytes.len() as u64, metadata)?;
        let columns = metadata.row_groups().iter().flat_map(|group| group.columns());
        columns.filter_map(place).try_for_each(|(start, end)| {
            // The columns are within the file.
            pages.check(file, start, &bytes.slice(start as usize..end as usize))
        })
    }

    /// The error of a file whose metadata cannot be read, with its name. Errors of the store have it.
    pub fn unreadable(file: &str, error: ParquetError) -> ParquetError {
        match error {
            ParquetError::External(source) => ParquetError::External(source),
            ParquetError::General(text) if text.contains(OF_THE_STORE) => {
                let what = text.split_once(OF_THE_STORE).map_or(text.as_str(), |(_, what)| what).to_owned();
                ParquetError::External(Box::new(UnreadFile { file: file.to_owned(), what }))
            }
            other => damaged(file, format!("its metadata cannot be read ({other})")),
        }
    }

    /// An error if the bytes from `start` on are pages, and not as they were written. Bytes that do not begin with a page
    /// are not looked at.
    pub fn check(&self, file: &str, start: u64, bytes: &Bytes) -> Result<(), ParquetError> {
        // DataFusion reads some pages with a reader that is not asked for the metadata; checksums say enough there.
        let Some(metadata) = &self.metadata else { return check_checksums(file, start, bytes) };
        let Some((chunk, column)) = page_at(metadata, start) else { return Ok(()) };
        let is_ours = metadata.file_metadata().created_by().is_some_and(|writer| writer.starts_with(OURS));
        match check_pages(bytes, column, start == chunk.0 && bytes.len() as u64 == chunk.1 - chunk.0, is_ours) {
            Ok(()) => Ok(()),
            Err(at) => {
                let at = start + at as u64;
                Err(damaged(file, format!("the page of column {} at byte {at} was changed", column.column_path())))
            }
        }
    }
}

/// An error with the first page whose checksum is not that of its body. Other parts of a file do not look like a page: they
/// begin with other fields.
fn check_checksums(file: &str, start: u64, bytes: &[u8]) -> Result<(), ParquetError> {
    let mut at = 0;
    while let Some(header) = bytes.get(at..).and_then(PageHeader::read) {
        let body = at + header.length;
        let Some(end) = body.checked_add(header.compressed).filter(|end| *end <= bytes.len()) else { break };
        if !header.fits(&bytes[body..end]) {
            return Err(damaged(file, format!("the page at byte {} was changed", start + at as u64)));
        }
        at = end;
    }
    Ok(())
}

fn damaged(file: &str, what: String) -> ParquetError {
    ParquetError::External(Box::new(DamagedFile { file: file.to_owned(), what }))
}

/// Where a column chunk begins and ends.
fn place(column: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let (start, length) = (u64::try_from(start).ok()?, u64::try_from(column.compressed_size()).ok()?);
    Some((start, start.checked_add(length)?))
}

/// The column chunk of the page that begins at `start`, and its place.
fn page_at(metadata: &ParquetMetaData, start: u64) -> Option<((u64, u64), &ColumnChunkMetaData)> {
    let groups = metadata.row_groups().iter().enumerate();
    let mut columns = groups.flat_map(|(g, group)| group.columns().iter().enumerate().map(move |(c, of)| (g, c, of)));
    let within = |(_, _, column): &(usize, usize, &ColumnChunkMetaData)| {
        place(column).is_some_and(|(from, to)| (from..to).contains(&start))
    };
    let (group, number, column) = columns.find(within)?;
    let chunk = place(column)?;
    let begins_page = || {
        let index = metadata.offset_index()?.get(group)?.get(number)?;
        index.page_locations().iter().find(|page| u64::try_from(page.offset) == Ok(start))
    };
    (chunk.0 == start || begins_page().is_some()).then_some((chunk, column))
}

/// An error with the offset of the first page that is not as it was written. `whole`: they are all pages of the column.
/// What only the footer tells is required of our own files; other writers are known to count in other ways.
fn check_pages(bytes: &[u8], column: &ColumnChunkMetaData, whole: bool, is_ours: bool) -> Result<(), usize> {
    let (mut at, mut values, mut uncompressed) = (0, 0, 0);
    while at < bytes.len() {
        let page = PageHeader::read(&bytes[at..]).and_then(|header| {
            let start = at + header.length;
            Some((header, bytes.get(start..start.checked_add(header.compressed)?)?))
        });
        let Some((header, body)) = page else { return if is_ours { Err(at) } else { Ok(()) } };
        let has_encoding = || column.encodings().any(|encoding| encoding as usize == header.encoding);
        if !header.fits(body) || (is_ours && !has_encoding()) {
            return Err(at);
        }
        at += header.length + body.len();
        uncompressed += (header.length + header.uncompressed) as i64;
        values += if header.page_type == parquet::basic::PageType::DICTIONARY_PAGE { 0 } else { header.values as i64 };
    }
    let adds_up = !whole || (values, uncompressed) == (column.num_values(), column.uncompressed_size());
    if is_ours && !adds_up { Err(0) } else { Ok(()) }
}
