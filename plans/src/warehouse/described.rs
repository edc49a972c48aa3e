//! [`Described`]: a data source that says in `EXPLAIN` what was pruned before it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::source::{DataSource, DataSourceExec};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{
    DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, SortOrderPushdownResult,
};

/// A data source with a note in front of its `EXPLAIN` line.
///
/// `as_any` is the inner source's: rules and codecs that look for a file scan find it, and lose but the note.
#[derive(Debug)]
struct Described {
    inner: Arc<dyn DataSource>,
    note: Arc<str>,
}

/// `plan` with `note` in its `EXPLAIN` line, if it is a scan.
pub(super) fn describe(plan: Arc<dyn ExecutionPlan>, note: String) -> Arc<dyn ExecutionPlan> {
    match plan.as_any().downcast_ref::<DataSourceExec>() {
        Some(scan) => {
            let described = Described { inner: Arc::clone(scan.data_source()), note: note.into() };
            Arc::new(scan.clone().with_data_source(Arc::new(described)))
        }
        None => plan,
    }
}

impl Described {
    fn again(&self, inner: Arc<dyn DataSource>) -> Arc<dyn DataSource> {
        Arc::new(Self { inner, note: Arc::clone(&self.note) })
    }
}

impl DataSource for Described {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "{}, ", self.note)?,
            DisplayFormatType::TreeRender => writeln!(f, "{}", self.note)?,
        }
        self.inner.fmt_as(t, f)
    }

    fn as_any(&self) -> &dyn Any {
        self.inner.as_any()
    }

    fn open(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.inner.open(partition, context)
    }

    fn repartitioned(
        &self,
        target: usize,
        min_size: usize,
        ordering: Option<LexOrdering>,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        Ok(self.inner.repartitioned(target, min_size, ordering)?.map(|inner| self.again(inner)))
    }

    fn output_partitioning(&self) -> Partitioning {
        self.inner.output_partitioning()
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        self.inner.eq_properties()
    }

    fn scheduling_type(&self) -> SchedulingType {
        self.inner.scheduling_type()
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Statistics> {
        self.inner.partition_statistics(partition)
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        self.inner.with_fetch(limit).map(|inner| self.again(inner))
    }

    fn fetch(&self) -> Option<usize> {
        self.inner.fetch()
    }

    fn metrics(&self) -> ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn DataSource>>> {
        Ok(self.inner.try_swapping_with_projection(projection)?.map(|inner| self.again(inner)))
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn DataSource>>> {
        let pushed = self.inner.try_pushdown_filters(filters, config)?;
        let updated_node = pushed.updated_node.map(|inner| self.again(inner));
        Ok(FilterPushdownPropagation { filters: pushed.filters, updated_node })
    }

    fn try_pushdown_sort(&self, order: &[PhysicalSortExpr]) -> Result<SortOrderPushdownResult<Arc<dyn DataSource>>> {
        self.inner.try_pushdown_sort(order)?.try_map(|inner| Ok(self.again(inner)))
    }

    fn with_preserve_order(&self, preserve: bool) -> Option<Arc<dyn DataSource>> {
        self.inner.with_preserve_order(preserve).map(|inner| self.again(inner))
    }
}
