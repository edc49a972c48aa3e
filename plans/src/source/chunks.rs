//! What planning leaves behind: the chunks, each small, and the spooled lists of objects that they point into.

use std::ops::Range;
use std::sync::Arc;

use datafusion::common::{Result, internal_datafusion_err};
use url::Url;

use super::chunk_message::{decode, encode};

use super::decode::Defect;
use super::inventory::keys::KeyBase;
use super::read::parquet_file::ParquetFile;
use super::spool::{Spool, SpoolRange};
use crate::model::chunk::{ChunkCounts, ChunkId};
use crate::runtime::Slices;

/// The chunks of a source, in order, at least one.
#[derive(Debug)]
pub(super) struct ChunkList {
    pub chunks: Vec<Chunk>,
    /// The objects of chunks of [`Content::Objects`]; its file lives as long as the plan.
    pub spool: Arc<Spool>,
    /// Differs where what is listed differs: names, order and versions of the objects.
    pub fingerprint: u64,
}

/// The chunks of a source, where it was planned, or on a worker in another process.
#[derive(Debug, Clone)]
pub(super) enum Chunks {
    Listed(Arc<ChunkList>),
    Sent(Slices),
}

impl Chunks {
    pub fn count(&self) -> usize {
        match self {
            Self::Listed(list) => list.chunks.len(),
            Self::Sent(slices) => slices.count(),
        }
    }

    /// A chunk, and the spool that its objects are in.
    pub async fn get(&self, chunk: usize) -> Result<(Chunk, Arc<Spool>)> {
        match self {
            Self::Listed(list) => {
                let chunk = list.chunks.get(chunk).ok_or_else(|| internal_datafusion_err!("there is no chunk {chunk}"));
                Ok((chunk?.clone(), Arc::clone(&list.spool)))
            }
            Self::Sent(slices) => decode(slices.get(chunk).await?).await,
        }
    }

    /// The same, to be sent; many chunks go to an object in `folder`.
    pub async fn sliced(&self, folder: Option<&Url>) -> Result<Slices> {
        match self {
            Self::Sent(slices) => Ok(slices.clone()),
            Self::Listed(list) => {
                let list = Arc::clone(list);
                let slice = move |i: usize| encode(&list.chunks[i], &list.spool);
                Slices::store(self.count(), Arc::new(slice), folder).await
            }
        }
    }
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
}

/// Where the Items of a chunk are.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Objects of one Item each; with `collections`, an object may also be an ItemCollection.
    Objects { objects: SpoolRange, keys: Arc<KeyBase>, collections: bool },
    /// Lines of a file.
    Lines { file: Url, lines: Lines },
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
