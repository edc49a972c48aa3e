//! The footer of a small file. What all files of a table share is cut once from a footer that parquet wrote: the
//! schema, the first key-value, the writer's name, the column orders. Only the row group is written here.
//!
//! Source: Apache Parquet's `parquet.thrift` (FileMetaData, RowGroup, ColumnMetaData, Statistics).

use std::ops::Range;
use std::sync::Arc;

use parquet::basic::{Encoding, PageType};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;

use super::error::{Error, Result};
use super::page::{PageHeader, write_checksum};
use super::thrift::{self, BINARY, I32, I64, LIST, Reader, STRUCT, Writer};

/// Where a column is in a file, and what is in it. It has one PLAIN page.
#[derive(Debug)]
pub struct ColumnChunk {
    /// Whether the page is compressed with zstd.
    pub compressed: bool,
    /// Nulls included.
    pub values: i64,
    pub offset: i64,
    /// With the page header.
    pub uncompressed_size: i64,
    /// With the page header.
    pub compressed_size: i64,
    pub statistics: Statistics,
    /// Whether least and greatest values are recorded.
    pub bounded: bool,
    /// Where in the file its page index is.
    pub column_index: Option<Range<usize>>,
    pub offset_index: Range<usize>,
}

/// Of CompressionCodec, those that small files use.
const UNCOMPRESSED: i32 = 0;
const ZSTD: i32 = 6;

/// Where the one page of a column is in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct ChunkPlace {
    pub compressed: bool,
    /// Nulls included.
    pub values: usize,
    /// With the page header.
    pub bytes: Range<usize>,
}

/// What the footers of a table's small files share.
#[derive(Debug)]
pub struct FooterTemplate {
    /// Version and schema: fields 1 and 2 of FileMetaData.
    head: Vec<u8>,
    /// The key-value of the Arrow schema.
    key_value: Vec<u8>,
    /// Writer and column orders: field 6 and what follows.
    tail: Vec<u8>,
    /// Of each column: type, encodings and path, fields 1 to 3 of ColumnMetaData.
    columns: Vec<Vec<u8>>,
    sorting: Vec<SortingColumn>,
}

impl FooterTemplate {
    /// `properties` have one key-value.
    pub fn try_new(schema: &SchemaDescriptor, properties: &WriterPropertiesPtr) -> Result<Self> {
        let writer = SerializedFileWriter::new(Vec::new(), schema.root_schema_ptr(), Arc::clone(properties))?;
        let file = writer.into_inner()?;
        Self::cut(&file, schema, properties).ok_or(Error::FooterLayout)
    }

    fn cut(file: &[u8], schema: &SchemaDescriptor, properties: &WriterPropertiesPtr) -> Option<Self> {
        let (rest, length) = file.strip_suffix(b"PAR1")?.split_last_chunk::<4>()?;
        let footer = &rest[rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?..];
        let fields = thrift::fields(footer)?;
        let field = |id: i16| fields.iter().find(|(found, _)| *found == id).map(|(_, range)| range.clone());
        // Of the list of key-values: a header for the field, one for the list, and its one element.
        let key_value = footer[field(5)?].strip_prefix(&[0x10 | 9, 0x10 | STRUCT])?;
        Some(Self {
            head: footer[..field(2)?.end].to_vec(),
            key_value: key_value.to_vec(),
            tail: footer[field(6)?.start..].to_vec(),
            columns: schema
                .columns()
                .iter()
                .map(|column| {
                    let mut writer = Writer::default();
                    writer.i32(1, column.physical_type() as i32);
                    writer.list(2, I32, 2);
                    writer.i32_element(Encoding::PLAIN as i32);
                    writer.i32_element(Encoding::RLE as i32);
                    writer.list(3, BINARY, column.path().parts().len());
                    column.path().parts().iter().for_each(|part| writer.binary_element(part.as_bytes()));
                    writer.bytes
                })
                .collect(),
            sorting: properties.sorting_columns().cloned().unwrap_or_default(),
        })
    }

    /// Appends the footer to a file with one row group of these columns, up to the closing magic.
    pub fn write(&self, file: &mut Vec<u8>, rows: i64, columns: &[ColumnChunk], key_value: (&str, &str)) {
        let start = file.len();
        let mut out = Writer::appending(std::mem::take(file));
        out.raw_fields(&self.head, 2);
        out.i64(3, rows);
        out.list(4, STRUCT, 1);
        self.write_row_group(&mut out, rows, columns);
        out.list(5, STRUCT, 2);
        out.bytes.extend_from_slice(&self.key_value);
        out.begin_element();
        out.binary(1, key_value.0.as_bytes());
        out.binary(2, key_value.1.as_bytes());
        out.end();
        out.bytes.extend_from_slice(&self.tail);
        *file = out.bytes;
        let length = (file.len() - start) as u32;
        file.extend_from_slice(&length.to_le_bytes());
        file.extend_from_slice(b"PAR1");
    }

    fn write_row_group(&self, out: &mut Writer, rows: i64, columns: &[ColumnChunk]) {
        out.begin_element();
        out.list(1, STRUCT, columns.len());
        for (column, constant) in columns.iter().zip(&self.columns) {
            out.begin_element();
            // An offset of old, of which the format says to write 0.
            out.i64(2, 0);
            out.begin(3);
            write_column(out, column, constant);
            out.end();
            out.i64(4, column.offset_index.start as i64);
            out.i32(5, column.offset_index.len() as i32);
            if let Some(index) = &column.column_index {
                out.i64(6, index.start as i64);
                out.i32(7, index.len() as i32);
            }
            out.end();
        }
        out.i64(2, columns.iter().map(|column| column.uncompressed_size).sum());
        out.i64(3, rows);
        out.list(4, STRUCT, self.sorting.len());
        for sorting in &self.sorting {
            out.begin_element();
            out.i32(1, sorting.column_idx);
            out.bool(2, sorting.descending);
            out.bool(3, sorting.nulls_first);
            out.end();
        }
        out.i64(5, columns.first().map_or(0, |column| column.offset));
        out.i64(6, columns.iter().map(|column| column.compressed_size).sum());
        out.i16(7, 0);
        out.end();
    }
}

impl FooterTemplate {
    /// Number of rows of a file, and where its columns are; `None` if it was not written with this template.
    pub fn read(&self, file: &[u8]) -> Option<(usize, Vec<ChunkPlace>)> {
        let (rest, length) = file.strip_suffix(b"PAR1")?.split_last_chunk::<4>()?;
        let footer = &rest[rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?..];
        let mut reader = Reader::new(footer);
        if !reader.take(&self.head) {
            return None;
        }
        let (mut rows, mut places, mut id) = (None, None, 2);
        while let Some(kind) = reader.field(&mut id)? {
            match (id, kind) {
                (3, I64) => rows = Some(reader.size()?),
                (4, LIST) if reader.list()? == (1, STRUCT) => places = Some(self.read_row_group(&mut reader)?),
                (4, _) => return None,
                _ => reader.skip(kind, false)?,
            }
        }
        rows.zip(places)
    }

    fn read_row_group(&self, reader: &mut Reader) -> Option<Vec<ChunkPlace>> {
        let (mut places, mut id) = (None, 0);
        while let Some(kind) = reader.field(&mut id)? {
            match (id, kind) {
                (1, LIST) if reader.list()? == (self.columns.len(), STRUCT) => {
                    let read = self.columns.iter().map(|constant| read_column(reader, constant));
                    places = Some(read.collect::<Option<_>>()?);
                }
                (1, _) => return None,
                _ => reader.skip(kind, false)?,
            }
        }
        places
    }
}

fn read_column(reader: &mut Reader, constant: &[u8]) -> Option<ChunkPlace> {
    let (mut place, mut id) = (None, 0);
    while let Some(kind) = reader.field(&mut id)? {
        match (id, kind) {
            (3, STRUCT) => place = Some(read_column_metadata(reader, constant)?),
            _ => reader.skip(kind, false)?,
        }
    }
    place
}

fn read_column_metadata(reader: &mut Reader, constant: &[u8]) -> Option<ChunkPlace> {
    // Type, encodings and path: another encoding than PLAIN, and nothing of what follows would hold.
    if !reader.take(constant) {
        return None;
    }
    let (mut codec, mut values, mut size, mut offset) = (None, None, None, None);
    let mut id = 3;
    while let Some(kind) = reader.field(&mut id)? {
        match id {
            4 => codec = Some(reader.integer()?),
            5 => values = Some(reader.size()?),
            7 => size = Some(reader.size()?),
            9 => offset = Some(reader.size()?),
            _ => reader.skip(kind, false)?,
        }
    }
    let compressed = match i32::try_from(codec?).ok()? {
        UNCOMPRESSED => false,
        ZSTD => true,
        _ => return None,
    };
    let offset = offset?;
    Some(ChunkPlace { compressed, values: values?, bytes: offset..offset.checked_add(size?)? })
}

fn write_column(out: &mut Writer, column: &ColumnChunk, constant: &[u8]) {
    out.raw_fields(constant, 3);
    out.i32(4, if column.compressed { ZSTD } else { UNCOMPRESSED });
    out.i64(5, column.values);
    out.i64(6, column.uncompressed_size);
    out.i64(7, column.compressed_size);
    out.i64(9, column.offset);
    let statistics = &column.statistics;
    out.begin(12);
    if let Some(nulls) = statistics.null_count_opt() {
        out.i64(3, nulls as i64);
    }
    if let Some(max) = statistics.max_bytes_opt() {
        out.binary(5, max);
    }
    if let Some(min) = statistics.min_bytes_opt() {
        out.binary(6, min);
    }
    if statistics.max_bytes_opt().is_some() {
        out.bool(7, statistics.max_is_exact());
    }
    if statistics.min_bytes_opt().is_some() {
        out.bool(8, statistics.min_is_exact());
    }
    out.end();
    out.list(13, STRUCT, 1);
    out.begin_element();
    out.i32(1, PageType::DATA_PAGE as i32);
    out.i32(2, Encoding::PLAIN as i32);
    out.i32(3, 1);
    out.end();
}

/// Appends the header of a PLAIN data page (version 1) to a file; `body` is compressed or not.
pub fn write_page_header(file: &mut Vec<u8>, values: usize, uncompressed: usize, body: &[u8]) {
    let mut out = Writer::appending(std::mem::take(file));
    out.i32(1, PageType::DATA_PAGE as i32);
    out.i32(2, uncompressed as i32);
    out.i32(3, body.len() as i32);
    write_checksum(&mut out, body);
    out.begin(5);
    out.i32(1, values as i32);
    out.i32(2, Encoding::PLAIN as i32);
    out.i32(3, Encoding::RLE as i32);
    out.i32(4, Encoding::RLE as i32);
    out.end();
    out.end();
    *file = out.bytes;
}

/// The page of a column: its body with or without compression, and the size of the body without; `None` if it is no
/// PLAIN data page (version 1) with all the values of the column, or not what its checksum was made of.
pub fn read_page(chunk: &[u8], values: usize) -> Option<(&[u8], usize)> {
    let header = PageHeader::read(chunk)?;
    let body = chunk.get(header.length..)?;
    let expected = header.page_type == PageType::DATA_PAGE
        && (header.values, header.encoding, header.compressed) == (values, Encoding::PLAIN as usize, body.len());
    (expected && header.fits(body)).then_some((body, header.uncompressed))
}
