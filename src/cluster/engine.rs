//! [`Engine`]: Ballista's way to run a task, with errors as a person reads them.

use std::fmt;
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::BallistaError;
use ballista_core::serde::protobuf::{RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport};
use ballista_executor::execution_engine::{DefaultExecutionEngine, ExecutionEngine, QueryStageExecutor};
use datafusion::arrow::error::ArrowError;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use datafusion::prelude::SessionConfig;
use earthcatalog_plans::runtime::{by_field_id, checked_scan};
use earthcatalog_plans::sink::WriteGeoParquetExec;

use super::watched::{FirstError, WatchedExec};

/// Ballista's writer of a task's output makes a text for debugging of any error. This engine keeps the error itself, and sends
/// the message that the head would have shown, between marks by which [`reason`] finds it.
pub struct Engine(DefaultExecutionEngine);

const START: &str = "earthcatalog says: ";
const END: &str = " :earthcatalog";

impl Engine {
    pub fn new() -> Self {
        Self(DefaultExecutionEngine::new())
    }
}

impl ExecutionEngine for Engine {
    fn create_query_stage_exec(
        &self,
        job_id: JobId,
        stage_id: usize,
        task_id: usize,
        partitions: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        work_dir: &str,
        config: &SessionConfig,
    ) -> Result<Arc<dyn QueryStageExecutor>> {
        let plan = by_field_id(checked_scan(numbered(plan, &partitions)?)?)?;
        let error = FirstError::default();
        // The root writes what the others yield.
        let inputs = plan.children().into_iter();
        let watched = inputs.map(|input| Arc::new(WatchedExec::new(Arc::clone(input), Arc::clone(&error))) as _);
        let watched = watched.collect();
        let plan = replace_children_if_necessary(plan, watched)?;
        let stage = self.0.create_query_stage_exec(job_id, stage_id, task_id, partitions, plan, work_dir, config)?;
        Ok(Arc::new(Stage { stage, error }))
    }
}

/// Tells the sink of a task, if there is one, which partitions of the whole plan it writes: it names its checkpoints by them.
fn numbered(plan: Arc<dyn ExecutionPlan>, partitions: &[usize]) -> Result<Arc<dyn ExecutionPlan>> {
    let tell = |operator: Arc<dyn ExecutionPlan>| match operator.downcast_ref::<WriteGeoParquetExec>() {
        Some(write) => {
            let write = Arc::new(write.with_numbers(partitions)?) as _;
            Ok(Transformed::new(write, true, TreeNodeRecursion::Stop))
        }
        None => Ok(Transformed::no(operator)),
    };
    Ok(plan.transform_down(tell)?.data)
}

#[derive(Debug)]
struct Stage {
    stage: Arc<dyn QueryStageExecutor>,
    error: FirstError,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stage.fmt(f)
    }
}

#[async_trait]
impl QueryStageExecutor for Stage {
    async fn execute_query_stage(
        &self,
        task_id: usize,
        context: Arc<TaskContext>,
    ) -> Result<Vec<ShuffleWritePartition>> {
        self.stage.execute_query_stage(task_id, context).await.map_err(|e| {
            let first = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
            readable(first.unwrap_or(e))
        })
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        self.stage.collect_plan_metrics()
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.stage.collect_runtime_stats_reports()
    }

    fn collect_window_state_reports(&self) -> Result<Vec<WindowStateReport>> {
        self.stage.collect_window_state_reports()
    }

    fn collect_column_stats(&self) -> Vec<TaskColumnStats> {
        self.stage.collect_column_stats()
    }
}

/// What Ballista treats in a way of its own stays so, and a lost result is one however deep it is wrapped: then its stage
/// runs again.
fn readable(error: DataFusionError) -> DataFusionError {
    if matches!(error, DataFusionError::IoError(_)) {
        return error;
    }
    match fetch_failed(&error) {
        Some(lost) => DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(lost))), None),
        None => DataFusionError::Execution(format!("{START}{}{END}", crate::reason::reason(&error))),
    }
}

fn fetch_failed(error: &DataFusionError) -> Option<BallistaError> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(BallistaError::FetchFailed(executor, stage, partition, reason)) = error.downcast_ref() {
            return Some(BallistaError::FetchFailed(executor.clone(), *stage, *partition, reason.clone()));
        }
        source = error.source();
    }
    None
}

/// Why a task failed, out of what Ballista makes of it.
pub fn reason(message: &str) -> String {
    let said = message.split_once(START).and_then(|(_, rest)| rest.split_once(END)).map(|(said, _)| said);
    match said {
        // It was printed for debugging once.
        Some(said) => serde_json::from_str(&format!("\"{said}\"")).unwrap_or_else(|_| said.to_owned()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_result_is_told_from_other_errors_however_it_is_wrapped() {
        let lost = || Box::new(BallistaError::FetchFailed("e1".into(), 1, 7, "gone".into()));
        let arrow = ArrowError::ExternalError(lost());
        for error in [
            DataFusionError::External(lost()).context("somewhere"),
            DataFusionError::External(Box::new(DataFusionError::ArrowError(Box::new(arrow), None))),
        ] {
            assert!(matches!(BallistaError::from(readable(error)), BallistaError::FetchFailed(..)));
        }
    }

    #[test]
    fn the_message_of_a_task_comes_through_as_it_was() {
        let text = "cannot fetch s3://b/\"x\": no\nway";
        let error = BallistaError::from(readable(DataFusionError::Execution(text.into())));
        let arrived =
            format!("Job failed due to stage 1 failed: Task failed due to runtime execution error: {error:?}\n");
        assert_eq!(reason(&arrived), text);
        assert_eq!(reason("something else"), "something else");
    }
}
