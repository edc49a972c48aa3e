//! [`JobExec`]: runs its input on a cluster, as one job.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use ballista_core::execution_plans::DistributedQueryExec;
use ballista_core::extension::SessionConfigExt;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use datafusion_proto::protobuf::LogicalPlanNode;
use earthcatalog_plans::find_operator;
use earthcatalog_plans::runtime::only_input;
use earthcatalog_plans::stores::stores;
use earthcatalog_plans::wire::{Planned, sliced};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use tokio::task::JoinHandle;
use url::Url;

use super::engine::reason;
use super::{Cluster, ClusterError, codec};

/// How often a running job is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// The same, of a job of many tasks, each of which is in the answer.
const LOOK_AT_MANY: Duration = Duration::from_secs(5);
const MANY: u64 = 5_000;

/// How often it is looked whether jobs are dropped, and how long they may take to be cancelled.
const DROPPED: Duration = Duration::from_millis(5);
const CANCELLED: Duration = Duration::from_secs(10);

/// Runs its input, a plan of one partition, on a cluster, and hands on what that yields.
///
/// When the stream is dropped before its end, the job is cancelled; [`cancellations`] waits for that. Errors: no executor
/// for too long, a task that failed, a scheduler that is gone.
#[derive(Debug)]
pub struct JobExec {
    input: Arc<dyn ExecutionPlan>,
    cluster: Arc<Cluster>,
    /// Where lists of chunks and buckets go, which are too large for a message; ends in `/`.
    folder: Option<Url>,
    progress: Arc<JobProgress>,
    metrics: ExecutionPlanMetricsSet,
}

/// Tasks of a job: at least those of its partitions and the last one that gathers them; more where it shuffles.
#[derive(Debug, Default)]
pub struct JobProgress {
    pub tasks: AtomicU64,
    pub tasks_done: AtomicU64,
}

impl JobExec {
    pub fn try_new(input: Arc<dyn ExecutionPlan>, cluster: Arc<Cluster>, folder: Option<Url>) -> Result<Self> {
        let partitions = input.properties().output_partitioning().partition_count();
        if partitions != 1 {
            return internal_err!("a job ends in one partition, and not in {partitions}");
        }
        let gathered = input.children().first().map_or(0, |input| input.output_partitioning().partition_count());
        let progress = JobProgress { tasks: AtomicU64::new(gathered as u64 + 1), tasks_done: AtomicU64::new(0) };
        let (progress, metrics) = (Arc::new(progress), ExecutionPlanMetricsSet::new());
        Ok(Self { input, cluster, folder, progress, metrics })
    }

    /// The job in a plan, if there is one.
    pub fn find(plan: &Arc<dyn ExecutionPlan>) -> Option<&Self> {
        find_operator(plan)
    }

    pub fn progress(&self) -> &Arc<JobProgress> {
        &self.progress
    }
}

impl DisplayAs for JobExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::TreeRender => write!(f, "cluster={}", self.cluster.address()),
            _ => write!(f, "JobExec: cluster={}", self.cluster.address()),
        }
    }
}

impl ExecutionPlan for JobExec {
    fn name(&self) -> &str {
        "JobExec"
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
        let input = Arc::clone(only_input("JobExec", &children)?);
        let progress = Arc::clone(&self.progress);
        let new = Self::try_new(input, Arc::clone(&self.cluster), self.folder.clone())?;
        Ok(Arc::new(Self { progress, ..new }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("JobExec has one partition, not {partition}");
        }
        let (input, folder) = (Arc::clone(&self.input), self.folder.clone());
        let (cluster, progress) = (Arc::clone(&self.cluster), Arc::clone(&self.progress));
        let (rows, bytes) = (
            MetricBuilder::new(&self.metrics).output_rows(0),
            MetricBuilder::new(&self.metrics).counter("bytes_received", 0),
        );
        let submit = async move {
            let (plan, objects) = sliced(&input, folder.as_ref()).await?;
            // Their removal is the guard's business from now on.
            let mut job = Job::new(cluster, objects);
            let config = context.session_config().ballista_config();
            let query = DistributedQueryExec::<LogicalPlanNode>::with_extension(
                job.cluster.address().http(),
                config,
                Planned::try_new(plan)?.into_logical(),
                codec::logical(),
                context.session_id(),
            );
            let query = Arc::new(query);
            job.query = Some(Arc::clone(&query));
            let answer = query.execute(0, context)?.boxed();
            let watch = Watch::start(&job, query, progress);
            Ok::<_, DataFusionError>(stream::try_unfold((job, answer, watch), next))
        };
        let batches = stream::once(submit).try_flatten().inspect_ok(move |batch: &RecordBatch| {
            rows.add(batch.num_rows());
            bytes.add(batch.get_array_memory_size());
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

type State = (Job, BoxStream<'static, Result<RecordBatch>>, Watch);

async fn next((mut job, mut answer, mut watch): State) -> Result<Option<(RecordBatch, State)>> {
    tokio::select! {
        batch = answer.next() => match batch {
            Some(Ok(batch)) => Ok(Some((batch, (job, answer, watch)))),
            Some(Err(error)) => Err(job.failed(&error).await),
            None => {
                job.end().await;
                Ok(None)
            }
        },
        lost = &mut watch.task => Err(match lost {
            Ok(error) => error.into(),
            Err(e) => DataFusionError::ExecutionJoin(Box::new(e)),
        }),
    }
}

/// A job that was submitted; cancelled when it is dropped before its end.
struct Job {
    cluster: Arc<Cluster>,
    query: Option<Arc<DistributedQueryExec<LogicalPlanNode>>>,
    /// What its plan names; nobody needs them after it.
    objects: Vec<Url>,
    ended: bool,
}

impl Job {
    fn new(cluster: Arc<Cluster>, objects: Vec<Url>) -> Self {
        JOBS.fetch_add(1, Ordering::SeqCst);
        Self { cluster, query: None, objects, ended: false }
    }

    async fn end(&mut self) {
        self.ended = true;
        remove(std::mem::take(&mut self.objects)).await;
    }

    /// `error` of the client, as an error of ours; ends the job.
    async fn failed(&mut self, error: &DataFusionError) -> DataFusionError {
        let address = self.cluster.address().clone();
        let reason = reason(&crate::reason::reason(error));
        // A scheduler that is there says what it knows.
        let error = match (self.query.as_ref().and_then(|query| query.job_id()), self.cluster.executors().await) {
            (_, Err(gone)) => gone,
            (Some(job), Ok(_)) => ClusterError::Job { address, job: job.to_string(), reason },
            (None, Ok(_)) => ClusterError::Job { address, job: "not accepted".to_owned(), reason },
        };
        self.end().await;
        error.into()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let objects = std::mem::take(&mut self.objects);
        let job = self.query.as_ref().and_then(|query| query.job_id()).filter(|_| !self.ended);
        let cluster = Arc::clone(&self.cluster);
        let cancelled = async move {
            if let Some(job) = job {
                // One that cannot be cancelled ends by itself.
                drop(cluster.cancel(job.as_str()).await);
            }
            remove(objects).await;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let task = runtime.spawn(cancelled);
            CANCELLATIONS.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        }
        JOBS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Jobs that are neither ended nor dropped.
static JOBS: AtomicU64 = AtomicU64::new(0);

/// Under way, from jobs that were dropped.
static CANCELLATIONS: Mutex<Vec<JoinHandle<()>>> = Mutex::new(vec![]);

/// Waits until the jobs that were dropped are cancelled, for some seconds at most; to be called before the process ends.
pub async fn cancellations() {
    let cancelled = async {
        // A job in a task that is aborted is dropped when the task is next looked at.
        while JOBS.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(DROPPED).await;
        }
        let under_way = std::mem::take(&mut *CANCELLATIONS.lock().unwrap_or_else(PoisonError::into_inner));
        for task in under_way {
            // What failed was not to be cancelled.
            drop(task.await);
        }
    };
    drop(tokio::time::timeout(CANCELLED, cancelled).await);
}

/// Removes objects of a job. What stays goes with the clean-up of the run's folder.
async fn remove(objects: Vec<Url>) {
    for url in objects {
        if let Ok((store, path)) = stores().locate(&url) {
            drop(store.delete(&path).await);
        }
    }
}

/// Looks at a job while it runs: how far it is, and whether anybody is there to run it.
struct Watch {
    task: Pin<Box<JoinHandle<ClusterError>>>,
}

impl Watch {
    fn start(job: &Job, query: Arc<DistributedQueryExec<LogicalPlanNode>>, progress: Arc<JobProgress>) -> Self {
        let cluster = Arc::clone(&job.cluster);
        let task = tokio::spawn(async move {
            let mut alone = None;
            loop {
                let many = progress.tasks.load(Ordering::Relaxed) > MANY;
                tokio::time::sleep(if many { LOOK_AT_MANY } else { LOOK }).await;
                // Where the scheduler does not answer, the client finds out.
                match cluster.executors().await {
                    Ok(executors) if executors.is_empty() => {
                        let since = alone.get_or_insert_with(tokio::time::Instant::now);
                        if since.elapsed() >= cluster.patience() {
                            return cluster.no_executors("what is done is kept, where the run can be resumed");
                        }
                    }
                    Ok(_) => alone = None,
                    Err(_) => continue,
                }
                if let Some(job) = query.job_id()
                    && let Ok(stages) = cluster.stages(job.as_str()).await
                {
                    // The scheduler lists the tasks that it has begun.
                    let tasks = || stages.stages.iter().flat_map(|stage| &stage.tasks);
                    let done = tasks().flatten().filter(|task| task.is_done()).count();
                    progress.tasks.fetch_max(tasks().count() as u64, Ordering::Relaxed);
                    progress.tasks_done.store(done as u64, Ordering::Relaxed);
                }
            }
        });
        Self { task: Box::pin(task) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
