//! [`RowNumberExec`]: `row_number()` over sorted rows, batch by batch.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{concat, partition};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::window::{StandardWindowExpr, WindowExpr};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowUDFExpr};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, InputDistributionRequirements, InputOrderMode,
    PhysicalExpr, PlanProperties, apply_expression_roots,
};
use futures::TryStreamExt;

use crate::runtime::only_input;

/// Adds the number of each row within its group, from 1, as a last column. The rows of a group follow each other.
#[derive(Debug)]
pub struct RowNumberExec {
    input: Arc<dyn ExecutionPlan>,
    group: Arc<[Arc<dyn PhysicalExpr>]>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl RowNumberExec {
    /// In place of a window that is `row_number()` alone, over rows that are sorted by group.
    pub fn in_place_of(plan: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let window = plan.downcast_ref::<BoundedWindowAggExec>()?;
        let [function] = window.window_expr() else { return None };
        let is_sorted = window.input_order_mode == InputOrderMode::Sorted && !function.partition_by().is_empty();
        (is_sorted && is_row_number(function.as_ref())).then(|| Self {
            input: Arc::clone(window.input()),
            group: function.partition_by().into(),
            properties: Arc::clone(plan.properties()),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }
}

fn is_row_number(function: &dyn WindowExpr) -> bool {
    let standard = function.as_any().downcast_ref::<StandardWindowExpr>();
    let function = standard.and_then(|e| e.get_standard_func_expr().as_any().downcast_ref::<WindowUDFExpr>());
    function.is_some_and(|function| function.fun().name() == "row_number")
}

impl DisplayAs for RowNumberExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group: Vec<_> = self.group.iter().map(ToString::to_string).collect();
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "RowNumberExec: group=[{}]", group.join(", "))
            }
            DisplayFormatType::TreeRender => write!(f, "group={}", group.join(", ")),
        }
    }
}

impl ExecutionPlan for RowNumberExec {
    fn name(&self) -> &str {
        "RowNumberExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::KeyPartitioned(self.group.to_vec())])
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.group.iter(), f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = Arc::clone(only_input("RowNumberExec", &children)?);
        let (group, properties) = (Arc::clone(&self.group), Arc::clone(&self.properties));
        Ok(Arc::new(Self { input, group, properties, metrics: ExecutionPlanMetricsSet::new() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let batches = self.input.execute(partition, context)?;
        let (group, schema) = (Arc::clone(&self.group), self.schema());
        let mut numbers = Numbers::default();
        let numbered = batches.try_filter(|batch| std::future::ready(batch.num_rows() > 0)).and_then(move |batch| {
            let _timer = metrics.elapsed_compute().timer();
            let numbered = numbers.of(&batch, &group).and_then(|numbers| {
                let columns = batch.columns().iter().cloned().chain([Arc::new(numbers) as ArrayRef]);
                Ok(RecordBatch::try_new(Arc::clone(&schema), columns.collect())?)
            });
            std::future::ready(numbered.record_output(&metrics))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), numbered)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Where in its group the last row was.
#[derive(Debug, Default)]
struct Numbers {
    /// The group of the last row: one value a column.
    last: Option<Vec<ArrayRef>>,
    number: u64,
}

impl Numbers {
    /// The numbers of the rows of a batch, which is not empty and goes on from the last one.
    fn of(&mut self, batch: &RecordBatch, group: &[Arc<dyn PhysicalExpr>]) -> Result<UInt64Array> {
        let rows = batch.num_rows();
        let keys: Vec<_> = group.iter().map(|key| key.evaluate(batch)?.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let goes_on = match &self.last {
            Some(last) => {
                let both = last.iter().zip(&keys).map(|(last, key)| concat(&[last, &key.slice(0, 1)]));
                partition(&both.collect::<Result<Vec<_>, _>>()?)?.len() == 1
            }
            None => false,
        };
        let mut numbers = Vec::with_capacity(rows);
        for (i, Range { start, end }) in partition(&keys)?.ranges().into_iter().enumerate() {
            let before = if i == 0 && goes_on { self.number } else { 0 };
            let of_range = (end - start) as u64;
            numbers.extend(before + 1..=before + of_range);
            self.number = before + of_range;
        }
        self.last = Some(keys.iter().map(|key| key.slice(rows - 1, 1)).collect());
        Ok(numbers.into())
    }
}
