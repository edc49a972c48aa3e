//! The one place that turns what went wrong into a message and an exit code.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use datafusion::common::DataFusionError;
use earthcatalog_plans::stores::StoreError;
use thiserror::Error;

use crate::cluster::ClusterError;
use crate::config::ConfigError;
use crate::demo::DemoError;
use crate::export::ExportError;
use crate::output::OutputError;
use crate::paths::PathsError;
use crate::pipeline::{Pipeline, PipelineError};
use crate::prompt::PromptError;
use crate::query::SqlError;
use crate::runs::RunsError;
use crate::script::{Script, ScriptError, reason};

/// Why a command did not do what it was asked to.
#[derive(Debug, Error)]
pub enum CliError {
    /// What was typed is no command; or help was asked for.
    #[error("{0}")]
    Usage(#[from] clap::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Sql(#[from] SqlError),
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error(transparent)]
    Output(OutputError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("--inventory {0}: there is no such file or folder")]
    NoInventory(String),
    #[error("--catalog {0}: its folder {1} does not exist; make it, or name another place")]
    NoCatalogFolder(String, PathBuf),
    #[error("--{flag} {source}")]
    Location { flag: &'static str, source: Box<StoreError> },
    /// A pipeline failed; the second is how its parameters that the message names are set.
    #[error("{0}{1}")]
    Pipeline(Box<PipelineError>, String),
    #[error("{0} is neither a pipeline nor a script that can be read ({1}); `earthcatalog plans` lists the pipelines")]
    NoScript(String, io::Error),
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error(
        "--bucket {0}: the table has no such bucket; buckets are written CELL/YEAR, as compact --dry-run lists them"
    )]
    NoBucket(String),
    #[error("{}", reason(.0))]
    Query(DataFusionError),
    #[error(transparent)]
    Paths(#[from] PathsError),
    #[error(transparent)]
    Runs(#[from] RunsError),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("--scheduler ballista needs the address of a cluster: --cluster df://HOST:PORT")]
    NoCluster,
    #[error("--scheduler {0} is for this process; leave it out with --cluster, or name ballista")]
    NotOnCluster(&'static str),
    #[error("cannot write to standard output: {0}")]
    Write(#[from] io::Error),
    #[error("cannot start the worker threads: {0}; try fewer with --workers")]
    Threads(io::Error),
    #[error("--since last is for `earthcatalog incremental`; give a date or a time")]
    SinceLast,
    #[error("interrupted")]
    Interrupted,
    #[error("interrupted; nothing is committed yet, the chunks that are done are kept, and the same command goes on")]
    Paused,
}

impl From<OutputError> for CliError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Query(error) => Self::Query(error),
            OutputError::Write(error) => Self::Write(error),
            other => Self::Output(other),
        }
    }
}

impl CliError {
    pub(super) fn pipeline(error: PipelineError, pipeline: Pipeline) -> Self {
        let hints = pipeline.script().map(|script| flags(&error.to_string(), &script)).unwrap_or_default();
        Self::Pipeline(Box::new(error), hints)
    }

    /// Writes the message to standard error, and returns the exit code: 1 failed, 2 asked for wrongly, 130 interrupted.
    pub fn report(&self) -> ExitCode {
        // Whoever closed the pipe (`| head`) has seen enough.
        let write = match self {
            Self::Write(error) => Some(error),
            Self::Pipeline(error, _) => error.write(),
            Self::Usage(error) => error.exit(),
            Self::Sql(error) => error.write(),
            Self::Export(ExportError::Output(OutputError::Write(error))) => Some(error),
            _ => None,
        };
        if write.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {self}");
        ExitCode::from(match self {
            Self::Interrupted | Self::Paused => 130,
            Self::Pipeline(error, _) if matches!(**error, PipelineError::Interrupted(_)) => 130,
            Self::Config(_) | Self::Output(OutputError::Sink(_) | OutputError::Terminal(_)) => 2,
            Self::Export(ExportError::Place(PathsError::Geometry { .. }) | ExportError::Statements(_)) => 2,
            Self::Sql(error) if error.is_usage() => 2,
            Self::SinceLast
            | Self::NoCluster
            | Self::NotOnCluster(_)
            | Self::NoInventory(_)
            | Self::NoCatalogFolder(..)
            | Self::Location { .. } => 2,
            Self::Paths(PathsError::Geometry { .. }) => 2,
            _ => 1,
        })
    }
}

/// The flags of the parameters that the first line of a pipeline's error names; the lines after it quote the script.
fn flags(error: &str, script: &Script) -> String {
    let message = error.lines().next().unwrap_or_default();
    let mut words = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
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
    fn parameters_in_a_message_are_given_their_flags() {
        let script = crate::ingest::PIPELINE.script().unwrap();
        let error = "3 rejects, and max_rejects is 2; raise max_rejects\n --> ingest.sql:1:1\n 1 | $chunk_size";
        assert_eq!(flags(error, &script), "\nhint: max_rejects is set with --max-rejects");
        assert_eq!(flags("no limit", &script), "");
    }
}
