//! Encodes a file of few rows in one go: one row group with one PLAIN page per column.
//!
//! All columns of all files share one zstd context and the buffers, and the constant parts of the footer are copied.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::error::{Error, Result};
use super::footer::{ColumnChunk, write_page_header};
use super::format::{Leaf, SmallFileFormat};
use super::page_index::write_page_index;
use super::plain::PlainPage;
use super::{MAX_ROWS, MAX_VALUES};

/// zstd's level for pages of a few kilobytes, where building entropy tables for literals costs more than all the rest,
/// and gains 4 % of a file.
const ZSTD_LEVEL: i32 = -1;

/// A page with fewer bytes is not compressed: it gains little, or nothing.
const COMPRESSED_FROM: usize = 200;

/// Encodes small files, one after the other.
pub struct Encoder {
    format: Arc<SmallFileFormat>,
    zstd: zstd::bulk::Compressor<'static>,
    page: PlainPage,
    compressed: Vec<u8>,
    chunks: Vec<ColumnChunk>,
    /// Bytes of the last file.
    length: usize,
}

impl Encoder {
    pub fn try_new(format: Arc<SmallFileFormat>) -> Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(ZSTD_LEVEL)?,
            page: PlainPage::default(),
            compressed: vec![],
            chunks: vec![],
            length: 0,
            format,
        })
    }

    /// A file with these rows and this key-value, and its columns, as [`SmallFileFormat::leaves`] orders them.
    pub fn encode(&mut self, rows: &[RecordBatch], key_value: (&str, &str)) -> Result<(Vec<u8>, &[ColumnChunk])> {
        let n = rows.iter().map(RecordBatch::num_rows).sum::<usize>();
        if n > MAX_ROWS {
            return Err(Error::TooMany(n));
        }
        let mut file = Vec::with_capacity(self.length + self.length / 4);
        file.extend_from_slice(b"PAR1");
        self.chunks.clear();
        for leaf in 0..self.format.leaves().len() {
            let chunk = self.encode_column(self.format.leaves()[leaf], rows, &mut file)?;
            self.chunks.push(chunk);
        }
        write_page_index(&mut file, &mut self.chunks);
        self.format.footer.write(&mut file, n as i64, &self.chunks, key_value);
        self.length = file.len();
        Ok((file, &self.chunks))
    }

    fn encode_column(&mut self, leaf: Leaf, rows: &[RecordBatch], file: &mut Vec<u8>) -> Result<ColumnChunk> {
        let Leaf { path, bounded } = leaf;
        let statistics = self.page.encode(path, rows, bounded)?;
        if self.page.values > MAX_VALUES {
            return Err(Error::TooMany(self.page.values));
        }
        let compressed = self.compress()?;
        let body = if compressed { &self.compressed } else { &self.page.bytes };
        let offset = file.len();
        write_page_header(file, self.page.values, self.page.bytes.len(), body);
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
