//! [`ReferenceProcedure`]: the procedures that change what tags, branches and the table itself name.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, ScalarValue, TableReference, plan_err};
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{Expr, Function};

use super::signature::{DRY_RUN, Signature, TABLE, evaluate};
use crate::scan::as_of_function::as_of;
use crate::table::AsOf;
use crate::table::references::{MovedReference, ReferenceChange, ReferenceKind};

/// A procedure that changes what a reference names, called as Iceberg's Spark procedures are.
///
/// A state (`to`, `at`) is a snapshot's id, a time, of a day its end, or the name of a tag or branch. Each yields
/// [`REFERENCE_SCHEMA`]: one row, or none where all is so already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReferenceProcedure {
    /// `rollback(table, to, dry_run)`: the table has the rows that it had then. What came after is retained as any other
    /// snapshot, and a rollback to it takes this one back. Objects that were ingested after are new again.
    Rollback,
    /// `create_tag(table, name, at, dry_run)`, `create_branch(…)`: names a snapshot, which does not expire while it is
    /// named; the current one without `at`.
    Create(ReferenceKind),
    /// `drop_tag(table, name, dry_run)`, `drop_branch(…)`: forgets a name. Its snapshot expires as others do.
    Drop(ReferenceKind),
}

/// Columns of the row that a call yields: `reference`, its name; `previous_snapshot_id` and `current_snapshot_id`, what it
/// named and names, null of one that is new or gone.
pub static REFERENCE_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("reference", DataType::Utf8View, false),
        Field::new("previous_snapshot_id", DataType::Int64, true),
        Field::new("current_snapshot_id", DataType::Int64, true),
    ]))
});

const NAME: &str = "name";
const AT: &str = "at";
const TO: &str = "to";

impl ReferenceProcedure {
    pub const ALL: [Self; 5] = [
        Self::Rollback,
        Self::Create(ReferenceKind::Tag),
        Self::Drop(ReferenceKind::Tag),
        Self::Create(ReferenceKind::Branch),
        Self::Drop(ReferenceKind::Branch),
    ];

    pub(super) fn signature(self) -> Signature {
        let create = &[(TABLE, "items"), (NAME, "'2025'"), (AT, "at => '2025-12-31'"), (DRY_RUN, "dry_run => false")];
        let (name, parameters): (_, &[_]) = match self {
            Self::Rollback => {
                ("rollback", &[(TABLE, "items"), (TO, "to => '2025-01-31'"), (DRY_RUN, "dry_run => false")])
            }
            Self::Create(ReferenceKind::Tag) => ("create_tag", create),
            Self::Create(ReferenceKind::Branch) => ("create_branch", create),
            Self::Drop(kind) => {
                let name = match kind {
                    ReferenceKind::Tag => "drop_tag",
                    ReferenceKind::Branch => "drop_branch",
                };
                (name, &[(TABLE, "items"), (NAME, "'2025'"), (DRY_RUN, "dry_run => false")])
            }
        };
        Signature { name, parameters }
    }

    /// What a call asks for: the table, the change, and whether it is only to be said.
    pub(super) fn arguments(
        self,
        state: &SessionState,
        call: Function,
    ) -> Result<(TableReference, ReferenceChange, bool)> {
        let signature = self.signature();
        let required: &[(&str, &str)] = match self {
            Self::Rollback => &[(TABLE, "a table"), (TO, "a snapshot, a time or a tag")],
            Self::Create(_) | Self::Drop(_) => &[(TABLE, "a table"), (NAME, "a name")],
        };
        let (mut table, mut dry_run) = (TableReference::bare(""), false);
        let (mut name, mut at) = (String::new(), None);
        for (parameter, value) in signature.arguments(call, required)? {
            match parameter {
                TABLE => table = signature.table(value)?,
                DRY_RUN => dry_run = signature.flag(state, DRY_RUN, value)?,
                NAME => name = text(signature, state, value)?,
                _ => at = state_of(signature, parameter, state, value)?,
            }
        }
        let change = match (self, at) {
            (Self::Rollback, Some(to)) => ReferenceChange::Rollback { to },
            (Self::Rollback, None) => return plan_err!("{}: {TO} is NULL; call it as {signature}", signature.name),
            (Self::Create(kind), at) => ReferenceChange::Create { kind, name, at },
            (Self::Drop(kind), _) => ReferenceChange::Drop { kind, name },
        };
        Ok((table, change, dry_run))
    }
}

fn text(signature: Signature, state: &SessionState, value: Expr) -> Result<String> {
    let written = value.to_string();
    match evaluate(state, value)?.try_as_str().flatten() {
        Some(text) => Ok(text.to_owned()),
        None => plan_err!("{}: {written} is no name; call it as {signature}", signature.name),
    }
}

/// The state that an argument means; `None` of NULL.
fn state_of(signature: Signature, parameter: &str, state: &SessionState, value: Expr) -> Result<Option<AsOf>> {
    let written = value.to_string();
    match evaluate(state, value)? {
        value if value.is_null() => Ok(None),
        // A snapshot's id that was computed, or fits a smaller type.
        value if value.data_type().is_integer() => match value.cast_to(&DataType::Int64)? {
            ScalarValue::Int64(Some(id)) => Ok(Some(AsOf::Snapshot(id))),
            _ => Ok(None),
        },
        value => match as_of(&value)? {
            Some(as_of) => Ok(Some(as_of)),
            None => plan_err!(
                "{}: {parameter} is {written}, neither a snapshot, nor a time, nor the name of a tag",
                signature.name
            ),
        },
    }
}

/// The row that a call yields.
pub(super) fn rows(moved: Option<MovedReference>) -> Result<RecordBatch> {
    let moved = moved.as_ref();
    let ids = |of: fn(&MovedReference) -> Option<i64>| -> ArrayRef {
        Arc::new(moved.into_iter().map(of).collect::<Int64Array>())
    };
    let names = StringViewArray::from_iter_values(moved.into_iter().map(|moved| &moved.name));
    let columns = vec![Arc::new(names) as ArrayRef, ids(|moved| moved.before), ids(|moved| moved.after)];
    Ok(RecordBatch::try_new(Arc::clone(&REFERENCE_SCHEMA), columns)?)
}
