//! [`PlannedView`]: a view that is planned when somebody asks for it.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, SharedResult, exec_datafusion_err, internal_err};
use datafusion::datasource::TableType;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use futures::FutureExt;

/// A view by its statement over tables of the session that are in memory. Most questions are about other tables: to plan it
/// with each session would take a tenth of what a small question takes.
pub(super) struct PlannedView {
    sql: &'static str,
    /// That of the session, which owns the view; `None` once it has ended.
    state: Box<dyn Fn() -> Option<SessionState> + Send + Sync>,
    plan: OnceLock<SharedResult<LogicalPlan>>,
}

impl PlannedView {
    pub fn new(sql: &'static str, context: &SessionContext) -> Self {
        let state = Arc::downgrade(&context.state_ref());
        Self { sql, state: Box::new(move || Some(state.upgrade()?.read().clone())), plan: OnceLock::new() }
    }

    fn plan(&self) -> &SharedResult<LogicalPlan> {
        let plan = || {
            let state = (self.state)().ok_or_else(|| exec_datafusion_err!("the session has ended"))?;
            // The tables are in memory, and so at once at hand.
            match state.create_logical_plan(self.sql).now_or_never() {
                Some(planned) => planned,
                None => internal_err!("a view over tables that are not in memory"),
            }
        };
        self.plan.get_or_init(|| plan().map_err(Arc::new))
    }
}

impl fmt::Debug for PlannedView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannedView").field("sql", &self.sql).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for PlannedView {
    fn schema(&self) -> SchemaRef {
        // Without a plan there is no scan, which says why.
        self.plan().as_ref().map_or_else(|_| Arc::new(Schema::empty()), |plan| Arc::clone(plan.schema().inner()))
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        self.plan().as_ref().ok().map(Cow::Borrowed)
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = self.plan().clone().map_err(DataFusionError::Shared)?;
        let plan = match projection {
            Some(columns) => {
                let of: Vec<Expr> =
                    columns.iter().map(|i| Expr::Column(plan.schema().qualified_field(*i).into())).collect();
                LogicalPlanBuilder::from(plan).project(of)?.build()?
            }
            None => plan,
        };
        session.create_physical_plan(&plan).await
    }
}
