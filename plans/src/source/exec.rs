//! [`StacExec`]: the leaf operator that reads Items, one chunk per partition.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use datafusion::prelude::SessionConfig;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tokio::sync::Semaphore;
use url::Url;

use super::chunk::{Chunk, ChunkList, Content};
use super::chunks::Chunks;
use super::options::{MAX_ITEM_CELLS, StacOptions};
use super::read::{ChunkReader, ReadMetrics};
use crate::model::chunk::{ChunkCounts, ChunkOutcome};
use crate::model::items::ItemSchema;
use crate::runtime::{RunOptions, Slices, find_operator, partition_numbers};

/// Reads Items: one output partition per chunk, rows in the order of the source.
///
/// An object, line or feature that is no Item is no row; [`super::chunk_outcome`] tells of it.
/// With a pushed-down LIMIT there is one partition, which reads chunk after chunk until it has enough rows.
///
/// However many partitions are polled, as many chunks are open as the session has workers: what gathers partitions asks all of
/// them at once.
#[derive(Debug)]
pub struct StacExec {
    location: Url,
    schema: ItemSchema,
    options: StacOptions,
    chunks: Chunks,
    fingerprint: u64,
    /// Which partitions there are, where the scan was sent; all of them where it is `None`.
    numbered: Option<Numbered>,
    projection: Option<Vec<usize>>,
    /// Rows that are enough.
    fetch: Option<usize>,
    /// Of the cells to which the rows go, if they do: an Item may have so many of them, and a batch.
    h3_resolution: Option<u8>,
    outcomes: Arc<Outcomes>,
    /// A permit for each chunk that may be open.
    turns: OnceLock<Arc<Semaphore>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// The partitions of a scan that was sent.
#[derive(Debug, Clone)]
struct Numbered {
    input: Arc<dyn ExecutionPlan>,
    numbers: Vec<usize>,
}

/// What is known of a source before it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlannedItems {
    /// Objects or files to fetch; `None` where none is listed, because the source itself holds the Items.
    pub objects: Option<u64>,
    /// Items to read at most, which may turn out to be rejects; `None` where they are not counted yet.
    pub items: Option<u64>,
    /// Rows that options leave out: `superseded` and `skipped`.
    pub left_out: ChunkCounts,
}

/// Outcomes by chunk, from the end of its stream until they are taken.
#[derive(Debug)]
struct Outcomes(Vec<Mutex<Option<ChunkOutcome>>>);

impl Outcomes {
    fn set(&self, chunk: usize, outcome: Option<ChunkOutcome>) -> Option<ChunkOutcome> {
        // A poisoned lock holds an outcome that is whole: it is replaced in one step.
        let mut slot = self.0.get(chunk)?.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut slot, outcome)
    }
}

impl StacExec {
    pub(super) fn try_new(
        location: Url,
        schema: ItemSchema,
        options: StacOptions,
        chunks: ChunkList,
        projection: Option<&Vec<usize>>,
        fetch: Option<usize>,
    ) -> Result<Self> {
        let fingerprint = chunks.fingerprint;
        Self::of_chunks(
            location,
            schema,
            options,
            Chunks::Listed(Arc::new(chunks)),
            None,
            fingerprint,
            projection,
            fetch,
        )
    }

    /// A scan whose chunks were listed by another process; `numbers` has those that this process reads, all of them where it
    /// is `None` (see [`partition_numbers`]).
    #[expect(clippy::too_many_arguments, reason = "the fields of its message")]
    pub(crate) fn of_slices(
        location: Url,
        schema: ItemSchema,
        options: StacOptions,
        chunks: Slices,
        numbers: Option<&Arc<dyn ExecutionPlan>>,
        fingerprint: u64,
        projection: Option<&Vec<usize>>,
        fetch: Option<usize>,
    ) -> Result<Self> {
        let input = match numbers {
            Some(input) => Arc::clone(input),
            None => partition_numbers::number(if fetch.is_some() { 1 } else { chunks.count() })?,
        };
        let numbered = Numbered { numbers: partition_numbers::numbers(&input)?, input };
        let chunks = Chunks::Sent(chunks);
        Self::of_chunks(location, schema, options, chunks, Some(numbered), fingerprint, projection, fetch)
    }

    #[expect(clippy::too_many_arguments, reason = "its fields")]
    fn of_chunks(
        location: Url,
        schema: ItemSchema,
        options: StacOptions,
        chunks: Chunks,
        numbered: Option<Numbered>,
        fingerprint: u64,
        projection: Option<&Vec<usize>>,
        fetch: Option<usize>,
    ) -> Result<Self> {
        let projected = match projection {
            Some(columns) => Arc::new(schema.item_schema().project(columns)?),
            None => Arc::clone(schema.item_schema()),
        };
        let partitions = match &numbered {
            Some(numbered) => numbered.numbers.len(),
            None if fetch.is_some() => 1,
            None => chunks.count(),
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(projected),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        let outcomes = (0..chunks.count()).map(|_| Mutex::default()).collect();
        Ok(Self {
            location,
            schema,
            options,
            chunks,
            fingerprint,
            numbered,
            projection: projection.cloned(),
            fetch,
            h3_resolution: None,
            outcomes: Arc::new(Outcomes(outcomes)),
            turns: OnceLock::new(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    /// The same scan, not begun.
    pub(super) fn again(&self) -> Result<Self> {
        let scan = Self::of_chunks(
            self.location.clone(),
            self.schema.clone(),
            self.options.clone(),
            self.chunks.clone(),
            self.numbered.clone(),
            self.fingerprint,
            self.projection(),
            self.fetch,
        )?;
        Ok(scan.with_h3_resolution(self.h3_resolution))
    }

    /// The same scan, whose rows go to cells of this resolution.
    pub(crate) fn with_h3_resolution(self, h3_resolution: Option<u8>) -> Self {
        Self { h3_resolution, ..self }
    }

    pub(crate) fn h3_resolution(&self) -> Option<u8> {
        self.h3_resolution
    }

    /// The scan in a plan, if there is one.
    pub fn find(plan: &Arc<dyn ExecutionPlan>) -> Option<&Self> {
        find_operator(plan)
    }

    /// What the chunks hold, as far as it is known before they are read; of chunks that were sent, nothing is.
    pub fn planned(&self) -> PlannedItems {
        let Chunks::Listed(list) = &self.chunks else { return PlannedItems::default() };
        let mut planned = PlannedItems { items: Some(0), ..PlannedItems::default() };
        for Chunk { content, planned: counts, .. } in &list.chunks {
            planned.left_out.superseded += counts.superseded;
            for (reason, n) in &counts.skipped {
                *planned.left_out.skipped.entry(reason.clone()).or_default() += n;
            }
            let listed = match content {
                Content::Objects { objects, .. } => {
                    *planned.objects.get_or_insert_default() += objects.entries;
                    objects.entries
                }
                _ => counts.listed - counts.superseded - counts.skipped_total(),
            };
            planned.items = planned.items.filter(|_| content.is_counted()).map(|items| items + listed);
        }
        planned
    }

    pub fn location(&self) -> &Url {
        &self.location
    }

    /// Differs where what the source lists differs: names, order and versions of its objects.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether each partition is a chunk; under a LIMIT there is one for all.
    pub fn reads_chunks(&self) -> bool {
        self.fetch.is_none()
    }

    pub fn chunks(&self) -> usize {
        self.chunks.count()
    }

    /// The promoted properties of its rows.
    pub(crate) fn items(&self) -> &ItemSchema {
        &self.schema
    }

    pub(crate) fn stac_options(&self) -> &StacOptions {
        &self.options
    }

    /// Of [`ItemSchema::item_schema`]; all columns where it is `None`.
    pub(crate) fn projection(&self) -> Option<&Vec<usize>> {
        self.projection.as_ref()
    }

    pub(crate) fn fetch_rows(&self) -> Option<usize> {
        self.fetch
    }

    /// The chunks of a scan that was cut into slices.
    pub(crate) fn slices(&self) -> Option<&Slices> {
        match &self.chunks {
            Chunks::Sent(slices) => Some(slices),
            Chunks::Listed(_) => None,
        }
    }

    /// The same scan, to be sent to another process; many chunks go to an object in `folder`.
    pub(crate) async fn sliced(&self, folder: Option<&Url>) -> Result<Self> {
        let slices = self.chunks.sliced(folder).await?;
        let (location, schema, options) = (self.location.clone(), self.schema.clone(), self.options.clone());
        let numbers = self.numbered.as_ref().map(|numbered| &numbered.input);
        let sliced = Self::of_slices(
            location,
            schema,
            options,
            slices,
            numbers,
            self.fingerprint,
            self.projection(),
            self.fetch,
        )?;
        Ok(sliced.with_h3_resolution(self.h3_resolution))
    }

    /// The options that shape the rows, by name, as far as they are set.
    pub fn options(&self) -> BTreeMap<String, String> {
        self.options.shaping()
    }

    pub(super) fn take_outcome(&self, partition: usize) -> Option<ChunkOutcome> {
        if self.fetch.is_some() { None } else { self.outcomes.set(self.number(partition)?, None) }
    }

    /// The number of a partition among all of the scan: that of its chunk, unless there is a LIMIT.
    fn number(&self, partition: usize) -> Option<usize> {
        match &self.numbered {
            Some(numbered) => numbered.numbers.get(partition).copied(),
            None => Some(partition),
        }
    }

    /// The rows of one chunk; its outcome is there when they end.
    fn read(
        &self,
        chunk: usize,
        metrics: ReadMetrics,
        config: &SessionConfig,
    ) -> BoxStream<'static, Result<RecordBatch>> {
        let turns = Arc::clone(self.turns.get_or_init(|| Arc::new(Semaphore::new(RunOptions::workers_of(config)))));
        let batch_rows = config.batch_size().min(self.fetch.unwrap_or(usize::MAX).max(1));
        let (chunks, outcomes) = (self.chunks.clone(), Arc::clone(&self.outcomes));
        let (schema, options, h3_resolution) = (self.schema.clone(), self.options.clone(), self.h3_resolution);
        outcomes.set(chunk, None);
        let open = async move {
            let turn = turns.acquire_owned().await.map_err(|e| DataFusionError::External(Box::new(e)))?;
            let (of, spool) = chunks.get(chunk).await?;
            let reader = ChunkReader::open(&of, &spool, &schema, &options, h3_resolution, batch_rows, metrics).await?;
            let batches = stream::try_unfold(Some((reader, spool, turn)), move |state| {
                let outcomes = Arc::clone(&outcomes);
                async move {
                    // The spool is kept along: the reader's objects are in it.
                    let Some((mut reader, spool, turn)) = state else { return Ok(None) };
                    if let Some(batch) = reader.next_batch().await? {
                        return Ok(Some((batch, Some((reader, spool, turn)))));
                    }
                    outcomes.set(chunk, Some(reader.into_outcome()?));
                    Ok(None)
                }
            });
            Ok::<_, DataFusionError>(batches)
        };
        stream::once(open).try_flatten().boxed()
    }
}

impl DisplayAs for StacExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if matches!(format, DisplayFormatType::TreeRender) {
            "\n"
        } else {
            write!(f, "StacExec: ")?;
            ", "
        };
        write!(f, "location={}{separator}chunks={}", self.location, self.chunks.count())?;
        if let Some(limit) = self.options.limit {
            write!(f, "{separator}limit={limit}")?;
        }
        if self.options.max_item_cells != MAX_ITEM_CELLS {
            write!(f, "{separator}max_item_cells={}", self.options.max_item_cells)?;
        }
        if let Some(fetch) = self.fetch {
            write!(f, "{separator}fetch={fetch}")?;
        }
        if self.projection.is_some() {
            let schema = self.schema();
            let columns = schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>();
            write!(f, "{separator}projection=[{}]", columns.join(", "))?;
        }
        Ok(())
    }
}

impl ExecutionPlan for StacExec {
    fn name(&self) -> &str {
        "StacExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.numbered.iter().map(|numbered| &numbered.input).collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let (location, schema, options) = (self.location.clone(), self.schema.clone(), self.options.clone());
        match (&self.chunks, children.as_slice()) {
            (_, []) => Ok(self),
            (Chunks::Sent(slices), [numbers]) => {
                let scan = Self::of_slices(
                    location,
                    schema,
                    options,
                    slices.clone(),
                    Some(numbers),
                    self.fingerprint,
                    self.projection(),
                    self.fetch,
                )?;
                Ok(Arc::new(scan.with_h3_resolution(self.h3_resolution)))
            }
            _ => internal_err!("StacExec is a leaf and takes no children"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let config = context.session_config();
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let metrics = ReadMetrics::new(&self.metrics, partition, baseline.elapsed_compute());
        let batches = match (self.fetch, self.number(partition)) {
            (None, Some(chunk)) if chunk < self.chunks.count() => self.read(chunk, metrics, config),
            (Some(fetch), Some(0)) => {
                let chunks =
                    (0..self.chunks.count()).map(|chunk| self.read(chunk, metrics.clone(), config)).collect::<Vec<_>>();
                first_rows(stream::iter(chunks).flatten().boxed(), fetch)
            }
            _ => return internal_err!("StacExec has no partition {partition}"),
        };
        let projection = self.projection.clone();
        let batches = batches.map(move |batch| {
            let batch = batch?;
            let projected = match &projection {
                Some(columns) => batch.project(columns)?,
                None => batch,
            };
            Ok(projected.record_output(&baseline))
        });
        Ok(Box::pin(cooperative(RecordBatchStreamAdapter::new(self.schema(), batches))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// No more than `rows` rows; nothing is read that is not needed for them.
fn first_rows(
    batches: BoxStream<'static, Result<RecordBatch>>,
    rows: usize,
) -> BoxStream<'static, Result<RecordBatch>> {
    stream::try_unfold((batches, rows), |(mut batches, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(batch) = batches.try_next().await? else { return Ok(None) };
        let batch = batch.slice(0, batch.num_rows().min(left));
        let left = left - batch.num_rows();
        Ok(Some((batch, (batches, left))))
    })
    .boxed()
}
