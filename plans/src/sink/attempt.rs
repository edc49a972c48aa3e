//! One attempt at one partition: cuts its sorted rows into buckets, and writes a file of each.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use bytes::Bytes;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::metrics::{Count, Time};
use futures::TryStreamExt;
use object_store::path::Path;
use parquet::file::metadata::ParquetMetaData;
use uuid::Uuid;

use super::bucket::BucketCutter;
use super::format::PartFileFormat;
use super::large_file::LargeFileEncoder;
use super::small_file::SmallFileEncoder;
use super::statistics::column_statistics;
use super::upload::{KeptFiles, LargeUpload, Uploads};
use super::{WriteTarget, rejects};
use crate::model::bucket::Bucket;
use crate::model::chunk::ChunkOutcome;
use crate::model::layout;
use crate::model::part_file::{ChunkRecord, PartFile, SinkRecord};
use crate::model::task_files::{IdFile, RecordFile};
use crate::stores::stores;
use crate::table::ingest_record;
use crate::table::known_ids::TaskIds;

/// A file with more rows, or more bytes of text, than these is encoded and uploaded while its rows arrive.
const SMALL_ROWS: usize = 2_000;
const SMALL_BYTES: usize = 8 << 20;

/// Reason for which an Item is skipped that the query leaves out.
const FILTERED: &str = "filtered";

/// What an attempt counts.
#[derive(Debug)]
pub struct AttemptMetrics {
    pub files: Count,
    pub rows: Count,
    pub bytes: Count,
    pub encode_time: Time,
    pub write_time: Time,
}

/// Writes the rows of one partition.
pub struct Attempt {
    target: Arc<WriteTarget>,
    format: Arc<PartFileFormat>,
    partition: usize,
    /// Names this attempt's files.
    id: String,
    /// The warehouse, within its store.
    root: Path,
    /// Folder of staged files, below the warehouse; `None` where each file lies in the folder of its bucket.
    staged: Option<String>,
    cutter: BucketCutter,
    small_files: SmallFileEncoder,
    metrics: AttemptMetrics,
    records: Vec<SinkRecord>,
    source: RowSource,
    ids: TaskIds,
    uploads: Uploads,
}

/// Where rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowSource {
    /// A chunk of Items. Where `keeps_items`, each of them has a row.
    Chunk { keeps_items: bool },
    /// Anything else.
    Query,
}

/// What an attempt wrote. Unless it is kept, its files are removed when this is dropped.
#[derive(Debug)]
pub struct Written {
    records: Vec<SinkRecord>,
    uploads: Uploads,
}

impl Written {
    pub fn records(&self) -> &[SinkRecord] {
        &self.records
    }

    /// The files count, or may: their records, and what removes them if they do not.
    pub fn keep(self) -> (Vec<SinkRecord>, KeptFiles) {
        (self.records, self.uploads.keep())
    }
}

impl Attempt {
    /// `staged`: folder of the part files, below the warehouse, if not those of their buckets.
    pub fn try_new(
        target: Arc<WriteTarget>,
        format: Arc<PartFileFormat>,
        partition: usize,
        staged: Option<String>,
        source: RowSource,
        metrics: AttemptMetrics,
    ) -> Result<Self> {
        let (store, root) = stores().locate(&target.warehouse)?;
        Ok(Self {
            id: Uuid::now_v7().simple().to_string(),
            staged,
            cutter: BucketCutter::try_new(&format.arrow, target.h3_resolution)?,
            uploads: Uploads::new(store, target.warehouse.scheme() == "file", metrics.write_time.clone()),
            ids: TaskIds::default(),
            source,
            small_files: SmallFileEncoder::try_new(Arc::clone(&format))?,
            records: vec![],
            target,
            format,
            partition,
            root,
            metrics,
        })
    }

    /// Names the attempt, and the files that it writes.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Writes all rows of `input`, then what `outcome` says about the chunk behind them. On an error, or when this is
    /// dropped half-way, the files of the attempt are removed.
    pub async fn run(
        mut self,
        input: SendableRecordBatchStream,
        outcome: impl FnOnce() -> Option<ChunkOutcome>,
    ) -> Result<Written> {
        match self.write_all(input, outcome).await {
            Ok(()) => Ok(Written { records: self.records, uploads: self.uploads }),
            Err(error) => {
                self.uploads.remove().await;
                Err(error)
            }
        }
    }

    async fn write_all(
        &mut self,
        mut input: SendableRecordBatchStream,
        outcome: impl FnOnce() -> Option<ChunkOutcome>,
    ) -> Result<()> {
        let mut open: Option<OpenFile> = None;
        while let Some(batch) = input.try_next().await? {
            self.check_required(&batch)?;
            for (bucket, rows) in self.cutter.cut(&batch)? {
                if open.as_ref().is_none_or(|file| file.bucket != bucket)
                    && let Some(file) = open.replace(OpenFile::new(bucket)).filter(|file| file.rows > 0)
                {
                    self.close(file).await?;
                    self.ids.next_bucket();
                }
                // `open` was filled just above.
                let Some(file) = &mut open else { continue };
                let rows = batch.slice(rows.start, rows.len());
                if self.counts_ids() {
                    self.ids.add(&rows);
                }
                self.add(file, rows).await?;
                if file.large.as_ref().is_some_and(|large| large.bytes as u64 >= self.target.max_file_bytes) {
                    let next = OpenFile::new(file.bucket.clone());
                    self.close(std::mem::replace(file, next)).await?;
                }
            }
        }
        if let Some(file) = open.filter(|file| file.rows > 0) {
            self.close(file).await?;
        }
        if self.target.lists_ids && !self.ids.is_empty() {
            self.record_ids().await?;
        }
        if let Some(outcome) = outcome() {
            self.record_chunk(outcome).await?;
        }
        self.uploads.finish().await
    }

    fn check_required(&self, batch: &RecordBatch) -> Result<()> {
        for (field, column) in self.format.arrow.fields().iter().zip(batch.columns()) {
            if !field.is_nullable() && column.null_count() > 0 {
                let name = field.name();
                return exec_err!(
                    "{name} of a row is null, but the table requires it; select only rows WHERE {name} IS NOT NULL, or give it a value"
                );
            }
        }
        Ok(())
    }

    fn counts_ids(&self) -> bool {
        self.target.lists_ids || self.source != RowSource::Query
    }

    async fn add(&mut self, file: &mut OpenFile, rows: RecordBatch) -> Result<()> {
        file.rows += rows.num_rows();
        file.bytes += text_bytes(&rows);
        match &mut file.large {
            Some(large) => return large.write(&rows, &self.metrics).await,
            None => file.small.push(rows),
        }
        if file.rows > SMALL_ROWS || file.bytes > SMALL_BYTES {
            let path = self.path_of(&file.bucket);
            let mut large = LargeFile {
                upload: self.uploads.begin_large(self.resolve(&path)?),
                path,
                encoder: LargeFileEncoder::try_new(Arc::clone(&self.format))?,
                bytes: 0,
            };
            for rows in std::mem::take(&mut file.small) {
                large.write(&rows, &self.metrics).await?;
            }
            file.large = Some(large);
        }
        Ok(())
    }

    async fn close(&mut self, file: OpenFile) -> Result<()> {
        let (path, bytes, columns) = match file.large {
            Some(large) => {
                let (path, bytes, metadata) = large.finish(&self.metrics).await?;
                (path, bytes, column_statistics(&metadata, &self.format.leaves))
            }
            None => {
                let (bytes, columns) = {
                    let _timer = self.metrics.encode_time.timer();
                    self.small_files.encode(&file.small)?
                };
                let path = self.path_of(&file.bucket);
                let length = bytes.len();
                self.uploads.put(self.resolve(&path)?, bytes.into()).await?;
                (path, length, columns)
            }
        };
        self.metrics.files.add(1);
        self.metrics.rows.add(file.rows);
        self.metrics.bytes.add(bytes);
        // What is merged before it is committed needs no statistics.
        let columns = if self.staged.is_some() { vec![] } else { columns };
        self.records.push(SinkRecord::Data(PartFile {
            path: format!("{}{path}", self.target.warehouse),
            cell: file.bucket.cell,
            year: file.bucket.year,
            rows: file.rows as u64,
            bytes: bytes as u64,
            sequence: None,
            columns: columns.into_iter().collect(),
        }));
        // Encoding many small files from one batch never waits, and other tasks want their turn.
        tokio::task::consume_budget().await;
        Ok(())
    }

    async fn record_ids(&mut self) -> Result<()> {
        let path = match &self.staged {
            Some(folder) => layout::staged_ids_path(folder, &self.id),
            None => layout::ids_path(&self.target.run, &self.id, self.partition),
        };
        let (bytes, ids) = self.ids.encode()?;
        let size = bytes.len() as u64;
        self.uploads.put(self.resolve(&path)?, Bytes::from(bytes)).await?;
        self.records.push(SinkRecord::Ids(IdFile {
            path: format!("{}{path}", self.target.warehouse),
            ids,
            bytes: size,
        }));
        Ok(())
    }

    async fn record_chunk(&mut self, mut outcome: ChunkOutcome) -> Result<()> {
        let rejects = if outcome.rejects.is_empty() {
            None
        } else {
            let path = layout::rejects_path(&self.target.run, &self.id, self.partition);
            let bytes = rejects::encode(&self.target.run, &outcome.chunk, &outcome.rejects)?;
            self.uploads.put(self.resolve(&path)?, Bytes::from(bytes)).await?;
            Some(format!("{}{path}", self.target.warehouse))
        };
        let ingested = match outcome.ingested.as_slice() {
            [] => None,
            objects => {
                let path = layout::ingested_path(&self.target.run, &self.id, self.partition);
                let bytes = ingest_record::encode(&self.target.run, objects)?;
                let (rows, size) = (objects.len() as u64, bytes.len() as u64);
                self.uploads.put(self.resolve(&path)?, Bytes::from(bytes)).await?;
                let times: Option<Vec<i64>> = objects.iter().map(|object| object.last_modified).collect();
                let newest = times.and_then(|times| times.into_iter().max());
                Some(RecordFile { path: format!("{}{path}", self.target.warehouse), rows, bytes: size, newest })
            }
        };
        let committed = match self.source {
            RowSource::Chunk { keeps_items: true } => outcome.counts.items,
            _ => self.ids.len() as u64,
        };
        // Items without a row, and further ones of the same id.
        let filtered = outcome.counts.items.saturating_sub(committed);
        if filtered > 0 {
            outcome.counts.items = committed;
            *outcome.counts.skipped.entry(FILTERED.to_owned()).or_default() += filtered;
        }
        let record = ChunkRecord {
            chunk: outcome.chunk,
            counts: outcome.counts,
            committed,
            rejects,
            ingested,
            fan_out: self.ids.fan_out(),
            resumed: false,
        };
        self.records.push(SinkRecord::Chunk(record));
        Ok(())
    }

    /// Path of the next file, below the warehouse.
    fn path_of(&self, bucket: &Bucket) -> String {
        let sequence = self.records.len();
        match &self.staged {
            Some(folder) => layout::staged_file_path(folder, &self.id, sequence),
            None => layout::part_file_path(&bucket.cell, bucket.year, &self.id, self.partition, sequence),
        }
    }

    /// `path`, which is below the warehouse, within its store.
    fn resolve(&self, path: &str) -> Result<Path> {
        let root = self.root.as_ref();
        let separator = if root.is_empty() { "" } else { "/" };
        Path::parse(format!("{root}{separator}{path}")).map_err(|e| exec_datafusion_err!("{path} is no path: {e}"))
    }
}

/// The file of the bucket that is being read.
struct OpenFile {
    bucket: Bucket,
    rows: usize,
    /// Text and binary values, roughly.
    bytes: usize,
    /// Its rows, as long as they are few.
    small: Vec<RecordBatch>,
    large: Option<LargeFile>,
}

impl OpenFile {
    fn new(bucket: Bucket) -> Self {
        Self { bucket, rows: 0, bytes: 0, small: vec![], large: None }
    }
}

/// A file that is encoded and uploaded while its rows arrive.
struct LargeFile {
    path: String,
    encoder: LargeFileEncoder,
    upload: LargeUpload,
    /// Bytes handed to the upload.
    bytes: usize,
}

impl LargeFile {
    async fn write(&mut self, rows: &RecordBatch, metrics: &AttemptMetrics) -> Result<()> {
        let bytes = {
            let _timer = metrics.encode_time.timer();
            self.encoder.write(rows)?;
            self.encoder.take_bytes()?
        };
        self.bytes += bytes.len();
        self.upload.write(bytes).await
    }

    async fn finish(self, metrics: &AttemptMetrics) -> Result<(String, usize, ParquetMetaData)> {
        let (last, metadata) = {
            let _timer = metrics.encode_time.timer();
            self.encoder.finish()?
        };
        let bytes = self.bytes + last.len();
        self.upload.finish(last).await?;
        Ok((self.path, bytes, metadata))
    }
}

/// Bytes of the text and binary values of `rows`.
fn text_bytes(rows: &RecordBatch) -> usize {
    // The low half of a view is the length of its value.
    let length = |view: &u128| *view as u32 as usize;
    let columns = rows.columns().iter();
    columns
        .filter_map(|column| {
            let views = column.as_string_view_opt().map(|c| c.views());
            views.or_else(|| column.as_binary_view_opt().map(|c| c.views()))
        })
        .map(|views| views.iter().map(length).sum::<usize>())
        .sum()
}
