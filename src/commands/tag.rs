//! `earthcatalog tag`: names for states of a warehouse.

use std::fmt;
use std::io::Write;

use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand};
use earthcatalog_plans::maintenance::MaintenanceError;
use earthcatalog_plans::table::references::{MovedReference, Reference, ReferenceChange, ReferenceKind};
use earthcatalog_plans::table::{AsOf, TableState};
use serde::Serialize;

use super::{CommandError, open};
use crate::arguments::{ListArgs, ReportFormat, WarehouseArgs};

/// What `tag` does.
#[derive(Debug, Clone, Args)]
pub struct TagCommand {
    #[command(subcommand)]
    pub action: TagAction,
}

#[derive(Debug, Clone, Subcommand)]
pub enum TagAction {
    /// List the tags and branches
    List(ListArgs),
    /// Give a state a name, by which it can be read and gone back to, and which keeps it from expiring
    Add(AddArgs),
    /// Remove a name; its state expires as others do
    Remove(RemoveArgs),
}

/// Flags of `tag add`.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    #[arg(value_name = "NAME", help = NAME)]
    pub name: String,
    /// The state: a snapshot's id, a time, a tag or a branch [default: the newest]
    #[arg(long, value_name = "SNAPSHOT|TIME|TAG")]
    pub of: Option<String>,
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// Flags of `tag remove`.
#[derive(Debug, Clone, Args)]
pub struct RemoveArgs {
    #[arg(value_name = "NAME", help = NAME)]
    pub name: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

const NAME: &str = "Name of the tag";

pub async fn run(command: &TagCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    match &command.action {
        TagAction::List(args) => {
            let state = open(&args.at).await?.load().await.map_err(MaintenanceError::from)?;
            let all = Reference::all(&state.metadata).map_err(MaintenanceError::from)?;
            let listed = Listed(all.iter().map(|reference| Line::new(reference, &state)).collect());
            Ok(args.output.write(&listed, out)?)
        }
        TagAction::Add(args) => {
            let at = args.of.as_deref().map(AsOf::parse);
            let change = ReferenceChange::Create { kind: ReferenceKind::Tag, name: args.name.clone(), at };
            change_of(&args.at, &change, args.output, out).await
        }
        TagAction::Remove(args) => {
            let change = ReferenceChange::Drop { kind: ReferenceKind::Tag, name: args.name.clone() };
            change_of(&args.at, &change, args.output, out).await
        }
    }
}

async fn change_of(
    at: &WarehouseArgs,
    change: &ReferenceChange,
    output: ReportFormat,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let moved = change.commit(&open(at).await?, false).await?;
    // A new name, or none any more, is always a change.
    moved.map_or(Ok(()), |moved| Ok(output.write(&Changed::new(moved), out)?))
}

/// What became of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Changed {
    tag: String,
    /// `added` or `removed`.
    done: &'static str,
    snapshot: Option<i64>,
}

impl Changed {
    fn new(moved: MovedReference) -> Self {
        let done = if moved.after.is_some() { "added" } else { "removed" };
        Self { tag: moved.name, done, snapshot: moved.after.or(moved.before) }
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<12}{}", self.done, self.tag)?;
        self.snapshot.map_or(Ok(()), |snapshot| write!(f, "\n{:<12}{snapshot}", "snapshot"))
    }
}

/// A tag or branch in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    name: String,
    kind: &'static str,
    snapshot: i64,
    committed: Option<String>,
}

impl Line {
    fn new(reference: &Reference, state: &TableState) -> Self {
        let snapshot = state.metadata.snapshot_by_id(reference.snapshot);
        let committed = snapshot.and_then(|snapshot| DateTime::from_timestamp_millis(snapshot.timestamp_ms()));
        Self {
            name: reference.name.clone(),
            kind: reference.kind().name(),
            snapshot: reference.snapshot,
            committed: committed.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
struct Listed(Vec<Line>);

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "nothing was ingested yet");
        }
        let width = self.0.iter().map(|line| line.name.chars().count()).max().unwrap_or_default().max(10);
        write!(f, "{:<width$}  {:<8}{:<22}snapshot", "name", "kind", "committed")?;
        for Line { name, kind, snapshot, committed } in &self.0 {
            let committed = committed.as_deref().unwrap_or("-");
            write!(f, "\n{name:<width$}  {kind:<8}{committed:<22}{snapshot}")?;
        }
        Ok(())
    }
}
