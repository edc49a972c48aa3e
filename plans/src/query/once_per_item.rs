//! [`OncePerItemExec`]: of the rows of an Item, the first that comes.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{HashSet, Result, Statistics, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Distribution, PhysicalExpr};
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::filter_pushdown::{FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    StatisticsArgs,
};
use futures::StreamExt;
use twox_hash::XxHash3_128;

use crate::model::item_key::ItemKey;
use crate::runtime::only_input;

/// Memory for an id that has come, in bytes: 16 for what stands for it, and room in the table.
const ID_BYTES: usize = 28;

/// Parts of the set of ids that have come, so that partitions rarely wait for each other.
const SHARDS: usize = 64;

/// Passes on the first row of each Item (`collection`, `id`), whichever partition it comes in.
///
/// Input: rows of Items of which every one has one version, so that rows of one differ in nothing that is read of
/// them. Rows stay in their partition and in their order, and nothing is gathered before it goes on: a LIMIT ends the
/// scan. The ids that have come take 28 bytes each, which are the session's until the plan is dropped; they are known by
/// 128 bits of hash (XXH3).
#[derive(Debug)]
pub struct OncePerItemExec {
    input: Arc<dyn ExecutionPlan>,
    /// Index of columns `collection` and `id`.
    key: [usize; 2],
    /// Whether partitions run in processes that do not know of each other: then all rows of an Item go to one.
    apart: bool,
    seen: Arc<Seen>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// The ids that have come in any partition.
#[derive(Debug)]
struct Seen {
    ids: [Mutex<HashSet<u128>>; SHARDS],
    /// For all of them, as long as they are kept: of the pool of the first partition that runs.
    memory: OnceLock<MemoryReservation>,
}

impl Seen {
    fn new() -> Arc<Self> {
        Arc::new(Self { ids: std::array::from_fn(|_| Mutex::default()), memory: OnceLock::new() })
    }

    /// Whether an Item has not come before; `hash` is that of its key.
    fn insert(&self, hash: u128) -> bool {
        let shard = &self.ids[(hash % SHARDS as u128) as usize];
        shard.lock().unwrap_or_else(PoisonError::into_inner).insert(hash)
    }

    fn reserve(&self, ids: usize, context: &TaskContext) -> Result<()> {
        let consumer = || MemoryConsumer::new("OncePerItemExec").register(context.memory_pool());
        self.memory.get_or_init(consumer).try_grow(ids * ID_BYTES)
    }
}

impl OncePerItemExec {
    /// Errors: `input` has no columns `collection` and `id`, of type Utf8View.
    pub fn try_new(input: Arc<dyn ExecutionPlan>) -> Result<Self> {
        let schema = input.schema();
        let [Some((collection, _)), Some((id, _))] = ItemKey::COLUMNS.map(|name| schema.column_with_name(name)) else {
            return internal_err!("rows of Items without collection and id");
        };
        let properties = Arc::clone(input.properties());
        let (seen, metrics) = (Seen::new(), ExecutionPlanMetricsSet::new());
        Ok(Self { input, key: [collection, id], apart: false, seen, properties, metrics })
    }

    /// The same, where the partitions may run in different processes, each of which knows only the Items of its own.
    pub fn with_partitions_apart(self, apart: bool) -> Self {
        Self { apart, ..self }
    }

    pub fn has_partitions_apart(&self) -> bool {
        self.apart
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

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let schema = self.input.schema();
        let key = self.key.map(|i| Arc::new(Column::new(schema.field(i).name(), i)) as Arc<dyn PhysicalExpr>);
        InputDistributionRequirements::new(vec![match self.apart {
            true => Distribution::KeyPartitioned(key.to_vec()),
            false => Distribution::UnspecifiedDistribution,
        }])
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

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = Arc::clone(only_input("OncePerItemExec", &children)?);
        Ok(Arc::new(Self::try_new(input)?.with_partitions_apart(self.apart)))
    }

    /// A plan that runs again has seen nothing.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self::try_new(Arc::clone(&self.input))?.with_partitions_apart(self.apart)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, Arc::clone(&context))?;
        let (key, seen) = (self.key, Arc::clone(&self.seen));
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let once = rows.map(move |batch| first_rows(&batch?, key, &seen, &context).record_output(&metrics));
        // What is left of a batch of which no row is new need not go on.
        let rows = once.filter(|batch| ready(!batch.as_ref().is_ok_and(|batch| batch.num_rows() == 0)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let input = only_input("OncePerItemExec", inputs)?;
        Ok(Arc::new(input.as_ref().clone().to_inexact()))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::LowerEqual
    }

    /// What holds of a row holds of every other of its Item.
    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(parent_filters, &self.children())
    }
}

fn first_rows(batch: &RecordBatch, key: [usize; 2], seen: &Seen, context: &TaskContext) -> Result<RecordBatch> {
    let [collections, ids] = key.map(|column| batch.column(column).as_string_view());
    let mut bytes = vec![];
    let mut is_first = |(collection, id): (Option<&str>, Option<&str>)| {
        bytes.clear();
        ItemKey::write(collection, id?, |part| bytes.extend_from_slice(part));
        Some(seen.insert(XxHash3_128::oneshot(&bytes)))
    };
    let first: BooleanArray = collections.iter().zip(ids).map(|key| Some(is_first(key) == Some(true))).collect();
    let new = first.true_count();
    seen.reserve(new, context)?;
    Ok(if new == batch.num_rows() { batch.clone() } else { filter_record_batch(batch, &first)? })
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, StringViewArray};
    use datafusion::datasource::memory::MemorySourceConfig;
    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn an_item_comes_once_and_its_memory_is_kept_as_long_as_what_is_known_of_it() {
        let ids: ArrayRef = Arc::new((0..100).map(|i| Some(format!("item-{i}"))).collect::<StringViewArray>());
        let collections: ArrayRef = Arc::new(StringViewArray::new_null(100));
        let rows = RecordBatch::try_from_iter_with_nullable([("collection", collections, true), ("id", ids, true)]);
        let rows = rows.unwrap();
        let schema = rows.schema();
        let input = MemorySourceConfig::try_new_exec(&[vec![rows.clone()], vec![rows]], schema, None).unwrap();
        let plan = OncePerItemExec::try_new(input).unwrap();
        let context = crate::session::session_within(2, Some(1 << 20)).unwrap().task_ctx();
        let mut found = vec![];
        for partition in 0..2 {
            let batches: Vec<_> = plan.execute(partition, Arc::clone(&context)).unwrap().try_collect().await.unwrap();
            found.push(batches.iter().map(RecordBatch::num_rows).sum::<usize>());
            assert_eq!(context.memory_pool().reserved(), 100 * ID_BYTES);
        }
        assert_eq!(found, [100, 0]);
        drop(plan);
        assert_eq!(context.memory_pool().reserved(), 0);
    }
}
