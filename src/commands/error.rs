//! [`CommandError`]: why a command did not do what it was asked to.

use std::io;
use std::path::PathBuf;

use datafusion::common::DataFusionError;
use earthcatalog_plans::maintenance::MaintenanceError;
use earthcatalog_plans::table::WarehouseError;
use thiserror::Error;

use crate::arguments::ArgumentError;
use crate::cluster::ClusterError;
use crate::documents::ReadError;
use crate::export::ExportError;
use crate::output::OutputError;
use crate::pipeline::{Pipeline, PipelineError};
use crate::prompt::PromptError;
use crate::query::SqlError;
use crate::reason::reason;
use crate::script::{Script, ScriptError};
use crate::serve::ServeError;

/// Why a command did not do what it was asked to.
#[derive(Debug, Error)]
pub enum CommandError {
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    #[error(transparent)]
    Sql(#[from] SqlError),
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error(transparent)]
    Output(OutputError),
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A pipeline of ours failed; the second is how its parameters that the message names are set.
    #[error("{}{}", .0.without_place(), .1)]
    Pipeline(Box<PipelineError>, String),
    /// A script that was named failed.
    #[error(transparent)]
    Run(Box<PipelineError>),
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error(
        "--bucket {0}: the table has no such bucket; write it as CELL/YEAR, as `earthcatalog compact --dry-run` lists them"
    )]
    NoBucket(String),
    #[error("{}", reason(.0))]
    Query(#[from] DataFusionError),
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    #[error(transparent)]
    Maintenance(#[from] MaintenanceError),
    #[error("there is no run {run} in {warehouse}; `earthcatalog runs` lists the runs")]
    NoRun { run: String, warehouse: String },
    #[error("there is no collection {id}: {what}; `earthcatalog collection list` lists the collections")]
    NoCollection { id: String, what: &'static str },
    #[error(transparent)]
    Documents(#[from] ReadError),
    #[error("run {run} is still at work; end its process before you discard its checkpoints")]
    AtWork { run: String },
    #[error("--dir {} is not empty; name a new or empty folder, or leave the flag out to use a temporary folder", .0.display())]
    NotEmpty(PathBuf),
    #[error("cannot write {}: {source}; name another folder with --dir", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error(
        "there is a configuration file already: {}; change it, or give the command in another folder", .0.display()
    )]
    HasConfig(PathBuf),
    #[error("cannot write {}: {source}; give the command in a folder that can be written", path.display())]
    ConfigFile { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("cannot write manual pages to {}: {source}; name a folder that can be written", folder.display())]
    Pages { folder: PathBuf, source: io::Error },
    #[error("cannot write to standard output: {0}")]
    Write(#[from] io::Error),
    #[error("the warehouse is damaged: {}, listed on standard output with the way out of each", findings(*.0))]
    Damage(u64),
    #[error("interrupted")]
    Interrupted,
    #[error("interrupted; nothing is committed yet, and the chunks that are done are kept: the same command continues")]
    Paused,
}

impl From<OutputError> for CommandError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Query(error) => Self::Query(error),
            OutputError::Write(error) => Self::Write(error),
            other => Self::Output(other),
        }
    }
}

impl CommandError {
    /// `error` of a pipeline whose parameters are flags.
    pub(super) fn pipeline(error: PipelineError, pipeline: Pipeline) -> Self {
        let hints = pipeline.script().map(|script| flags(&error.without_place(), &script)).unwrap_or_default();
        Self::Pipeline(Box::new(error), hints)
    }

    /// Why standard output could not be written to, if that was it.
    pub fn write(&self) -> Option<&io::Error> {
        match self {
            Self::Write(error) => Some(error),
            Self::Pipeline(error, _) | Self::Run(error) => error.write(),
            Self::Sql(error) => error.write(),
            Self::Export(ExportError::Output(OutputError::Write(error))) => Some(error),
            _ => None,
        }
    }

    /// Whether somebody has stopped the command.
    pub fn is_interrupt(&self) -> bool {
        match self {
            Self::Interrupted | Self::Paused | Self::Prompt(PromptError::Terminated) => true,
            Self::Pipeline(error, _) | Self::Run(error) => matches!(**error, PipelineError::Interrupted(_)),
            _ => false,
        }
    }

    /// Whether another writer was in the way: tried again, the same command may work.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Pipeline(error, _) | Self::Run(error) => match &**error {
                PipelineError::Script(error) => behind_script(error).is_some_and(is_conflict),
                PipelineError::Warehouse(error) => is_conflict(error),
                PipelineError::Session(error) => behind(error).is_some_and(is_conflict),
                _ => false,
            },
            Self::Script(error) | Self::Sql(SqlError::Script(error)) => behind_script(error).is_some_and(is_conflict),
            Self::Warehouse(error) => is_conflict(error),
            Self::Query(error) => behind(error).is_some_and(is_conflict),
            _ => false,
        }
    }

    /// Whether the command did what it was asked to, and found damage.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damage(_))
    }

    /// Whether the command was typed wrongly.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Arguments(error) => error.is_usage(),
            Self::Sql(error) => error.is_usage(),
            Self::Output(OutputError::Sink(_) | OutputError::Terminal(_)) => true,
            Self::Export(
                ExportError::Statements(_)
                | ExportError::Condition(_)
                | ExportError::Place(_)
                | ExportError::PartOfItems,
            ) => true,
            _ => false,
        }
    }
}

/// The error of the warehouse for which a statement failed, if that was it.
fn behind_script(error: &ScriptError) -> Option<&WarehouseError> {
    match error {
        ScriptError::Statement { source, .. } => behind(source),
        _ => None,
    }
}

/// As [`behind_script`], of an error of DataFusion.
fn behind(error: &DataFusionError) -> Option<&WarehouseError> {
    match error.find_root() {
        DataFusionError::External(error) => error.downcast_ref(),
        _ => None,
    }
}

fn is_conflict(error: &WarehouseError) -> bool {
    use WarehouseError::{Changed, Conflict, Contention, Expired};
    matches!(error, Conflict { .. } | Contention { .. } | Changed { .. } | Expired { .. })
}

fn findings(damage: u64) -> String {
    format!("{damage} {}", if damage == 1 { "finding" } else { "findings" })
}

/// The flags of the parameters that a pipeline's error names.
fn flags(error: &str, script: &Script) -> String {
    let mut words = error.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named: Vec<_> = words.by_ref().filter(|w| w.contains('_') && script.parameter(w).is_some()).collect();
    let hint = |name: &&str| format!("\nhint: {name} is set with --{}", name.replace('_', "-"));
    let mut hints: Vec<_> = named.iter().map(hint).collect();
    hints.dedup();
    hints.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_writer_in_the_way_is_told_through_the_layers() {
        let failed = |error: WarehouseError| {
            let source = Box::new(DataFusionError::from(error).context("commit"));
            let place = crate::script::Place { script: "s.sql".into(), line: 1, column: 1 };
            let error = ScriptError::Statement { place, quote: String::new(), source };
            CommandError::Pipeline(Box::new(error.into()), String::new())
        };
        assert!(failed(WarehouseError::Conflict { missing: vec![] }).is_conflict());
        assert!(failed(WarehouseError::Contention { attempts: 3 }).is_conflict());
        assert!(!failed(WarehouseError::NothingToCommit).is_conflict());
    }

    #[test]
    fn parameters_in_a_message_are_given_their_flags() {
        let script = crate::pipeline::INGEST.script().unwrap();
        let error = "3 rejects, and max_rejects is 2; raise max_rejects";
        assert_eq!(flags(error, &script), "\nhint: max_rejects is set with --max-rejects");
        assert_eq!(flags("no limit", &script), "");
    }
}
