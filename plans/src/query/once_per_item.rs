//! [`OncePerItemExec`]: of the rows of an Item, the first that comes.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{HashSet, Result, Statistics, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter_pushdown::{FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;
use twox_hash::XxHash64;

/// Memory for an id that has come, in bytes: 16 for what stands for it, and room in the table.
const ID_BYTES: usize = 28;

/// Parts of the set of ids that have come, so that partitions rarely wait for each other.
const SHARDS: usize = 64;

/// Passes on the first row of each `id`, whichever partition it comes in.
///
/// Input: rows of Items of which every id has one version, so that rows with one id differ in nothing that is read of
/// them. Rows stay in their partition and in their order, and nothing is gathered before it goes on: a LIMIT ends the
/// scan. The ids that have come take 28 bytes each; they are known by 128 bits of hash.
#[derive(Debug)]
pub struct OncePerItemExec {
    input: Arc<dyn ExecutionPlan>,
    /// Index of column `id`.
    id: usize,
    seen: Arc<Seen>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// The ids that have come.
#[derive(Debug)]
struct Seen([Mutex<HashSet<u128>>; SHARDS]);

impl Seen {
    fn new() -> Arc<Self> {
        Arc::new(Self(std::array::from_fn(|_| Mutex::default())))
    }

    /// Whether an id has not come before.
    fn insert(&self, id: &str) -> bool {
        let [high, low] = [0, 1].map(|seed| XxHash64::oneshot(seed, id.as_bytes()));
        let shard = &self.0[(high % SHARDS as u64) as usize];
        shard.lock().unwrap_or_else(PoisonError::into_inner).insert(u128::from(high) << 64 | u128::from(low))
    }
}

impl OncePerItemExec {
    /// Errors: `input` has no column `id` of type Utf8View.
    pub fn try_new(input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let schema = input.schema();
        let Some((id, _)) = schema.column_with_name("id") else { return internal_err!("rows of Items without an id") };
        let properties = Arc::clone(input.properties());
        Ok(Self { input, id, seen: Seen::new(), properties, metrics: ExecutionPlanMetricsSet::new() })
    }
}

impl DisplayAs for OncePerItemExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "OncePerItemExec"),
            DisplayFormatType::TreeRender => Ok(()),
        }
    }
}

impl ExecutionPlan for OncePerItemExec {
    fn name(&self) -> &str {
        "OncePerItemExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::try_new(input)?)),
            _ => internal_err!("OncePerItemExec has one input"),
        }
    }

    /// A plan that runs again has seen nothing.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::try_new(Arc::clone(&self.input))?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let memory = MemoryConsumer::new("OncePerItemExec").register(context.memory_pool());
        let rows = self.input.execute(partition, context)?;
        let (id, seen) = (self.id, Arc::clone(&self.seen));
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let once = rows.map(move |batch| first_rows(&batch?, id, &seen, &memory).record_output(&metrics));
        // What is left of a batch of which no row is new need not go on.
        let rows = once.filter(|batch| ready(!batch.as_ref().is_ok_and(|batch| batch.num_rows() == 0)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let [input] = inputs else { return internal_err!("OncePerItemExec has one input") };
        Ok(Arc::new(input.as_ref().clone().to_inexact()))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::LowerEqual
    }

    /// What holds of a row holds of every other with its id.
    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }
}

fn first_rows(batch: &RecordBatch, id: usize, seen: &Seen, memory: &MemoryReservation) -> Result<RecordBatch> {
    let ids = batch.column(id).as_string_view();
    let first: BooleanArray = ids.iter().map(|id| Some(id.is_some_and(|id| seen.insert(id)))).collect();
    let new = first.true_count();
    memory.try_grow(new * ID_BYTES)?;
    Ok(if new == batch.num_rows() { batch.clone() } else { filter_record_batch(batch, &first)? })
}
