//! `CALL`: procedures that clean a warehouse, take it back to an earlier state, or remove what is gone, as statements of SQL;
//! and `ALTER TABLE`.
//!
//! ```sql
//! CALL rewrite_manifests(items);
//! CALL expire_snapshots(items, '1h');
//! CALL remove_orphan_files(items, retain => '1h', dry_run => true);
//! CALL rollback(items, to => '2025-01-31');
//! CALL create_tag(items, '2025', at => '2025-12-31');
//! CALL remove_objects(items, gone, max_removed => '1%');
//! ALTER TABLE items ADD COLUMN "eo:cloud_cover" DOUBLE;
//! ```
//!
//! - [`plan_statement`]: a statement as a plan; DataFusion plans all but `CALL` and `ALTER TABLE`.
//! - [`Action`]: what can be called, with what: a [`Procedure`] that cleans, a [`ReferenceProcedure`], or a change of `columns`. `node` and `exec`
//!   are a call in a plan. It runs when the plan does, never when it is made, and so not under EXPLAIN. `signature` reads
//!   arguments.
//! - `remove_objects`: the procedure that is a plan of its own, a write and a commit.

mod action;
mod columns;
mod exec;
mod json_operators;
mod node;
mod precedence;
mod procedure;
mod references;
mod remove_objects;
mod signature;

pub use action::Action;
pub use columns::COLUMN_SCHEMA;
pub use exec::{CallExec, CallPlanner};
pub use node::Call;
pub use procedure::Procedure;
pub use references::{REFERENCE_SCHEMA, ReferenceProcedure};

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{ExplainOption, Extension, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Function, Statement as SqlStatement};

/// The logical plan of a statement, `CALL`, `ALTER TABLE` and `EXPLAIN` of them included.
pub async fn plan_statement(state: &SessionState, mut statement: Statement) -> Result<LogicalPlan> {
    json_operators::bind_json_operators(&mut statement);
    precedence::regroup(&mut statement);
    match statement {
        Statement::Statement(statement) => match *statement {
            SqlStatement::Call(function) => plan_call(state, function).await,
            SqlStatement::AlterTable(alter) => {
                let (change, table) = columns::change(&alter)?;
                let call = Call::of(state, Action::Alter(change), &table).await?;
                Ok(LogicalPlan::Extension(Extension { node: Arc::new(call) }))
            }
            other => state.statement_to_plan(Statement::Statement(Box::new(other))).await,
        },
        Statement::Explain(explain) if is_ours(&explain.statement) => {
            let format = match &explain.options.format {
                Some(format) => format.clone(),
                None => state.config_options().explain.format.clone(),
            };
            let option = ExplainOption::default().with_format(format);
            let option = option.with_verbose(explain.options.verbose).with_analyze(explain.options.analyze);
            let plan = Box::pin(plan_statement(state, *explain.statement)).await?;
            LogicalPlanBuilder::from(plan).explain_option_format(option)?.build()
        }
        other => state.statement_to_plan(other).await,
    }
}

/// As [`SessionContext::sql`], for one statement, which may be a `CALL`.
pub async fn sql(session: &SessionContext, text: &str) -> Result<DataFrame> {
    let state = session.state();
    let statement = state.sql_to_statement(text, &state.config_options().sql_parser.dialect)?;
    let plan = plan_statement(&state, statement).await?;
    session.execute_logical_plan(plan).await
}

/// Whether DataFusion has no plan for it.
fn is_ours(statement: &Statement) -> bool {
    let Statement::Statement(statement) = statement else { return false };
    matches!(statement.as_ref(), SqlStatement::Call(_) | SqlStatement::AlterTable(_))
}

async fn plan_call(state: &SessionState, function: Function) -> Result<LogicalPlan> {
    if function.name.to_string().eq_ignore_ascii_case(remove_objects::SIGNATURE.name) {
        return remove_objects::plan(state, function).await;
    }
    let call = Call::try_new(state, function).await?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(call) }))
}

#[cfg(test)]
mod column_tests;
#[cfg(test)]
mod tests;
