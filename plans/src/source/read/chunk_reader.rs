//! Reads one chunk: bytes in, batches out, and the account of what became of every Item.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use bytes::Bytes;
use datafusion::common::{Result, exec_err};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, Time};
use earthcatalog_stac_rows::{Parent, check_item};
use futures::StreamExt;
use futures::stream;

use super::cells::CellCounter;
use super::document::raw;
use super::features::{Found, features};
use super::objects::{Fetch, objects};
use super::raw::{Blocks, ObjectName, Raw};
use super::{document, lines, rows};
use crate::model::chunk::{ChunkCounts, ChunkOutcome, IngestedObject, Reject, RejectKind};
use crate::model::item_key::ItemKey;
use crate::model::items::ItemSchema;
use crate::source::chunk::{Chunk, Content};
use crate::source::decode::{Defect, ItemDecoder};
use crate::source::options::StacOptions;
use crate::source::spool::Spool;

/// A batch is cut when its columns hold this many bytes, or the session's batch size in rows.
const BATCH_BYTES: usize = 32 << 20;

/// A batch is cut when its Items have so many times the session's batch size in cells, each of which becomes a row.
const CELLS_PER_ROW: u64 = 8;

/// What a partition reports while it runs.
#[derive(Debug, Clone)]
pub(in super::super) struct ReadMetrics {
    /// Items decoded.
    items: Count,
    rejects: Count,
    /// Bytes handed to the decoder, decompressed.
    bytes: Count,
    /// Waiting for bytes.
    fetch_time: Time,
    decode_time: Time,
    /// The same, under the name that every operator has.
    elapsed_compute: Time,
}

impl ReadMetrics {
    pub fn new(metrics: &ExecutionPlanMetricsSet, partition: usize, elapsed_compute: &Time) -> Self {
        let count = |name| MetricBuilder::new(metrics).counter(name, partition);
        let time = |name| MetricBuilder::new(metrics).subset_time(name, partition);
        Self {
            items: count("items"),
            rejects: count("rejects"),
            bytes: count("bytes_fetched"),
            fetch_time: time("fetch_time"),
            decode_time: time("decode_time"),
            elapsed_compute: elapsed_compute.clone(),
        }
    }

    fn add_decode_time(&self, start: Instant) {
        self.decode_time.add_elapsed(start);
        self.elapsed_compute.add_elapsed(start);
    }
}

/// Reads a chunk batch by batch.
pub(in super::super) struct ChunkReader {
    blocks: Blocks,
    /// Of the block that came last, what is not decoded yet.
    block: VecDeque<Raw>,
    decoder: ItemDecoder,
    /// Items are checked for what STAC requires.
    validates: bool,
    cells: Option<CellCounter>,
    batch_rows: usize,
    chunk: Chunk,
    counts: ChunkCounts,
    rejects: Vec<Reject>,
    ingested: Vec<IngestedObject>,
    /// Items met, of whatever fate.
    met: u64,
    metrics: ReadMetrics,
}

impl ChunkReader {
    /// `h3_resolution` is that of the cells to which the rows go, if they do.
    pub async fn open(
        chunk: &Chunk,
        spool: &Arc<Spool>,
        schema: &ItemSchema,
        options: &StacOptions,
        h3_resolution: Option<u8>,
        batch_rows: usize,
        metrics: ReadMetrics,
    ) -> Result<Self> {
        let max_bytes = options.max_item_bytes;
        let blocks = match &chunk.content {
            Content::Objects { objects: range, keys, .. } => {
                let fetch = Fetch { concurrency: options.fetch_concurrency, max_bytes };
                objects(spool, range, keys, &fetch)
            }
            Content::Lines { file, lines: of, separator } => lines(file, of, *separator, max_bytes).await?,
            Content::Document { file } => document(file, max_bytes).await?,
            Content::Rows { file, rows: range } => rows::rows(file, range)?,
            Content::Defective { file, defect } => {
                let object = ObjectName::Url(Arc::from(file.as_str()));
                let raw = Raw { object, position: None, range: None, body: Err(defect.clone()) };
                stream::iter([Ok(vec![raw])]).boxed()
            }
        };
        Ok(Self {
            blocks,
            block: VecDeque::new(),
            decoder: ItemDecoder::new(schema),
            validates: options.validate,
            cells: h3_resolution.map(|r| CellCounter::try_new(r, options.max_item_cells)).transpose()?,
            batch_rows,
            chunk: chunk.clone(),
            counts: chunk.planned.clone(),
            rejects: vec![],
            ingested: vec![],
            met: 0,
            metrics,
        })
    }

    /// The next rows; `None` at the chunk's end.
    pub async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while !self.is_cut_off() {
            self.decode();
            if self.is_full() {
                if !self.decoder.is_empty() {
                    return self.finish_batch().map(Some);
                }
                // All have too many cells. To find that took a while, in which nobody could stop it.
                self.cells.iter_mut().for_each(CellCounter::start_batch);
                tokio::task::yield_now().await;
                continue;
            }
            let timer = self.metrics.fetch_time.timer();
            let block = self.blocks.next().await.transpose()?;
            timer.done();
            match block {
                Some(block) => self.block = block.into(),
                None => break,
            }
        }
        if self.decoder.is_empty() { Ok(None) } else { self.finish_batch().map(Some) }
    }

    /// What became of the chunk, once there is no next batch.
    ///
    /// Errors: there were more or fewer Items than planned; the source changed meanwhile.
    pub fn into_outcome(mut self) -> Result<ChunkOutcome> {
        let is_whole = !self.is_cut_off();
        let Chunk { id, content, planned, completes, .. } = self.chunk;
        self.ingested.extend(completes.filter(|_| is_whole));
        if !content.is_counted() {
            self.counts.listed += self.met;
        }
        let counts = &self.counts;
        let accounted = counts.items + counts.rejected_total() + counts.superseded + counts.skipped_total();
        if counts.listed != accounted {
            return exec_err!(
                "{id}: {} rows were listed when the run was planned, and {accounted} are there now; the source changed, start the run again",
                planned.listed
            );
        }
        Ok(ChunkOutcome { chunk: id, counts: self.counts, rejects: self.rejects, ingested: self.ingested })
    }

    fn finish_batch(&mut self) -> Result<RecordBatch> {
        let start = Instant::now();
        let batch = self.decoder.finish()?;
        self.cells.iter_mut().for_each(CellCounter::start_batch);
        self.metrics.add_decode_time(start);
        Ok(batch)
    }

    fn is_cut_off(&self) -> bool {
        self.chunk.at_most.is_some_and(|at_most| self.met >= at_most)
    }

    /// Whether what is decoded is a batch, or took as long as one.
    fn is_full(&self) -> bool {
        self.decoder.len() >= self.batch_rows
            || self.decoder.memory_size() >= BATCH_BYTES
            || self.cells.as_ref().is_some_and(|cells| cells.counted() >= CELLS_PER_ROW * self.batch_rows as u64)
    }

    /// Decodes what is at hand, up to a batch.
    fn decode(&mut self) {
        let start = Instant::now();
        while !self.is_cut_off()
            && !self.is_full()
            && let Some(item) = self.block.pop_front()
        {
            self.take(item);
        }
        self.metrics.add_decode_time(start);
    }

    fn take(&mut self, item: Raw) {
        let Raw { object, position, range, body } = item;
        let defect = match body {
            Ok(bytes) => {
                self.metrics.bytes.add(bytes.len());
                match self.append(&bytes) {
                    Ok(()) => return self.record(&object, Some(&bytes)),
                    Err(defect) => match self.collection(&bytes, &defect, position) {
                        Some(found) => {
                            // In front of what follows the collection, in order.
                            found.into_iter().rev().for_each(|f| self.block.push_front(raw(&object, f, u64::MAX)));
                            return;
                        }
                        None => match parent(&bytes, &defect) {
                            Some(parent) => {
                                self.met += 1;
                                *self.counts.skipped.entry(parent.name().to_owned()).or_default() += 1;
                                return self.record(&object, None);
                            }
                            None => defect,
                        },
                    },
                }
            }
            Err(defect) => defect,
        };
        self.met += 1;
        self.metrics.rejects.add(1);
        *self.counts.rejected.entry(defect.kind.name().to_owned()).or_default() += 1;
        let Defect { kind, message } = defect;
        self.rejects.push(Reject { object: object.url(), position, bytes: range, kind, message });
    }

    /// Takes down that an object was read: an Item of it was decoded, or it has none.
    fn record(&mut self, object: &ObjectName, item: Option<&[u8]>) {
        let Some(object) = object.ingested() else { return };
        let key = item.and_then(|item| self.decoder.key(item));
        let item = key.map(|(collection, id)| ItemKey { collection, id });
        self.ingested.push(IngestedObject { item, ..object });
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Defect> {
        if self.validates {
            check_item(bytes)?;
        }
        match &mut self.cells {
            Some(cells) => self.decoder.append_if(bytes, |footprint| cells.add(footprint))?,
            None => self.decoder.append(bytes)?,
        }
        self.met += 1;
        self.counts.items += 1;
        self.counts.guessed_footprints += u64::from(self.decoder.has_guessed());
        self.metrics.items.add(1);
        Ok(())
    }

    /// The features of an object that is no Item, where it may be an ItemCollection.
    fn collection(&self, bytes: &Bytes, defect: &Defect, position: Option<u64>) -> Option<Vec<Found>> {
        let may_be = matches!(self.chunk.content, Content::Objects { collections: true, .. });
        if may_be && position.is_none() && defect.kind != RejectKind::MalformedJson { features(bytes) } else { None }
    }
}

/// What a document is that is not an Item, and leads to Items.
fn parent(document: &[u8], defect: &Defect) -> Option<Parent> {
    if defect.kind == RejectKind::NotAFeature { Parent::of(document) } else { None }
}
