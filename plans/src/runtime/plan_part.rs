//! [`plan_part`]: plans a part of a larger plan; [`runs_on_cluster`]: who runs the whole.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// Name of the rule that has a cluster run a whole plan.
pub const RUN_ON_CLUSTER: &str = "run_on_cluster";

/// Whether a cluster runs the plans of a session.
pub(crate) fn runs_on_cluster(session: &dyn Session) -> bool {
    let state = session.as_any().downcast_ref::<SessionState>();
    state.is_some_and(|state| state.physical_optimizers().iter().any(|rule| rule.name() == RUN_ON_CLUSTER))
}

/// Plans a part of a larger plan: whether a cluster runs it is for the whole to say.
pub(crate) async fn plan_part(session: &dyn Session, part: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let of_whole = |rule: &Arc<dyn PhysicalOptimizerRule + Send + Sync>| rule.name() == RUN_ON_CLUSTER;
    match session.as_any().downcast_ref::<SessionState>() {
        Some(state) if state.physical_optimizers().iter().any(of_whole) => {
            let rules = state.physical_optimizers().iter().filter(|rule| !of_whole(rule)).cloned().collect();
            let state = SessionStateBuilder::new_from_existing(state.clone()).with_physical_optimizer_rules(rules);
            state.build().create_physical_plan(part).await
        }
        _ => session.create_physical_plan(part).await,
    }
}
