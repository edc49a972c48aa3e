//! Whether a Parquet file is what was written: footer, rows, checksums of pages.

use std::ops::Range;
use std::sync::Arc;

use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use url::Url;

use super::finding::{Check, Finding};
use super::named::{count, missing};
use super::stored::Stored;
use crate::stores::{ParquetObject, stores};
use crate::table::leases::error::Result;

/// How much of a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Footer,
    /// All of its pages, one column of one row group at a time.
    Pages,
}

/// A file as what names it says that it is.
#[derive(Debug, Clone)]
pub(super) struct Expected<'a> {
    /// As it is named.
    pub location: &'a str,
    pub url: &'a Url,
    pub bytes: u64,
    pub rows: u64,
}

/// The metadata of a file, which has the bytes that are expected, or what is wrong with it.
///
/// Errors: the store does not say whether it is there.
pub(super) async fn check(
    expected: Expected<'_>,
    depth: Depth,
    stored: &Stored,
) -> Result<Result<Arc<ParquetMetaData>, Finding>> {
    let (store, path) = stores().locate(expected.url)?;
    let mut object = ParquetObject::new(store, path, expected.bytes);
    let options = ArrowReaderOptions::new().with_page_index_policy(match depth {
        Depth::Footer => PageIndexPolicy::Skip,
        Depth::Pages => PageIndexPolicy::Optional,
    });
    let metadata = match object.get_metadata(Some(&options)).await {
        Ok(metadata) => metadata,
        Err(e) => return Ok(Err(fault(Check::Footer, &expected, &e, stored).await?)),
    };
    let rows = metadata.file_metadata().num_rows();
    if u64::try_from(rows) != Ok(expected.rows) {
        let rows = rows.max(0).unsigned_abs();
        return Ok(Err(Finding::new(Check::Rows, expected.location, count(expected.rows, "row"), count(rows, "row"))));
    }
    if depth == Depth::Pages {
        for range in columns(&metadata) {
            if let Err(e) = object.get_bytes(range).await {
                return Ok(Err(fault(Check::Pages, &expected, &e, stored).await?));
            }
        }
    }
    Ok(Ok(metadata))
}

/// Where the columns of the row groups are. That they lie within the file was checked with its metadata.
fn columns(metadata: &ParquetMetaData) -> impl Iterator<Item = Range<u64>> {
    metadata.row_groups().iter().flat_map(|group| group.columns()).map(|column| {
        let (start, length) = column.byte_range();
        start..start + length
    })
}

async fn fault(check: Check, expected: &Expected<'_>, error: &ParquetError, stored: &Stored) -> Result<Finding> {
    // Another process may have removed it, or the store may be out of reach: then this is no fault of the file.
    if stored.bytes_now(expected.url).await?.is_none() {
        return Ok(missing(expected.location));
    }
    let wanted = match check {
        Check::Footer => "a Parquet file",
        _ => "the pages that were written",
    };
    Ok(Finding::new(check, expected.location, wanted, error))
}
