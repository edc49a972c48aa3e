//! What a scheduler may ask of an executor that polls for its tasks: to end some.

use std::sync::Arc;

use ballista_core::serde::protobuf::executor_grpc_server::ExecutorGrpc;
use ballista_core::serde::protobuf::{
    CancelTasksParams, CancelTasksResult, LaunchMultiTaskParams, LaunchMultiTaskResult, LaunchTaskParams,
    LaunchTaskResult, RemoveJobDataParams, RemoveJobDataResult, StopExecutorParams, StopExecutorResult,
};
use ballista_executor::executor::Executor;
use tonic::{Request, Response, Status};

use super::Cluster;

/// Ends tasks of jobs that were cancelled. Tasks and clean-ups come with the answers to polls.
pub struct ExecutorService {
    pub executor: Arc<Executor>,
    pub scheduler: Cluster,
}

fn by_polling() -> Status {
    Status::unimplemented("this executor polls for its tasks; run its scheduler with `earthcatalog scheduler`")
}

#[tonic::async_trait]
impl ExecutorGrpc for ExecutorService {
    async fn launch_task(&self, _: Request<LaunchTaskParams>) -> Result<Response<LaunchTaskResult>, Status> {
        Err(by_polling())
    }

    async fn launch_multi_task(
        &self,
        _: Request<LaunchMultiTaskParams>,
    ) -> Result<Response<LaunchMultiTaskResult>, Status> {
        Err(by_polling())
    }

    /// The scheduler took it for dead, which it is not: it goes on, and is known again with its next poll.
    async fn stop_executor(&self, _: Request<StopExecutorParams>) -> Result<Response<StopExecutorResult>, Status> {
        Ok(Response::new(StopExecutorResult {}))
    }

    async fn cancel_tasks(&self, tasks: Request<CancelTasksParams>) -> Result<Response<CancelTasksResult>, Status> {
        let mut cancelled = true;
        for task in tasks.into_inner().task_infos {
            // Of a job that goes on, the scheduler would end tasks whose stage another lost executor has set back; and then take
            // their end for a failure of the job. What they do is done again, and counts once.
            if self.scheduler.is_running(&task.job_id).await {
                cancelled = false;
                continue;
            }
            let ended = self.executor.cancel_task(task.job_id.into(), task.stage_id as usize, task.task_id as usize);
            cancelled &= ended.await.map_err(|e| Status::internal(e.to_string()))?;
        }
        Ok(Response::new(CancelTasksResult { cancelled }))
    }

    async fn remove_job_data(&self, _: Request<RemoveJobDataParams>) -> Result<Response<RemoveJobDataResult>, Status> {
        Err(by_polling())
    }
}
