//! [`Call`]: a call in a logical plan.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use datafusion::common::{DFSchema, DFSchemaRef, Result, TableReference};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::sql::sqlparser::ast::Function;

use super::action::Action;
use crate::table::Warehouse;

/// Calls a procedure. Output: one row with what it did, or none where it had nothing to do.
#[derive(Debug, Clone)]
pub struct Call {
    pub action: Action,
    pub warehouse: Warehouse,
    schema: DFSchemaRef,
}

impl Call {
    /// Errors: no such procedure, other arguments than it takes, a table that is none of a warehouse.
    pub(super) async fn try_new(state: &SessionState, function: Function) -> Result<Self> {
        let (action, table) = Action::parse(state, function)?;
        Self::of(state, action, &table).await
    }

    /// Errors: the table is none of a warehouse.
    pub(super) async fn of(state: &SessionState, action: Action, table: &TableReference) -> Result<Self> {
        let (_, warehouse) = action.signature().warehouse(state, table).await?;
        let schema = DFSchema::try_from(action.schema())?.into();
        Ok(Self { action, warehouse, schema })
    }

    fn key(&self) -> (&Action, &str) {
        (&self.action, self.warehouse.url().as_str())
    }
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for Call {
    /// Calls have no order.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for Call {
    fn name(&self) -> &str {
        "Call"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call: {}", self.action)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}
