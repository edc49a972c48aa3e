//! Finds an operator of a kind in a plan.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

/// The first operator of type `T`, from the root down.
pub(crate) fn find_operator<T: 'static>(plan: &Arc<dyn ExecutionPlan>) -> Option<&T> {
    let here = plan.as_any().downcast_ref::<T>();
    here.or_else(|| plan.children().into_iter().find_map(find_operator))
}
