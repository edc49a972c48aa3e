//! [`plan_part`]: plans a part of a larger plan; [`plan_here`]: plans what this process runs; [`plan_look_up`]: plans a
//! question about a few Items; [`runs_on_cluster`]: who runs the whole.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::config::ConfigOptions;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::filter_pushdown::FilterPushdown;
use datafusion::physical_plan::ExecutionPlan;

/// Name of the rule that has a cluster run a whole plan.
pub const RUN_ON_CLUSTER: &str = "run_on_cluster";

/// Whether a cluster runs the plans of a session.
pub(crate) fn runs_on_cluster(session: &dyn Session) -> bool {
    let state = session.as_any().downcast_ref::<SessionState>();
    state.is_some_and(|state| state.physical_optimizers().iter().any(|rule| rule.name() == RUN_ON_CLUSTER))
}

/// Plans a part of a larger plan, to which the rules for physical plans are still to be applied.
///
/// One of them is not to be applied twice: it has a join tell one of its sides what the other holds, and then no rule may
/// choose the sides any more. The others may: a part is a plan that could be run, as the planner checks.
pub(crate) async fn plan_part(session: &dyn Session, part: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let last = FilterPushdown::new_post_optimization();
    let rule = |rule: &Rule| match rule.name() {
        RUN_ON_CLUSTER => Some(Arc::new(RunsOnCluster) as Rule),
        name => (name != last.name()).then(|| Arc::clone(rule)),
    };
    plan_with(session, part, rule).await
}

/// Plans what this process runs, whoever runs the other plans of the session.
pub(crate) async fn plan_here(session: &dyn Session, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    plan_with(session, plan, |rule| (rule.name() != RUN_ON_CLUSTER).then(|| Arc::clone(rule))).await
}

/// As [`plan_here`], of a question whose joins have one small side: that one is held in memory, also where the session's own
/// joins are to sort, as those of long inventories do.
pub(crate) async fn plan_look_up(session: &dyn Session, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(state) = session.as_any().downcast_ref::<SessionState>() else { return plan_here(session, plan).await };
    let mut state = SessionStateBuilder::new_from_existing(state.clone());
    if let Some(config) = state.config() {
        config.options_mut().optimizer.prefer_hash_join = true;
    }
    plan_here(&state.build(), plan).await
}

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// Says to the tables in a part of a plan that a cluster will run the whole ([`runs_on_cluster`]), and changes nothing.
#[derive(Debug)]
struct RunsOnCluster;

impl PhysicalOptimizerRule for RunsOnCluster {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(plan)
    }

    fn name(&self) -> &str {
        RUN_ON_CLUSTER
    }

    fn schema_check(&self) -> bool {
        true
    }
}

async fn plan_with(
    session: &dyn Session,
    plan: &LogicalPlan,
    in_place_of: impl Fn(&Rule) -> Option<Rule>,
) -> Result<Arc<dyn ExecutionPlan>> {
    match session.as_any().downcast_ref::<SessionState>() {
        Some(state) => {
            let rules = state.physical_optimizers().iter().filter_map(in_place_of).collect();
            let state = SessionStateBuilder::new_from_existing(state.clone()).with_physical_optimizer_rules(rules);
            state.build().create_physical_plan(plan).await
        }
        None => session.create_physical_plan(plan).await,
    }
}
