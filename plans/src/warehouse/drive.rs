//! Runs the partitions of a sink on the head's workers.

use std::num::NonZero;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{Stream, StreamExt, TryStreamExt};

use super::run_options::RunOptions;
use crate::part_file::{SinkRecord, decode};

/// Runs the partitions of `sink`, never more at once than the session wants; the records of each, as it ends.
pub(super) fn drive(
    sink: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
) -> impl Stream<Item = Result<(usize, Vec<SinkRecord>)>> + use<> {
    let config = context.session_config();
    let workers = config.options().extensions.get::<RunOptions>().and_then(|options| options.workers);
    let workers = workers.map_or(config.target_partitions(), NonZero::get);
    let partitions = sink.output_partitioning().partition_count();
    let (sink, context) = (Arc::clone(sink), Arc::clone(context));
    let run_partition = move |partition: usize| {
        let (sink, context) = (Arc::clone(&sink), Arc::clone(&context));
        async move {
            // On a task of its own, so that partitions use the cores; it ends with this future.
            let task = SpawnedTask::spawn(async move {
                let batches = sink.execute(partition, context)?;
                batches.map(|batch| decode(&batch?)).try_concat().await
            });
            let records = task.join_unwind().await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?;
            Ok((partition, records?))
        }
    };
    futures::stream::iter(0..partitions).map(run_partition).buffer_unordered(workers)
}
