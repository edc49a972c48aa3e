//! `earthcatalog column`: properties with columns of their own.

use std::fmt;
use std::io::Write;

use clap::{Args, Subcommand};
use datafusion::common::plan_datafusion_err;
use earthcatalog_plans::model::items::Promoted;
use earthcatalog_plans::scan::declared_columns;
use earthcatalog_plans::table::{ChangedColumn, ColumnChange};
use serde::Serialize;

use super::{CommandError, open};
use crate::arguments::{ListArgs, ReportFormat, WarehouseArgs};

/// What `column` does.
#[derive(Debug, Clone, Args)]
pub struct ColumnCommand {
    #[command(subcommand)]
    pub action: ColumnAction,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ColumnAction {
    /// List the properties with columns of their own
    List(ListArgs),
    /// Give properties columns of their own, which hold for the Items that are there, too
    Add(AddArgs),
    /// Put the values of a column back into `properties`
    Remove(RemoveArgs),
}

/// Flags of what changes columns.
#[derive(Debug, Clone, Args)]
pub struct ChangeArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// Flags of `column add`.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// Properties and types: VARCHAR, BOOLEAN, INT, BIGINT, FLOAT, DOUBLE or TIMESTAMP
    #[arg(value_name = "'PROPERTY TYPE, …'")]
    pub columns: String,
    #[command(flatten)]
    pub change: ChangeArgs,
}

/// Flags of `column remove`.
#[derive(Debug, Clone, Args)]
pub struct RemoveArgs {
    /// Name of the property, or of its column
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub change: ChangeArgs,
}

pub async fn run(command: &ColumnCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    match &command.action {
        ColumnAction::List(args) => {
            let warehouse = open(&args.at).await?;
            let columns = warehouse.items().promoted().iter().map(|promoted| Line::new("", promoted)).collect();
            Ok(args.output.write(&Lines(columns), out)?)
        }
        ColumnAction::Add(args) => {
            let columns = declared_columns(&args.columns)?;
            let change = |column: &Promoted| ColumnChange::Add {
                property: column.property.clone(),
                data_type: column.data_type.clone(),
                if_not_exists: false,
            };
            let changes = columns.promoted().iter().map(change).collect::<Vec<_>>();
            if changes.is_empty() {
                return Err(plan_datafusion_err!(
                    "no property is named; write them as in 'eo:cloud_cover DOUBLE, platform VARCHAR'"
                )
                .into());
            }
            commit(&args.change, &changes, out).await
        }
        ColumnAction::Remove(args) => {
            let change = ColumnChange::Drop { name: args.name.clone(), if_exists: false };
            commit(&args.change, &[change], out).await
        }
    }
}

/// Makes one change after the other, each as a commit; none where one of them would be refused.
async fn commit(args: &ChangeArgs, changes: &[ColumnChange], out: &mut dyn Write) -> Result<(), CommandError> {
    let warehouse = open(&args.at).await?;
    for change in changes {
        change.commit(&warehouse, true).await?;
    }
    let mut lines = vec![];
    for change in changes {
        let done = change.commit(&warehouse, args.dry_run).await?;
        lines.extend(
            done.as_ref()
                .map(|ChangedColumn { column, is_new }| Line::new(if *is_new { "added" } else { "removed" }, column)),
        );
    }
    Ok(args.output.write(&Lines(lines), out)?)
}

/// A column, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    #[serde(skip_serializing_if = "str::is_empty")]
    change: &'static str,
    property: String,
    column: String,
    #[serde(rename = "type")]
    data_type: &'static str,
}

impl Line {
    fn new(change: &'static str, promoted: &Promoted) -> Self {
        let Promoted { property, column, .. } = promoted.clone();
        Self { change, property, column, data_type: promoted.sql_type() }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
struct Lines(Vec<Line>);

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "no property has a column of its own");
        }
        let width =
            |of: fn(&Line) -> &str| self.0.iter().map(|line| of(line).chars().count()).max().unwrap_or_default();
        let [change, property, column] = [width(|l| l.change), width(|l| &l.property), width(|l| &l.column)];
        for (i, line) in self.0.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            let change = if change == 0 { String::new() } else { format!("{:<change$}  ", line.change) };
            write!(f, "{end}{change}{:<property$}  {:<column$}  {}", line.property, line.column, line.data_type)?;
        }
        Ok(())
    }
}
