//! `earthcatalog rollback`: runs `sql/rollback.sql`.

use std::fmt;
use std::io::Write;

use arrow::array::RecordBatch;
use clap::Args;
use earthcatalog_plans::session::session;
use serde::Serialize;

use super::CommandError;
use crate::arguments::{ReportFormat, WarehouseArgs};
use crate::pipeline::{PipelineError, ROLLBACK};
use crate::report::count;
use crate::rows::Row;
use crate::script::Arguments;
use crate::signals::interrupt;

/// Flags of `rollback`. Those that are parameters of `sql/rollback.sql` get help from there.
#[derive(Debug, Clone, Args)]
pub struct RollbackArgs {
    #[arg(long, value_name = "SNAPSHOT|TIME|TAG")]
    pub to: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(long)]
    pub dry_run: bool,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// A state of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    pub snapshot: i64,
    /// When it was committed; null where it is not retained.
    pub committed: Option<String>,
    /// One per Item, version and cell, where the snapshot tells.
    pub rows: Option<u64>,
}

/// What became of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    pub dry_run: bool,
    /// Null, as `to`, where the table is in that state already.
    pub from: Option<State>,
    pub to: Option<State>,
}

pub async fn run(args: &RollbackArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let arguments = Arguments::new()
        .with("to", &args.to)
        .with("catalog", &args.at.catalog)
        .with_option("warehouse", args.at.warehouse.as_ref())
        .with("dry_run", args.dry_run);
    let session = session(1)?;
    let failed = |e| CommandError::pipeline(e, ROLLBACK);
    // Stopped anywhere, the table is in one state or in the other.
    let results = tokio::select! {
        done = ROLLBACK.rows(&session, &arguments) => done.map_err(failed)?,
        () = interrupt() => return Err(CommandError::Interrupted),
    };
    let [moved, snapshots] = &results[..] else { return Err(failed(PipelineError::Result(ROLLBACK.name))) };
    let moved = Row::nth(moved, 0);
    let state = |column| {
        let snapshot = moved.as_ref()?.integer(column)?;
        Some(State::new(snapshot, snapshots))
    };
    let (from, to) = (state("previous_snapshot_id"), state("current_snapshot_id"));
    Ok(args.output.write(&RolledBack { dry_run: args.dry_run, from, to }, out)?)
}

impl State {
    fn new(snapshot: i64, snapshots: &RecordBatch) -> Self {
        let row = Row::all(snapshots).find(|row| row.integer("snapshot_id") == Some(snapshot));
        Self {
            snapshot,
            committed: row.as_ref().and_then(|row| row.time("committed_at")),
            rows: row.and_then(|row| row.text("rows")?.parse().ok()),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.snapshot)?;
        if let Some(committed) = &self.committed {
            write!(f, " of {committed}")?;
        }
        self.rows.map_or(Ok(()), |rows| write!(f, ", {} rows", count(rows)))
    }
}

impl fmt::Display for RolledBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(to) = &self.to else { return write!(f, "nothing to do: the table is in that state") };
        if let Some(from) = &self.from {
            writeln!(f, "{:<12}{from}", "from")?;
        }
        write!(f, "{:<12}{to}", if self.dry_run { "would be" } else { "to" })?;
        match &self.from {
            Some(from) if !self.dry_run => {
                write!(f, "\n{:<12}earthcatalog rollback --to {}", "undo", from.snapshot)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_how_to_take_it_back() {
        let state = |snapshot, rows| {
            Some(State { snapshot, committed: Some("2025-01-31T00:00:00Z".to_owned()), rows: Some(rows) })
        };
        let done = RolledBack { dry_run: false, from: state(2, 1_500), to: state(1, 1_000) };
        insta::assert_snapshot!(done, @r"
        from        2 of 2025-01-31T00:00:00Z, 1,500 rows
        to          1 of 2025-01-31T00:00:00Z, 1,000 rows
        undo        earthcatalog rollback --to 2
        ");
        let would = RolledBack { dry_run: true, ..done }.to_string();
        assert!(would.ends_with("would be    1 of 2025-01-31T00:00:00Z, 1,000 rows"), "{would}");
        let nothing = RolledBack { dry_run: false, from: None, to: None };
        assert_eq!(nothing.to_string(), "nothing to do: the table is in that state");
        assert_eq!(serde_json::to_string(&nothing).unwrap(), r#"{"dry_run":false,"from":null,"to":null}"#);
    }
}
