//! Runs the partitions of a sink on the head's workers.

use std::sync::Arc;
use std::vec::IntoIter;

use datafusion::common::runtime::JoinSet;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{StreamExt, TryStreamExt};

use crate::model::part_file::{SinkRecord, decode};
use crate::runtime::{RunOptions, leaf_by_partition};
use crate::scan::bucket_files::BucketScanExec;
use crate::sink::removals;

/// The partitions of a sink, never more of them under way than the session wants.
pub(super) struct Partitions {
    sink: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    workers: usize,
    /// Not yet begun.
    waiting: IntoIter<usize>,
    /// Each on a task of its own, so that partitions use the cores.
    running: JoinSet<Result<(usize, Vec<SinkRecord>)>>,
}

/// A context in which no join waits for partitions that have not begun. A join tells what it reads of its keys once all of its
/// partitions know theirs (DataFusion's dynamic filters), and here one may begin when another one has ended.
fn without_filters_of_joins(context: &TaskContext) -> TaskContext {
    let mut config = context.session_config().clone();
    config.options_mut().optimizer.enable_join_dynamic_filter_pushdown = false;
    TaskContext::new(
        context.task_id(),
        context.session_id(),
        config,
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        context.runtime_env(),
    )
}

impl Partitions {
    pub fn of(sink: &Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Self {
        let in_order = || (0..sink.output_partitioning().partition_count()).collect();
        let longest_first = leaf_by_partition(sink).and_then(BucketScanExec::longest_first);
        Self {
            workers: RunOptions::workers_of(context.session_config()),
            waiting: longest_first.unwrap_or_else(in_order).into_iter(),
            sink: Arc::clone(sink),
            context: Arc::new(without_filters_of_joins(context)),
            running: JoinSet::new(),
        }
    }

    /// All of them.
    pub fn count(&self) -> usize {
        self.sink.output_partitioning().partition_count()
    }

    /// The records of the partition that ends next; `None` when all have ended.
    pub async fn next(&mut self) -> Result<Option<(usize, Vec<SinkRecord>)>> {
        while self.running.len() < self.workers
            && let Some(partition) = self.waiting.next()
        {
            let (sink, context) = (Arc::clone(&self.sink), Arc::clone(&self.context));
            self.running.spawn(async move {
                let batches = sink.execute(partition, context)?;
                Ok((partition, batches.map(|batch| decode(&batch?)).try_concat().await?))
            });
        }
        match self.running.join_next().await {
            Some(ended) => ended.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?.map(Some),
            None => Ok(None),
        }
    }

    /// Stops what is under way, and waits until its files are removed. The records of partitions that had ended before
    /// they could be stopped, and were not handed out yet.
    pub async fn stop(mut self) -> Vec<SinkRecord> {
        self.running.abort_all();
        let mut ended = vec![];
        while let Some(task) = self.running.join_next().await {
            if let Ok(Ok((_, records))) = task {
                ended.extend(records);
            }
        }
        removals().await;
        ended
    }
}
