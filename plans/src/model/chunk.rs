//! Chunks: slices of an inventory, each ingested by one task; and what became of the inventory rows in one.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

pub use earthcatalog_stac_rows::RejectKind;
use serde::{Deserialize, Serialize};

use super::item_key::ItemKey;

/// A chunk's identity: the same rows of the same inventory data file have the same id in every run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChunkId {
    /// URL of the inventory data file, or of the direct source.
    pub file: String,
    /// Zero-based rows of that file: inventory rows, files of a folder in listing order, lines or Parquet rows.
    /// All of a file whose rows are not counted beforehand is `0..u64::MAX`; of a remote NDJSON file these are bytes.
    pub rows: Range<u64>,
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rows.end {
            u64::MAX => write!(f, "{}[{}..]", self.file, self.rows.start),
            end => write!(f, "{}[{}..{end}]", self.file, self.rows.start),
        }
    }
}

/// One object, line or feature that did not become a row, and where its raw bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// URL of the object.
    pub object: String,
    /// Zero-based line, feature or row within the object; `None` where the object is one Item.
    pub position: Option<u64>,
    /// Byte range within the (decompressed) object, where known.
    pub bytes: Option<Range<u64>>,
    pub kind: RejectKind,
    pub message: String,
}

/// What became of the rows of one chunk: `listed = items + rejected + superseded + skipped`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkCounts {
    /// Inventory rows, lines or features in the chunk.
    pub listed: u64,
    /// Items decoded.
    pub items: u64,
    /// Inventory rows of an older version of an object (`is_latest` = false).
    pub superseded: u64,
    /// Inventory rows that an option leaves out, by reason: `suffix`, `since`, `delete_marker`; and documents of a static
    /// catalog that are no Items: `catalog`, `collection`.
    pub skipped: BTreeMap<String, u64>,
    /// Rejects by [`RejectKind::name`].
    pub rejected: BTreeMap<String, u64>,
    /// Items of which the footprint could be read in two ways, and nothing decided.
    #[serde(default)]
    pub guessed_footprints: u64,
    /// Newest `last_modified_date` of the objects read, in milliseconds since 1970 UTC; `None` if unknown.
    #[serde(default)]
    pub max_last_modified: Option<i64>,
}

impl ChunkCounts {
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }

    pub fn merge(&mut self, other: &Self) {
        self.listed += other.listed;
        self.items += other.items;
        self.superseded += other.superseded;
        self.guessed_footprints += other.guessed_footprints;
        self.max_last_modified = self.max_last_modified.max(other.max_last_modified);
        for (mine, theirs) in [(&mut self.skipped, &other.skipped), (&mut self.rejected, &other.rejected)] {
            for (key, n) in theirs {
                *mine.entry(key.clone()).or_default() += n;
            }
        }
    }
}

/// What a source knows about a chunk once its partition has been read to the end.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkOutcome {
    pub chunk: ChunkId,
    pub counts: ChunkCounts,
    pub rejects: Vec<Reject>,
    /// Listed objects whose Items were decoded, in the order of the source.
    pub ingested: Vec<IngestedObject>,
}

/// An object whose Items were decoded, and its version: neither ETag nor time where the listing tells none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestedObject {
    /// Its name wherever it is fetched from: `s3://<bucket>/<key>`; its URL, where it is listed without a bucket.
    pub object: String,
    pub e_tag: Option<String>,
    /// Milliseconds since 1970, UTC.
    pub last_modified: Option<i64>,
    /// The Item that was decoded; `None` where there is none, or the object is a file of many Items.
    pub item: Option<ItemKey>,
}
