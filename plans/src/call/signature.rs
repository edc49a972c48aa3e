//! [`Signature`]: what a procedure is called with; [`evaluate`]: the value of an argument.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::common::{DFSchema, Result, ScalarValue, TableReference, plan_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::ColumnarValue;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    Expr, ExprWithAlias, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Value,
};

use crate::query::warehouse_of;
use crate::runtime::find_table;
use crate::table::Warehouse;

/// Parameters that most procedures have.
pub(super) const TABLE: &str = "table";
pub(super) const DRY_RUN: &str = "dry_run";

/// Name and parameters of a procedure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature {
    pub name: &'static str,
    /// In their order, each with an argument as an example.
    pub parameters: &'static [(&'static str, &'static str)],
}

impl Signature {
    /// The arguments of a call with their parameters. Arguments are given in the order of the parameters, or by name.
    ///
    /// Errors: others than it takes, one given twice, one of `required` missing, which are named with what they are.
    pub fn arguments(self, call: Function, required: &[(&str, &str)]) -> Result<Vec<(&'static str, Expr)>> {
        if call.over.is_some() || call.filter.is_some() || call.null_treatment.is_some() {
            return plan_err!("{call} is no call; call it as {self}");
        }
        let list = match call.args {
            FunctionArguments::None => vec![],
            FunctionArguments::List(list) if list.clauses.is_empty() && list.duplicate_treatment.is_none() => list.args,
            other => return plan_err!("{}{other}: call it as {self}", self.name),
        };
        let mut found: Vec<(&'static str, Expr)> = vec![];
        for (position, argument) in list.into_iter().enumerate() {
            let (name, value) = self.named(position, argument)?;
            if found.iter().any(|(seen, _)| *seen == name) {
                return plan_err!("{}: {name} is given twice; call it as {self}", self.name);
            }
            found.push((name, value));
        }
        match required.iter().find(|(name, _)| found.iter().all(|(given, _)| given != name)) {
            Some((_, missing)) => plan_err!("{} needs {missing}; call it as {self}", self.name),
            None => Ok(found),
        }
    }

    /// The parameter that an argument is for.
    fn named(self, position: usize, argument: FunctionArg) -> Result<(&'static str, Expr)> {
        let (name, argument) = match argument {
            FunctionArg::Unnamed(argument) => (None, argument),
            FunctionArg::Named { name, arg, .. } => (Some(name.value), arg),
            FunctionArg::ExprNamed { name, arg, .. } => (Some(name.to_string()), arg),
        };
        let parameter = match &name {
            Some(name) => self.parameters.iter().find(|(parameter, _)| name.eq_ignore_ascii_case(parameter)),
            None => self.parameters.get(position),
        };
        match (parameter, argument) {
            (Some((parameter, _)), FunctionArgExpr::Expr(value)) => Ok((*parameter, value)),
            (Some(_), other) => plan_err!("{}: {other} is no argument; call it as {self}", self.name),
            (None, _) => match name {
                Some(name) => plan_err!("{} has no parameter {name}; call it as {self}", self.name),
                None => plan_err!("{} takes fewer arguments; call it as {self}", self.name),
            },
        }
    }

    /// An argument that is a table: its name, bare or as text.
    pub fn table(self, value: Expr) -> Result<TableReference> {
        let name = match value {
            Expr::Identifier(name) => vec![name],
            Expr::CompoundIdentifier(names) => names,
            Expr::Value(value) => match value.value {
                Value::SingleQuotedString(name) => vec![Ident::with_quote('"', name)],
                other => return plan_err!("{}: {other} is no table; call it as {self}", self.name),
            },
            other => return plan_err!("{}: {other} is no table; call it as {self}", self.name),
        };
        object_name_to_table_reference(ObjectName::from(name), true)
    }

    /// An argument that is true or false.
    pub fn flag(self, state: &SessionState, parameter: &str, value: Expr) -> Result<bool> {
        let written = value.to_string();
        match evaluate(state, value)? {
            ScalarValue::Boolean(Some(flag)) => Ok(flag),
            _ => plan_err!("{}: {parameter} is {written}, neither true nor false", self.name),
        }
    }

    /// The table of that name, and its warehouse.
    pub async fn warehouse(
        self,
        state: &SessionState,
        table: &TableReference,
    ) -> Result<(Arc<dyn TableProvider>, Warehouse)> {
        let called = self.name;
        let Some(found) = find_table(state, table).await? else {
            return plan_err!(
                "{called}: there is no table {table}; make it with CREATE EXTERNAL TABLE … STORED AS ICEBERG"
            );
        };
        match warehouse_of(&found) {
            Some(warehouse) => Ok((found, warehouse)),
            None => plan_err!(
                "{called}: table {table} is no warehouse; make it with CREATE EXTERNAL TABLE … STORED AS ICEBERG"
            ),
        }
    }
}

impl fmt::Display for Signature {
    /// How it is called.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let examples: Vec<&str> = self.parameters.iter().map(|(_, example)| *example).collect();
        write!(f, "{}({})", self.name, examples.join(", "))
    }
}

/// The value of an expression without columns.
pub(super) fn evaluate(state: &SessionState, expr: Expr) -> Result<ScalarValue> {
    let nothing = DFSchema::empty();
    let expr = state.create_logical_expr_from_sql_expr(ExprWithAlias { expr, alias: None }, &nothing)?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)?;
    match state.create_physical_expr(expr, &nothing)?.evaluate(&row)? {
        ColumnarValue::Scalar(value) => Ok(value),
        ColumnarValue::Array(values) => ScalarValue::try_from_array(&values, 0),
    }
}
