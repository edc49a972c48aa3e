//! What can go wrong.

use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use thiserror::Error;

/// Why rows cannot be written, or a file cannot be read.
#[derive(Debug, Error)]
pub enum Error {
    #[error("column {column} has type {data_type}, which small files do not have")]
    UnsupportedType { column: String, data_type: DataType },
    #[error("a required column holds {0} nulls")]
    Nulls(usize),
    #[error("{0} rows or values of a column are too many for a small file; write them with the writer of large ones")]
    TooMany(usize),
    #[error("the parquet crate wrote a footer with an unforeseen layout; the versions of the two do not fit")]
    FooterLayout,
    #[error(
        "column {column} is damaged; the file was changed after it was written: restore it, or ingest its Items again"
    )]
    Damaged { column: String },
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    #[error("zstd: {0}")]
    Zstd(#[from] std::io::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
