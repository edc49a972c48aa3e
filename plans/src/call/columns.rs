//! `ALTER TABLE`: a property gets a column of its own, or loses it.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result, TableReference, plan_datafusion_err, plan_err};
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{AlterTable, AlterTableOperation, Ident};

use super::signature::Signature;
use crate::scan::declared_columns::{TYPES, arrow_type};
use crate::table::{ChangedColumn, ColumnChange};

/// How the statement is written.
pub(super) const SIGNATURE: Signature = Signature { name: "ALTER TABLE", parameters: &[] };

/// Columns of the row that the statement yields: `change` (`added` or `dropped`), `property`, its `column_name` and
/// `data_type`, as SQL names types.
pub static COLUMN_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name| Field::new(name, DataType::Utf8View, false);
    Arc::new(Schema::new(["change", "property", "column_name", "data_type"].map(text).to_vec()))
});

/// What a statement asks for, and of which table.
///
/// Errors: it asks for something else than a column of a property.
pub(super) fn change(alter: &AlterTable) -> Result<(ColumnChange, TableReference)> {
    let table = object_name_to_table_reference(alter.name.clone(), true)?;
    let other = || {
        plan_datafusion_err!(
            "{alter}: a table of Items is changed by ALTER TABLE {table} ADD COLUMN \"eo:cloud_cover\" DOUBLE, which gives a property a column of its own, or DROP COLUMN eo_cloud_cover, which puts it back; one change a statement"
        )
    };
    let [operation] = alter.operations.as_slice() else { return Err(other()) };
    let change = match operation {
        AlterTableOperation::AddColumn { if_not_exists, column_def, column_position: None, .. }
            if column_def.options.is_empty() =>
        {
            let property = name(&column_def.name);
            let Some(data_type) = arrow_type(&column_def.data_type) else {
                return plan_err!("{property} has type {}; a promoted property can be {TYPES}", column_def.data_type);
            };
            ColumnChange::Add { property, data_type, if_not_exists: *if_not_exists }
        }
        AlterTableOperation::DropColumn { column_names, if_exists, drop_behavior: None, .. } => {
            let [column] = column_names.as_slice() else { return Err(other()) };
            ColumnChange::Drop { name: name(column), if_exists: *if_exists }
        }
        _ => return Err(other()),
    };
    Ok((change, table))
}

/// As in a column list: in lower case, unless it is quoted.
fn name(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The row that the statement yields; none where all was so already.
pub(super) fn rows(changed: Option<ChangedColumn>) -> Result<RecordBatch> {
    let text = |of: fn(&ChangedColumn) -> String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values(changed.iter().map(of)))
    };
    let columns = vec![
        text(|changed| if changed.is_new { "added" } else { "dropped" }.to_owned()),
        text(|changed| changed.column.property.clone()),
        text(|changed| changed.column.column.clone()),
        text(|changed| changed.column.sql_type().to_owned()),
    ];
    Ok(RecordBatch::try_new(Arc::clone(&COLUMN_SCHEMA), columns)?)
}
