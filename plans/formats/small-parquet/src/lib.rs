//! Parquet files of few rows, as bytes.
//!
//! # Contract
//!
//! - **In**: rows as Arrow batches of one schema ([`SmallFileFormat`]), and one key-value of the file's own. Out: the
//!   bytes of a Parquet file that every reader of Parquet reads, and the statistics of its columns ([`Encoder`]). Same
//!   rows, same bytes.
//! - **In**: bytes. Out: rows ([`SmallFileReader`]), or [`Offered::OtherFormat`] where this crate did not write the file
//!   for this schema, so that the caller takes parquet's reader; or [`Error::Damaged`], where it did, but the bytes are
//!   not what was written. What is read is what parquet's own reader reads.
//! - **In**: the header of a page, as parquet wrote it, and its body. Out: the header with the checksum of the body
//!   ([`with_checksum`]). What a header says is read with [`PageHeader`].
//! - **Refused in writing**: types other than Boolean, Int32, Int64, Float32, Float64, Timestamp(µs), Utf8View,
//!   BinaryView, an optional struct of required columns, and an optional list of optional texts; nulls in a required
//!   column; more than [`MAX_ROWS`] rows, or [`MAX_VALUES`] values of a column.
//! - **Whatever the bytes are**, nothing panics, no call nests deeper than a constant, and nothing is allocated for more
//!   than the bytes at hand can hold: lengths are compared with what is left of them, a count of values with the limits
//!   above, and the size of a page with what zstd can make of its bytes.
//!
//! # Shape of a file
//!
//! One row group with one PLAIN data page (version 1) per column, zstd where that makes it smaller, its checksum, a page index, and a
//! footer whose constant parts are cut once from one that parquet wrote.
//!
//! # Why it exists
//!
//! Most buckets of a chunk hold a handful of rows, so what a file costs before its first row decides. parquet's column
//! writers, meant for long columns, each set up dictionaries, level encoders and two zstd contexts, and its footer is
//! made of objects: ten times the work of the rows. Its reader sets up a decoder and two zstd contexts for each column
//! of each file, several times what the rows take.
//!
//! # When it can go
//!
//! When parquet lets one writer (and one reader) be used for many files, with its buffers, zstd contexts and the encoded
//! schema kept, so that a file of ten rows costs less than twice what this crate takes. `benches/write.rs` of the
//! engine compares the two.

mod columns;
mod encoder;
mod error;
mod footer;
mod format;
mod page;
mod page_index;
mod plain;
mod reader;
#[cfg(test)]
mod tests;
mod thrift;

pub use encoder::Encoder;
pub use error::{Error, Result};
pub use footer::ColumnChunk;
pub use format::{Leaf, SmallFileFormat};
pub use page::{PageHeader, with_checksum};
pub use plain::LeafPath;
pub use reader::{Offered, SmallFileReader};

/// Rows of a small file, at most.
pub const MAX_ROWS: usize = 1 << 16;

/// Values of one column of a small file, at most; a list has several in a row.
pub const MAX_VALUES: usize = 1 << 20;
