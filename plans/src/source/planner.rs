//! Cuts what an inventory or a folder lists into chunks, row by row.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::execution::disk_manager::DiskManager;
use object_store::ObjectMeta;
use twox_hash::XxHash64;
use url::Url;

use super::chunk::{Chunk, ChunkList, Content};
use super::format::Format;
use super::keys::KeyBase;
use super::options::StacOptions;
use super::spool::{Entry, ObjectVersion, SpoolRange, SpoolWriter};
use crate::model::chunk::{ChunkCounts, ChunkId, IngestedObject};

/// A row of an inventory, or a file of a folder.
#[derive(Debug, Default)]
pub(super) struct Listed<'a> {
    pub bucket: &'a str,
    /// Decoded.
    pub key: &'a str,
    pub is_latest: Option<bool>,
    pub is_delete_marker: Option<bool>,
    /// Milliseconds since 1970, UTC.
    pub last_modified: Option<i64>,
    /// Empty: unknown.
    pub e_tag: &'a str,
}

impl Listed<'_> {
    pub fn entry(&self) -> Entry {
        // Inventories give it bare, stores in quotes.
        let version =
            ObjectVersion { e_tag: self.e_tag.trim_matches('"').to_owned(), last_modified: self.last_modified };
        Entry { bucket: self.bucket.to_owned(), key: self.key.to_owned(), version }
    }
}

/// The reason of rows whose name is not that of an Item.
const SUFFIX: &str = "suffix";

/// The hash of the URL of an object. Two with one hash may be fetched once more than they need be.
pub(super) fn name_hash(url: &str) -> u64 {
    XxHash64::oneshot(0, url.as_bytes())
}

/// Why a listed row is no Item to read.
enum Leave {
    Skip(&'static str),
    Superseded,
}

/// Chunks in the making.
pub(super) struct Planner<'a> {
    pub options: &'a StacOptions,
    /// Items that the limit still allows.
    left: Option<u64>,
    spool: SpoolWriter,
    chunks: Vec<Chunk>,
    open: Option<OpenFile>,
    /// Of all that was listed.
    fingerprint: XxHash64,
    unread: ChunkCounts,
    names: Names,
    /// Only the objects are asked for: files of many Items are objects like others.
    pub lists_objects: bool,
    /// Objects that option `since` does not leave out, by the hashes of their URLs.
    pub never_too_old: HashSet<u64>,
    /// Objects of an inventory that are files of many Items, to be planned behind the others.
    item_files: Vec<(Format, Entry)>,
}

/// What the names of an inventory's keys say.
#[derive(Default)]
struct Names {
    /// How many are those of Items.
    items: u64,
    /// How many are not, folders apart, and the first of them.
    others: u64,
    other: Option<String>,
}

/// The data file or folder whose rows come in.
struct OpenFile {
    url: String,
    keys: Arc<KeyBase>,
    collections: bool,
    /// Its rows so far.
    rows: u64,
    chunk: OpenChunk,
}

/// The chunk that takes the next row.
struct OpenChunk {
    first_row: u64,
    objects: SpoolRange,
    /// Items that it may take from the limit, if there is one.
    items: u64,
    planned: ChunkCounts,
}

impl Names {
    fn add(&mut self, listed: &Listed<'_>, leave: &Option<Leave>) {
        if !matches!(leave, Some(Leave::Skip(SUFFIX))) {
            self.items += 1;
        } else if !listed.key.ends_with('/') {
            self.others += 1;
            self.other.get_or_insert_with(|| listed.key.to_owned());
        }
    }
}

impl OpenChunk {
    fn at(first_row: u64, offset: u64) -> Self {
        Self {
            first_row,
            objects: SpoolRange { offset, end: offset, entries: 0 },
            items: 0,
            planned: ChunkCounts::default(),
        }
    }
}

impl<'a> Planner<'a> {
    pub fn try_new(options: &'a StacOptions, disk: &Arc<DiskManager>) -> Result<Self> {
        let spool = SpoolWriter::try_new(disk)?;
        let fingerprint = XxHash64::with_seed(0);
        Ok(Self {
            options,
            left: options.limit,
            spool,
            chunks: vec![],
            open: None,
            fingerprint,
            unread: ChunkCounts::default(),
            names: Names::default(),
            lists_objects: false,
            never_too_old: HashSet::new(),
            item_files: vec![],
        })
    }

    /// Whether the limit allows no more Items.
    pub fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// Items that the limit still allows.
    pub fn left(&self) -> Option<u64> {
        self.left
    }

    /// The rows that follow are those of `file`; its objects may be ItemCollections if `collections`.
    pub fn start_file(&mut self, file: &Url, keys: Arc<KeyBase>, collections: bool) {
        let chunk = OpenChunk::at(0, self.spool.offset());
        self.open = Some(OpenFile { url: file.to_string(), keys, collections, rows: 0, chunk });
    }

    /// The next row of the file. No row may follow once [`Self::is_full`].
    ///
    /// `items` is what it holds as far as the limit must know: 1, or the features of an ItemCollection.
    pub fn push(&mut self, listed: &Listed<'_>, items: u64) -> Result<()> {
        let leave = self.leave(listed);
        self.names.add(listed, &leave);
        // A full chunk is closed by the next Item, not by its own last one: rows to skip that follow are still its own.
        let is_cut = |open: &OpenFile| open.chunk.objects.entries == self.options.chunk_size;
        if leave.is_none() && self.open.as_ref().is_some_and(is_cut) {
            self.cut();
        }
        (listed.bucket, listed.key, listed.e_tag, listed.last_modified).hash(&mut self.fingerprint);
        let Some(open) = &mut self.open else { return Ok(()) };
        if leave.is_none()
            && !open.collections
            && !self.lists_objects
            && let Some(format) = Format::of_name(listed.key).filter(|format| format.is_of_lines_or_rows())
        {
            self.item_files.push((format, listed.entry()));
            return Ok(());
        }
        open.rows += 1;
        let planned = &mut open.chunk.planned;
        // What a file of a folder holds is counted when it is read: it may be an ItemCollection.
        planned.listed += u64::from(leave.is_some() || !open.collections);
        match leave {
            Some(Leave::Skip(reason)) => *planned.skipped.entry(reason.to_owned()).or_default() += 1,
            Some(Leave::Superseded) => planned.superseded += 1,
            None => {
                planned.max_last_modified = planned.max_last_modified.max(listed.last_modified);
                open.chunk.objects.entries += 1;
                if let Some(left) = &mut self.left {
                    let items = items.min(*left);
                    open.chunk.items += items;
                    *left -= items;
                }
                // Inventories give it bare, stores in quotes.
                let e_tag = listed.e_tag.trim_matches('"');
                self.spool.push(listed.bucket, listed.key, e_tag, listed.last_modified)?;
            }
        }
        Ok(())
    }

    fn leave(&self, listed: &Listed<'_>) -> Option<Leave> {
        let is_folder = self.open.as_ref().is_some_and(|open| open.collections);
        if !if is_folder { self.options.is_item_file(listed.key) } else { self.options.is_item(listed.key) } {
            Some(Leave::Skip(SUFFIX))
        } else if listed.is_delete_marker == Some(true) {
            Some(Leave::Skip("delete_marker"))
        } else if listed.is_latest == Some(false) {
            Some(Leave::Superseded)
        } else if self.is_too_old(listed.last_modified) && !self.is_never_too_old(listed) {
            Some(Leave::Skip("since"))
        } else {
            None
        }
    }

    /// An error if there are keys, and none of them is the name of an Item: it is another list than was thought.
    pub fn check_names(&self, location: &Url) -> Result<()> {
        let Names { items: 0, others, other: Some(other) } = &self.names else { return Ok(()) };
        plan_err!(
            "{location} lists {others} objects, and none is an Item by its name: none ends in {}; the first is {other:?}. Say how Items end with option 'suffix' (--suffix), or name a list of Items",
            self.options.item_suffixes().join(" or ")
        )
    }

    /// The files of many Items that the rows of inventories named.
    pub fn take_item_files(&mut self) -> Vec<(Format, Entry)> {
        std::mem::take(&mut self.item_files)
    }

    /// Whether option `since` leaves out an object; one without a time is kept.
    pub fn is_too_old(&self, last_modified: Option<i64>) -> bool {
        self.options.since.zip(last_modified).is_some_and(|(since, modified)| modified < since)
    }

    fn is_never_too_old(&self, listed: &Listed<'_>) -> bool {
        let url = || Some(self.open.as_ref()?.keys.url(&listed.entry()));
        !self.never_too_old.is_empty() && url().is_some_and(|url| self.never_too_old.contains(&name_hash(&url)))
    }

    /// Takes the version of a file whose rows are not listed one by one into account.
    pub fn identify(&mut self, file: &ObjectMeta) {
        (file.size, &file.e_tag, file.last_modified.timestamp_millis()).hash(&mut self.fingerprint);
    }

    /// The file has no more rows.
    pub fn end_file(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.rows > open.chunk.first_row) {
            self.cut();
        }
        self.open = None;
    }

    fn cut(&mut self) {
        let offset = self.spool.offset();
        let Some(open) = &mut self.open else { return };
        let mut chunk = std::mem::replace(&mut open.chunk, OpenChunk::at(open.rows, offset));
        chunk.objects.end = offset;
        let at_most = self.options.limit.filter(|_| open.collections).map(|_| chunk.items);
        let content =
            Content::Objects { objects: chunk.objects, keys: open.keys.clone(), collections: open.collections };
        let id = ChunkId { file: open.url.clone(), rows: chunk.first_row..open.rows };
        self.chunks.push(Chunk { id, content, at_most, planned: chunk.planned, completes: None });
    }

    /// A chunk of a direct source: `items` if known.
    pub fn push_direct(&mut self, file: &Url, rows: std::ops::Range<u64>, content: Content, items: Option<u64>) {
        let at_most = if content.is_counted() { None } else { self.left };
        let listed = if content.is_counted() { items.unwrap_or(0) } else { 0 };
        let planned = ChunkCounts { listed, ..ChunkCounts::default() };
        let id = ChunkId { file: file.to_string(), rows };
        id.hash(&mut self.fingerprint);
        self.chunks.push(Chunk { id, content, at_most, planned, completes: None });
        if let (Some(left), Some(items)) = (&mut self.left, items) {
            *left = left.saturating_sub(items);
        }
    }

    /// The number of chunks so far.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Behind the chunks of a file of which the first was number `first`: once they are read, this version of it is
    /// ingested, unless a limit may leave out some of its Items.
    pub fn complete(&mut self, first: usize, version: IngestedObject) {
        if let Some(last) = self.chunks.get_mut(first..).and_then(<[Chunk]>::last_mut)
            && self.options.limit.is_none()
        {
            last.completes = Some(version);
        }
    }

    /// Adds rows that no chunk reads to the counts of the first one.
    pub fn count_unread(&mut self, counts: &ChunkCounts) {
        self.unread.merge(counts);
    }

    pub fn finish(mut self, location: &Url) -> Result<ChunkList> {
        if self.chunks.is_empty() {
            // A plan needs a partition, even where there is nothing to read.
            let keys = Arc::new(KeyBase::try_new(location, None)?);
            let content = Content::Objects { objects: SpoolRange::default(), keys, collections: false };
            self.push_direct(location, 0..0, content, Some(0));
        }
        if let Some(first) = self.chunks.first_mut() {
            first.planned.merge(&self.unread);
        }
        let fingerprint = self.fingerprint.finish();
        Ok(ChunkList { chunks: self.chunks, spool: Arc::new(self.spool.finish()?), fingerprint })
    }
}
