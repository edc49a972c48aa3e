//! [`Action`]: what a call does.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, TableReference, plan_err};
use datafusion::execution::SessionState;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::Function;

use super::columns::{self, COLUMN_SCHEMA};
use super::procedure::Procedure;
use super::references::{self, REFERENCE_SCHEMA, ReferenceProcedure};
use super::remove_objects;
use super::signature::Signature;
use crate::maintenance::ExpireOptions;
use crate::table::catalog::{NAMESPACE, TABLE};
use crate::table::references::ReferenceChange;
use crate::table::{ColumnChange, Warehouse};

/// A procedure with its arguments, or a change of columns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    Clean { procedure: Procedure, options: ExpireOptions },
    Refer { procedure: ReferenceProcedure, change: ReferenceChange, dry_run: bool },
    Alter(ColumnChange),
}

impl Action {
    /// What a call asks for, and of which table.
    ///
    /// Errors: no such procedure, other arguments than it takes.
    pub(super) fn parse(state: &SessionState, call: Function) -> Result<(Self, TableReference)> {
        let name = object_name_to_table_reference(call.name.clone(), true)?.to_string();
        if let Some(procedure) = Procedure::ALL.into_iter().find(|known| known.signature().name == name) {
            let (table, options) = procedure.arguments(state, call)?;
            return Ok((Self::Clean { procedure, options }, table));
        }
        if let Some(procedure) = ReferenceProcedure::ALL.into_iter().find(|known| known.signature().name == name) {
            let (table, change, dry_run) = procedure.arguments(state, call)?;
            return Ok((Self::Refer { procedure, change, dry_run }, table));
        }
        let known = Procedure::ALL.into_iter().map(Procedure::signature);
        let known = known.chain(ReferenceProcedure::ALL.map(ReferenceProcedure::signature));
        let known = known.chain([remove_objects::SIGNATURE]).map(|signature| signature.to_string());
        plan_err!("there is no procedure {name}; there are {}", known.collect::<Vec<_>>().join(", "))
    }

    pub(super) fn signature(&self) -> Signature {
        match self {
            Self::Clean { procedure, .. } => procedure.signature(),
            Self::Refer { procedure, .. } => procedure.signature(),
            Self::Alter(_) => columns::SIGNATURE,
        }
    }

    /// Columns of what a call yields.
    pub fn schema(&self) -> SchemaRef {
        match self {
            Self::Clean { procedure, .. } => procedure.schema(),
            Self::Refer { .. } => Arc::clone(&REFERENCE_SCHEMA),
            Self::Alter(_) => Arc::clone(&COLUMN_SCHEMA),
        }
    }

    /// Does it; with `dry_run`, or where the call says so itself, only says what it would do.
    pub(super) async fn run(&self, warehouse: &Warehouse, dry_run: bool) -> Result<RecordBatch> {
        match self {
            Self::Clean { procedure, options } => {
                let options = ExpireOptions { dry_run: options.dry_run || dry_run, ..*options };
                let summary = procedure.run(warehouse, &options).await?;
                let value = |n: u64| Arc::new(UInt64Array::from(vec![n])) as ArrayRef;
                let values = procedure.values(&summary).into_iter().map(value).collect();
                Ok(RecordBatch::try_new(self.schema(), values)?)
            }
            Self::Refer { change, dry_run: said, .. } => {
                references::rows(change.commit(warehouse, *said || dry_run).await?)
            }
            Self::Alter(change) => columns::rows(change.commit(warehouse, dry_run).await?),
        }
    }
}

impl fmt::Display for Action {
    /// What EXPLAIN says of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, table={NAMESPACE}.{TABLE}", self.signature().name)?;
        let dry_run = match self {
            Self::Alter(change) => return write!(f, ", {change}"),
            Self::Clean { procedure, options } => {
                if procedure.retains() {
                    match options.retain {
                        Some(retain) => write!(f, ", retain={}", humantime::format_duration(retain))?,
                        None => write!(f, ", retain=the table's")?,
                    }
                }
                options.dry_run
            }
            Self::Refer { change, dry_run, .. } => {
                match change {
                    ReferenceChange::Rollback { to } => write!(f, ", to={to}")?,
                    ReferenceChange::Create { name, at: None, .. } => write!(f, ", name={name}")?,
                    ReferenceChange::Create { name, at: Some(at), .. } => write!(f, ", name={name}, at={at}")?,
                    ReferenceChange::Drop { name, .. } => write!(f, ", name={name}")?,
                }
                *dry_run
            }
        };
        write!(f, ", dry_run={dry_run}")
    }
}
