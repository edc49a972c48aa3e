//! [`DescribedScan`]: a scan of files that says in `EXPLAIN` what was pruned before it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_plan::filter_pushdown::{ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties, ReplaceChildrenOptions,
    SortOrderPushdownResult, StatisticsArgs,
};

/// A [`DataSourceExec`] with a note in front of its `EXPLAIN` line.
///
/// To rules and codecs it is the scan itself ([`ExecutionPlan::downcast_delegate`]): what they make of it is the same, and
/// loses at most the note.
#[derive(Debug)]
struct DescribedScan {
    scan: Arc<dyn ExecutionPlan>,
    note: Arc<str>,
}

/// `plan` with `note` in its `EXPLAIN` line, if it is a scan of files.
pub(super) fn describe(plan: Arc<dyn ExecutionPlan>, note: String) -> Arc<dyn ExecutionPlan> {
    match plan.is::<DataSourceExec>() {
        true => Arc::new(DescribedScan { scan: plan, note: note.into() }),
        false => plan,
    }
}

impl DescribedScan {
    /// The same note on what took the place of the scan.
    fn described(&self, scan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        match scan.is::<DataSourceExec>() {
            true => Arc::new(Self { scan, note: Arc::clone(&self.note) }),
            false => scan,
        }
    }
}

impl DisplayAs for DescribedScan {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "DataSourceExec: {}, ", self.note)?,
            DisplayFormatType::TreeRender => writeln!(f, "{}", self.note)?,
        }
        match self.scan.downcast_ref::<DataSourceExec>() {
            Some(scan) => scan.data_source().fmt_as(t, f),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for DescribedScan {
    fn name(&self) -> &str {
        self.scan.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.scan.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.scan.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.scan.apply_expressions(f)
    }

    fn repartitioned(&self, target: usize, config: &ConfigOptions) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        Ok(self.scan.repartitioned(target, config)?.map(|scan| self.described(scan)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.scan.execute(partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.scan.metrics()
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        self.scan.statistics_from_inputs(inputs, args)
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        self.scan.with_fetch(limit).map(|scan| self.described(scan))
    }

    fn fetch(&self) -> Option<usize> {
        self.scan.fetch()
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        Ok(self.scan.try_swapping_with_projection(projection)?.map(|scan| self.described(scan)))
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let pushed = self.scan.handle_child_pushdown_result(phase, result, config)?;
        let updated_node = pushed.updated_node.map(|scan| self.described(scan));
        Ok(FilterPushdownPropagation { filters: pushed.filters, updated_node })
    }

    fn try_pushdown_sort(&self, order: &[PhysicalSortExpr]) -> Result<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        self.scan.try_pushdown_sort(order)?.try_map(|scan| Ok(self.described(scan)))
    }

    fn with_preserve_order(&self, preserve: bool) -> Option<Arc<dyn ExecutionPlan>> {
        self.scan.with_preserve_order(preserve).map(|scan| self.described(scan))
    }

    fn with_new_state(&self, state: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn ExecutionPlan>> {
        self.scan.with_new_state(state).map(|scan| self.described(scan))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self.described(Arc::clone(&self.scan).reset_state()?))
    }
}
