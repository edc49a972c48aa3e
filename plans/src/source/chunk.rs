//! [`Chunk`]: a slice of a source, small, with its place in the spooled lists of objects.

use std::ops::Range;
use std::sync::Arc;

use url::Url;

use super::decode::Defect;
use super::keys::KeyBase;
use super::parquet_file::ParquetFile;
use super::spool::{Spool, SpoolRange};
use crate::model::chunk::{ChunkCounts, ChunkId, IngestedObject};

/// The chunks of a source, in order, at least one.
#[derive(Debug)]
pub(super) struct ChunkList {
    pub chunks: Vec<Chunk>,
    /// The objects of chunks of [`Content::Objects`]; its file lives as long as the plan.
    pub spool: Arc<Spool>,
    /// Differs where what is listed differs: names, order and versions of the objects.
    pub fingerprint: u64,
}

/// A slice of a source, read by one partition.
#[derive(Debug, Clone)]
pub(super) struct Chunk {
    pub id: ChunkId,
    pub content: Content,
    /// Read no more Items than this; set where planning cannot know their number, under a `limit`.
    pub at_most: Option<u64>,
    /// The rows that planning counted: `listed`, `superseded` and `skipped`.
    pub planned: ChunkCounts,
    /// The version of the file that has been read when the chunk has been: set on the last chunk of a file of many Items.
    pub completes: Option<IngestedObject>,
}

/// Where the Items of a chunk are.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Objects of one Item each; with `collections`, an object may also be an ItemCollection.
    Objects { objects: SpoolRange, keys: Arc<KeyBase>, collections: bool },
    /// Lines of a file, or other texts that `separator` tells apart.
    Lines { file: Url, lines: Lines, separator: u8 },
    /// A JSON document: an ItemCollection, or an Item.
    Document { file: Url },
    /// Rows of a stac-geoparquet file.
    Rows { file: ParquetFile, rows: Range<u64> },
    /// A file of a folder that cannot be read at all.
    Defective { file: Url, defect: Defect },
}

impl Content {
    /// Whether planning has counted the Items in `planned.listed`; else reading counts them.
    pub fn is_counted(&self) -> bool {
        match self {
            Self::Objects { collections, .. } => !collections,
            Self::Rows { .. } | Self::Defective { .. } => true,
            Self::Lines { lines, .. } => matches!(lines, Lines::Counted { .. }),
            Self::Document { .. } => false,
        }
    }
}

/// Which lines of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Lines {
    /// All of them; the only way into a compressed file.
    All,
    /// Bytes from the start of line `first` to the end of a line.
    Counted { bytes: Range<u64>, first: u64 },
    /// The lines that start within these bytes.
    StartingIn { bytes: Range<u64> },
}
