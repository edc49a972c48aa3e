//! [`WatchedExec`]: hands on what its input yields, and keeps its error.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use earthcatalog_plans::runtime::only_input;
use futures::StreamExt;

/// The first error of a task's plan.
pub(super) type FirstError = Arc<Mutex<Option<DataFusionError>>>;

/// Below the root of a task's plan. It has no metrics: the scheduler, which knows nothing of it, tells those of the others by
/// their order.
#[derive(Debug)]
pub struct WatchedExec {
    input: Arc<dyn ExecutionPlan>,
    error: FirstError,
}

impl WatchedExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, error: FirstError) -> Self {
        Self { input, error }
    }
}

fn keep(first: &FirstError, error: DataFusionError) -> DataFusionError {
    let text = DataFusionError::Execution(error.to_string());
    first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    text
}

impl DisplayAs for WatchedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WatchedExec")
    }
}

impl ExecutionPlan for WatchedExec {
    fn name(&self) -> &str {
        "WatchedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = Arc::clone(only_input("WatchedExec", &children)?);
        Ok(Arc::new(Self::new(input, Arc::clone(&self.error))))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let error = Arc::clone(&self.error);
        let batches = self.input.execute(partition, context).map_err(|e| keep(&error, e))?;
        let batches = batches.map(move |batch| batch.map_err(|e| keep(&error, e)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}
