//! The footer of a small part file. What all files of a table share is cut once from a footer that parquet wrote: the
//! schema, the first key-value, the writer's name, the column orders. Only the row group is written here.
//!
//! Source: Apache Parquet's `parquet.thrift` (FileMetaData, RowGroup, ColumnMetaData, Statistics).

use std::sync::Arc;

use datafusion::common::{Result, internal_datafusion_err};
use parquet::basic::{Encoding, PageType};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;

use super::thrift::{self, BINARY, I32, STRUCT, Writer};

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
        let template = Self::cut(&file, schema, properties);
        template.ok_or_else(|| internal_datafusion_err!("parquet wrote a footer with an unforeseen layout"))
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
    pub fn write(&self, file: &mut Vec<u8>, rows: i64, columns: &[ColumnChunk], geo: &str) {
        let start = file.len();
        let mut out = Writer::appending(std::mem::take(file));
        out.raw_fields(&self.head, 2);
        out.i64(3, rows);
        out.list(4, STRUCT, 1);
        self.write_row_group(&mut out, rows, columns);
        out.list(5, STRUCT, 2);
        out.bytes.extend_from_slice(&self.key_value);
        out.begin_element();
        out.binary(1, b"geo");
        out.binary(2, geo.as_bytes());
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

fn write_column(out: &mut Writer, column: &ColumnChunk, constant: &[u8]) {
    // CompressionCodec: UNCOMPRESSED or ZSTD.
    const UNCOMPRESSED: i32 = 0;
    const ZSTD: i32 = 6;
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

/// Appends the header of a PLAIN data page (version 1) to a file.
pub fn write_page_header(file: &mut Vec<u8>, values: usize, uncompressed: usize, compressed: usize) {
    let mut out = Writer::appending(std::mem::take(file));
    out.i32(1, PageType::DATA_PAGE as i32);
    out.i32(2, uncompressed as i32);
    out.i32(3, compressed as i32);
    out.begin(5);
    out.i32(1, values as i32);
    out.i32(2, Encoding::PLAIN as i32);
    out.i32(3, Encoding::RLE as i32);
    out.i32(4, Encoding::RLE as i32);
    out.end();
    out.end();
    *file = out.bytes;
}
