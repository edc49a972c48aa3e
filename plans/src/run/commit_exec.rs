//! [`CommitExec`]: drives the partitions of a sink, and commits what they wrote.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use super::commit_node::{Commit, CommitTarget};
use super::stage::resumable;
use super::write_and_commit::write_and_commit;
use crate::checkpoint::{RunProgress, RunReport};
use crate::runtime::{RunOptions, find_operator, only_input};

/// Runs its input, a sink, partition by partition, at most as many at once as the session has target partitions, and
/// commits the files as one snapshot, or as one for each so many buckets where it replaces buckets. Output: one partition
/// with one row, `count`.
///
/// When anything fails before a commit, nothing of it becomes visible.
#[derive(Debug)]
pub struct CommitExec {
    input: Arc<dyn ExecutionPlan>,
    target: Arc<CommitTarget>,
    run: Arc<Run>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// What copies of one operator share: optimizer rules copy, and the caller keeps the original.
#[derive(Debug, Default)]
struct Run {
    progress: RunProgress,
    report: OnceLock<RunReport>,
}

impl CommitExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, target: Arc<CommitTarget>) -> Self {
        Self::with_run(input, target, Arc::default())
    }

    fn with_run(input: Arc<dyn ExecutionPlan>, target: Arc<CommitTarget>, run: Arc<Run>) -> Self {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("count", DataType::UInt64, false)]));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { input, target, run, properties: Arc::new(properties), metrics: ExecutionPlanMetricsSet::new() }
    }

    /// The commit in a plan, if there is one.
    pub fn find(plan: &Arc<dyn ExecutionPlan>) -> Option<&Self> {
        find_operator(plan)
    }

    /// What the run did; `None` before it has ended, and for one that failed.
    pub fn report(&self) -> Option<&RunReport> {
        self.run.report.get()
    }

    /// What the run has done so far.
    pub fn progress(&self) -> &RunProgress {
        &self.run.progress
    }

    pub fn target(&self) -> &Arc<CommitTarget> {
        &self.target
    }
}

impl DisplayAs for CommitExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitExec: ")?;
        self.target.describe(f)
    }
}

impl ExecutionPlan for CommitExec {
    fn name(&self) -> &str {
        "CommitExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    /// A partition is a unit of work, not of parallelism.
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
        let input = Arc::clone(only_input("CommitExec", &children)?);
        Ok(Arc::new(Self::with_run(input, Arc::clone(&self.target), Arc::clone(&self.run))))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("CommitExec has one partition, not {partition}");
        }
        if RunOptions::of(context.session_config().options()).dry_run {
            return plan_err!("nothing is written while earthcatalog.dry_run is true; EXPLAIN shows what would be");
        }
        let (input, target, run) = (Arc::clone(&self.input), Arc::clone(&self.target), Arc::clone(&self.run));
        let (schema, metrics) = (self.schema(), self.metrics.clone());
        let commit = async move {
            let report = write_and_commit(&input, &target, &run.progress, context).await?;
            let report = run.report.get_or_init(|| report);
            let count = |name: &'static str, n: u64| MetricBuilder::new(&metrics).global_counter(name).add(n as usize);
            MetricBuilder::new(&metrics).output_rows(partition).add(1);
            count("files", report.files);
            count("rows_committed", report.rows);
            count("items_committed", report.items);
            count("items_rejected", report.rejected.values().sum());
            let items = report.replaced.as_ref().and_then(|replaced| replaced.removed.or(replaced.updated));
            let rows = UInt64Array::from(vec![items.unwrap_or(report.rows)]);
            Ok(RecordBatch::try_new(schema, vec![Arc::new(rows)])?)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), futures::stream::once(commit))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Plans [`Commit`] as [`CommitExec`].
#[derive(Debug, Default)]
pub struct CommitPlanner;

#[async_trait]
impl ExtensionPlanner for CommitPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(commit) = node.as_any().downcast_ref::<Commit>() else { return Ok(None) };
        let input = only_input("Commit", inputs)?;
        let (input, target) = resumable(input, &commit.target).await?;
        Ok(Some(Arc::new(CommitExec::new(input, target))))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use arrow::array::AsArray;
    use arrow::datatypes::UInt64Type;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_plan::collect;
    use url::Url;

    use super::*;
    use crate::model::chunk::{ChunkCounts, ChunkId};
    use crate::model::part_file::{ChunkRecord, PartFile, SINK_SCHEMA, SinkRecord, encode};
    use crate::run::commit_node::Outcome;
    use crate::runtime::MaxRejects;
    use crate::table::Warehouse;
    use crate::table::testing::{Row, warehouse, write_part};

    /// A commit over a sink whose partitions deliver these records.
    fn commit(warehouse: &Warehouse, run: &str, most: Option<&str>, partitions: &[Vec<SinkRecord>]) -> CommitExec {
        let batches: Vec<_> = partitions.iter().map(|records| vec![encode(records).unwrap()]).collect();
        let sink = MemorySourceConfig::try_new_exec(&batches, SINK_SCHEMA.clone(), None).unwrap();
        CommitExec::new(sink, target(warehouse, run, most))
    }

    fn target(warehouse: &Warehouse, run: &str, most: Option<&str>) -> Arc<CommitTarget> {
        let max_rejects: Option<MaxRejects> = most.map(|most| most.parse().unwrap());
        let (warehouse, run) = (warehouse.clone(), run.to_owned());
        Arc::new(CommitTarget {
            warehouse,
            run,
            kind: None,
            max_rejects,
            outcome: Outcome::Append,
            keeps_newest: false,
            identity: None,
            commit_every: None,
        })
    }

    async fn execute(commit: CommitExec) -> (Result<u64>, Arc<dyn ExecutionPlan>) {
        let plan: Arc<dyn ExecutionPlan> = Arc::new(commit);
        let context = crate::session::session(2).unwrap().task_ctx();
        let result = collect(Arc::clone(&plan), context).await;
        let count = |batches: Vec<RecordBatch>| batches[0].column(0).as_primitive::<UInt64Type>().value(0);
        (result.map(count), plan)
    }

    fn part(warehouse: &Warehouse, name: &str) -> PartFile {
        write_part(warehouse, "81a", name, &[Row::new(name, Some((2020, 1, 1)))])
    }

    fn chunk(row: u64, rejected: u64) -> SinkRecord {
        let counts = ChunkCounts {
            listed: 10,
            items: 10 - rejected,
            rejected: [("missing".into(), rejected)].into(),
            ..Default::default()
        };
        let chunk = ChunkId { file: "inventory.csv".into(), rows: row..row + 10 };
        SinkRecord::Chunk(ChunkRecord {
            chunk,
            counts,
            committed: 10 - rejected,
            rejects: None,
            ingested: None,
            fan_out: [].into(),
            resumed: false,
        })
    }

    async fn snapshots(warehouse: &Warehouse) -> usize {
        warehouse.load().await.unwrap().metadata.snapshots().len()
    }

    #[tokio::test]
    async fn the_files_of_all_partitions_become_one_snapshot_with_the_counts_of_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let file = |name: &str| SinkRecord::Data(part(&warehouse, name));
        // More partitions than workers, one of them delivered twice, one without a file.
        let twice = vec![file("c"), chunk(20, 2)];
        let partitions = [vec![file("a"), file("b"), chunk(0, 0)], twice.clone(), twice, vec![chunk(30, 1)]];

        let (count, plan) = execute(commit(&warehouse, "r1", None, &partitions)).await;

        assert_eq!(count.unwrap(), 3);
        assert_eq!(snapshots(&warehouse).await, 1);
        let commit = CommitExec::find(&plan).unwrap();
        let report = commit.report().unwrap();
        assert_eq!((report.listed, report.items, report.rejected["missing"], report.files), (30, 27, 3, 3));
        let state = warehouse.load().await.unwrap();
        assert_eq!(report.snapshot, state.metadata.current_snapshot_id());
        assert_eq!(state.run_snapshot("r1"), report.snapshot);
        let summary = &state.metadata.current_snapshot().unwrap().summary().additional_properties;
        assert_eq!((summary["earthcatalog.listed"].as_str(), summary["total-records"].as_str()), ("30", "3"));
        assert_eq!(commit.progress().partitions_done.load(Ordering::Relaxed), 4);
        assert_eq!(plan.metrics().unwrap().output_rows(), Some(1));
    }

    #[tokio::test]
    async fn a_run_that_wrote_nothing_commits_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let (count, plan) = execute(commit(&warehouse, "r1", None, &[vec![chunk(0, 10)], vec![]])).await;
        assert_eq!(count.unwrap(), 0);
        assert_eq!(snapshots(&warehouse).await, 0);
        let report = CommitExec::find(&plan).unwrap().report().unwrap();
        assert_eq!((report.snapshot, report.listed), (None, 10));
    }

    #[tokio::test]
    async fn too_many_rejects_stop_the_run_and_take_its_files_back() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        for most in ["3", "19.9%"] {
            let written = part(&warehouse, "a");
            let path = Url::parse(&written.path).unwrap().to_file_path().unwrap();
            let partitions = [vec![SinkRecord::Data(written), chunk(0, 4)], vec![chunk(10, 0)]];
            let (count, plan) = execute(commit(&warehouse, "r1", Some(most), &partitions)).await;
            let error = count.unwrap_err().to_string();
            assert!(error.contains("4 of") && error.contains(&format!("max_rejects is {most}")), "{error}");
            assert_eq!(snapshots(&warehouse).await, 0);
            assert!(!path.exists());
            assert!(CommitExec::find(&plan).unwrap().report().is_none());
        }
        let enough = [vec![SinkRecord::Data(part(&warehouse, "a")), chunk(0, 4)], vec![chunk(10, 0)]];
        execute(commit(&warehouse, "r1", Some("20%"), &enough)).await.0.unwrap();
    }

    #[tokio::test]
    async fn a_partition_that_fails_leaves_nothing_visible_and_no_file_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let written = part(&warehouse, "a");
        let path = Url::parse(&written.path).unwrap().to_file_path().unwrap();
        // Given a second partition with a record of nothing, which cannot be decoded,
        let nothing = RecordBatch::try_new(
            SINK_SCHEMA.clone(),
            SINK_SCHEMA.fields().iter().map(|field| arrow::array::new_null_array(field.data_type(), 1)).collect(),
        );
        let partitions = [vec![encode(&[SinkRecord::Data(written)]).unwrap()], vec![nothing.unwrap()]];
        let sink = MemorySourceConfig::try_new_exec(&partitions, SINK_SCHEMA.clone(), None).unwrap();
        let commit = CommitExec::new(sink, target(&warehouse, "r1", None));
        let (count, _) = execute(commit).await;
        assert!(count.is_err());
        assert_eq!(snapshots(&warehouse).await, 0);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_run_that_was_committed_before_is_not_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let first = [vec![SinkRecord::Data(part(&warehouse, "a"))]];
        execute(commit(&warehouse, "r1", None, &first)).await.0.unwrap();
        let (again, plan) =
            execute(commit(&warehouse, "r1", None, &[vec![SinkRecord::Data(part(&warehouse, "b"))]])).await;
        let error = again.unwrap_err().to_string();
        assert!(error.contains("already has run r1"), "{error}");
        assert_eq!(CommitExec::find(&plan).unwrap().progress().files.load(Ordering::Relaxed), 0);
    }
}
