//! [`Call`]: a call in a logical plan.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::sql::sqlparser::ast::Function;

use super::procedure::Procedure;
use crate::maintenance::ExpireOptions;
use crate::table::Warehouse;
use crate::table::catalog::{NAMESPACE, TABLE};

/// Calls a procedure. Output: one row with what it did.
#[derive(Debug, Clone)]
pub struct Call {
    pub procedure: Procedure,
    pub warehouse: Warehouse,
    pub options: ExpireOptions,
    schema: DFSchemaRef,
}

impl Call {
    /// Errors: no such procedure, other arguments than it takes, a table that is none of a warehouse.
    pub(super) async fn try_new(state: &SessionState, function: Function) -> Result<Self> {
        let procedure = Procedure::of(&function.name)?;
        let arguments = procedure.arguments(state, function)?;
        let (_, warehouse) = procedure.signature().warehouse(state, &arguments.table).await?;
        let schema = DFSchema::try_from(procedure.schema())?.into();
        Ok(Self { procedure, warehouse, options: arguments.options, schema })
    }

    /// What the node and its operator say in EXPLAIN.
    pub(super) fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, table={NAMESPACE}.{TABLE}", self.procedure.name())?;
        if self.procedure.retains() {
            match self.options.retain {
                Some(retain) => write!(f, ", retain={}", humantime::format_duration(retain))?,
                None => write!(f, ", retain=the table's")?,
            }
        }
        write!(f, ", dry_run={}", self.options.dry_run)
    }

    fn key(&self) -> (Procedure, &str, ExpireOptions) {
        (self.procedure, self.warehouse.url().as_str(), self.options)
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
        let (procedure, warehouse, options) = self.key();
        (procedure, warehouse, options.retain, options.dry_run).hash(state);
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
        write!(f, "Call: ")?;
        self.describe(f)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}
