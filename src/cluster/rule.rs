//! [`attach`]: has a session of the head submit its plans.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinType, Result, plan_err};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::analyze::AnalyzeExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, replace_children_if_necessary};
use datafusion::prelude::SessionContext;
use earthcatalog_plans::checkpoint::{Checkpoints, RunFolder};
use earthcatalog_plans::run::CommitExec;
use earthcatalog_plans::runtime::RUN_ON_CLUSTER;
use earthcatalog_plans::scan::bucket_files::BucketScanExec;
use earthcatalog_plans::sink::WriteGeoParquetExec;
use earthcatalog_plans::source::StacExec;
use earthcatalog_plans::wire::knows_too_much;
use url::Url;

use super::settings::cluster_config;
use super::{Cluster, JobExec};

/// Has `session` run what reads or writes data on `cluster`. What asks for metadata, commits and plans stay
/// here.
pub fn attach(session: &SessionContext, cluster: &Arc<Cluster>) {
    let state = session.state_ref();
    let mut state = state.write();
    let config = cluster_config(state.config().clone())
        .with_target_partitions(cluster.slots().max(2))
        // There is one, with our schema.
        .with_create_default_catalog_and_schema(false);
    let builder = SessionStateBuilder::new_from_existing(state.clone()).with_config(config);
    *state = builder.with_physical_optimizer_rule(Arc::new(RunOnCluster(Arc::clone(cluster)))).build();
}

/// The last rule: by now the plan is one that runs.
#[derive(Debug)]
struct RunOnCluster(Arc<Cluster>);

impl PhysicalOptimizerRule for RunOnCluster {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if let Some(commit) = plan.downcast_ref::<CommitExec>() {
            if commit.target().commit_every.is_some() {
                return plan_err!(
                    "a run on a cluster commits one snapshot; leave out commit_every, or compact some of the buckets at a time"
                );
            }
            if let Some(leaf) = stays_here(&plan) {
                return plan_err!(
                    "{leaf} reads data that only this process has, so it cannot run on a cluster; leave out --cluster, or INSERT from tables of Items alone"
                );
            }
            let folder = RunFolder::new(commit.target().warehouse.url(), &commit.target().run)?.url().clone();
            let children = plan.children().into_iter().cloned();
            let jobs = children.map(|sink| self.job(in_job(sink, &folder), Some(folder.clone())));
            let jobs = jobs.collect::<Result<_>>()?;
            return replace_children_if_necessary(Arc::clone(&plan), jobs);
        }
        if plan.is::<AnalyzeExec>() {
            let children = plan.children().into_iter().cloned();
            let jobs = children.map(|input| self.optimize(input, &ConfigOptions::default())).collect::<Result<_>>()?;
            return replace_children_if_necessary(plan, jobs);
        }
        // With what only this process has, such as metadata, or an inventory of which a run is planned, it stays here.
        if reads_data(&plan) && stays_here(&plan).is_none() { self.job(plan, None) } else { Ok(plan) }
    }

    fn name(&self) -> &str {
        RUN_ON_CLUSTER
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl RunOnCluster {
    /// `plan` as a job. Its last stage is one task, so that what the tasks before it have left is fetched, and asked for
    /// again where that fails, before the job has ended.
    fn job(&self, plan: Arc<dyn ExecutionPlan>, folder: Option<Url>) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = plan.transform_up(probed_once)?.data;
        let is_sink = folder.is_some();
        let plan = match plan.output_partitioning().partition_count() {
            1 if !is_sink => plan,
            _ => Arc::new(CoalescePartitionsExec::new(plan)),
        };
        Ok(Arc::new(JobExec::try_new(plan, Arc::clone(&self.0), folder)?))
    }
}

/// A sink whose tasks are each done once, even if the cluster runs one twice.
fn in_job(sink: Arc<dyn ExecutionPlan>, folder: &Url) -> Arc<dyn ExecutionPlan> {
    match sink.downcast_ref::<WriteGeoParquetExec>() {
        Some(write) if write.target().checkpoints.is_none() => {
            let checkpoints = Checkpoints { folder: folder.clone(), staged: false, of_job: true };
            Arc::new(write.with_checkpoints(&write.target().run, checkpoints))
        }
        _ => sink,
    }
}

/// Whether anything below reads Items or their rows.
fn reads_data(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let operator = plan.as_ref();
    let scans_files = |scan: &DataSourceExec| scan.data_source().is::<FileScanConfig>();
    operator.is::<StacExec>()
        || operator.is::<BucketScanExec>()
        || operator.downcast_ref::<DataSourceExec>().is_some_and(scans_files)
        || plan.children().into_iter().any(reads_data)
}

/// The first operator that cannot be sent.
fn stays_here(plan: &Arc<dyn ExecutionPlan>) -> Option<&str> {
    let operator = plan.as_ref();
    let sent = operator.is::<StacExec>()
        || operator.is::<BucketScanExec>()
        || operator.is::<DataSourceExec>()
        || operator.is::<EmptyExec>()
        || operator.is::<PlaceholderRowExec>();
    if knows_too_much(plan.as_ref()) {
        return Some(plan.name());
    }
    match plan.children().as_slice() {
        [] => (!sent).then(|| plan.name()),
        children => children.iter().find_map(|child| stays_here(child)),
    }
}

/// A join that reads all of its left side in each task can tell only in one task which of its rows have no partner.
fn probed_once(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let operator = plan.as_ref();
    let join_type = match operator.downcast_ref::<NestedLoopJoinExec>() {
        Some(join) => Some(*join.join_type()),
        None => operator
            .downcast_ref::<HashJoinExec>()
            .filter(|join| *join.partition_mode() == PartitionMode::CollectLeft)
            .map(|join| *join.join_type()),
    };
    let tells_of_left = |join: JoinType| {
        matches!(join, JoinType::Left | JoinType::Full | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark)
    };
    match plan.children()[..] {
        [left, right] if join_type.is_some_and(tells_of_left) && right.output_partitioning().partition_count() > 1 => {
            let right = Arc::new(CoalescePartitionsExec::new(Arc::clone(right)));
            let children: Vec<Arc<dyn ExecutionPlan>> = vec![Arc::clone(left), right];
            Ok(Transformed::yes(replace_children_if_necessary(plan, children)?))
        }
        _ => Ok(Transformed::no(plan)),
    }
}
