//! [`Refusal`]: a statement that would change a table of the warehouse.

use std::fmt;

use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as Ast;
use datafusion::sql::planner::object_name_to_table_reference;
use datafusion::sql::sqlparser::ast::{
    FromTable, ObjectName, Statement, TableFactor, TableObject, TableWithJoins, TruncateTableTarget,
};
use earthcatalog_plans::query::{ITEMS, ItemsTable, TABLES};

/// A statement that would change a table of the warehouse, which is open for reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    change: Change,
    table: String,
}

/// What a statement does to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Insert,
    Delete,
    Truncate,
    Update,
    Merge,
    Alter,
    Drop,
}

impl Refusal {
    /// Why a statement is refused; `None` if it leaves the tables of the warehouse as they are.
    pub async fn of(session: &SessionContext, ast: &Ast) -> Option<Self> {
        let Ast::Statement(statement) = ast else { return None };
        let (change, name) = target(statement)?;
        let table = object_name_to_table_reference(name.clone(), true).ok()?;
        let items = session.table_provider(TableReference::bare(ITEMS)).await.ok()?;
        let is_of_warehouse = items.is::<ItemsTable>()
            && (TABLES.contains(&table.table())
                || table.table().contains('$') && session.table_exist(table.clone()).ok()?);
        is_of_warehouse.then(|| Self { change, table: table.table().to_owned() })
    }
}

/// The table that a statement changes, and how.
fn target(statement: &Statement) -> Option<(Change, &ObjectName)> {
    match statement {
        Statement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => Some((Change::Insert, name)),
            _ => None,
        },
        Statement::Delete(delete) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
            Some((Change::Delete, of_table(from.first()?)?))
        }
        Statement::Truncate(truncate) => {
            let TruncateTableTarget { name, .. } = truncate.table_names.first()?;
            Some((Change::Truncate, name))
        }
        Statement::Update(update) => Some((Change::Update, of_table(&update.table)?)),
        Statement::Merge(merge) => Some((Change::Merge, of_factor(&merge.table)?)),
        Statement::AlterTable(alter) => Some((Change::Alter, &alter.name)),
        Statement::Drop { names, .. } => Some((Change::Drop, names.first()?)),
        _ => None,
    }
}

fn of_table(table: &TableWithJoins) -> Option<&ObjectName> {
    of_factor(&table.relation)
}

fn of_factor(factor: &TableFactor) -> Option<&ObjectName> {
    match factor {
        TableFactor::Table { name, .. } => Some(name),
        _ => None,
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (statement, does) = match self.change {
            Change::Insert => ("INSERT", "would add rows to"),
            Change::Delete => ("DELETE", "would remove rows of"),
            Change::Truncate => ("TRUNCATE", "would remove the rows of"),
            Change::Update => ("UPDATE", "would change rows of"),
            Change::Merge => ("MERGE", "would change rows of"),
            Change::Alter => ("ALTER TABLE", "would change"),
            Change::Drop => ("DROP", "would remove"),
        };
        let way_out = match self.change {
            Change::Insert => "`earthcatalog ingest` adds Items, and `earthcatalog run FILE` runs scripts that write",
            Change::Delete => {
                "`earthcatalog delete` deletes Items, and `earthcatalog run FILE` runs scripts that write"
            }
            Change::Update => {
                "`earthcatalog update` gives Items other values, and `earthcatalog run FILE` runs scripts that write"
            }
            Change::Truncate | Change::Alter => "`earthcatalog run FILE` runs scripts that write",
            Change::Merge => "an Item changes when a newer version of it is ingested",
            Change::Drop => "a warehouse is gone when its catalog and its folder are",
        };
        let table = &self.table;
        write!(f, "{statement} {does} {table}, a table of the warehouse, and `earthcatalog sql` only reads; {way_out}")
    }
}
