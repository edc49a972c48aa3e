//! The one place that turns what went wrong into a message and an exit code.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use datafusion::common::DataFusionError;
use earthcatalog_plans::stores::StoreError;
use thiserror::Error;

use crate::demo::DemoError;
use crate::output::OutputError;
use crate::script::{ScriptError, reason};

/// Why a command did not do what it was asked to.
#[derive(Debug, Error)]
pub enum CliError {
    #[error("--inventory {0}: there is no such file or folder")]
    NoInventory(String),
    #[error("--catalog {0}: its folder {1} does not exist; make it, or name another place")]
    NoCatalogFolder(String, PathBuf),
    #[error("--{flag} {source}")]
    Location { flag: &'static str, source: Box<StoreError> },
    #[error("{0}")]
    Script(#[from] ScriptError),
    #[error("{}", reason(.0))]
    Query(DataFusionError),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error("cannot write to standard output: {0}")]
    Write(#[from] io::Error),
    #[error("cannot start the worker threads: {0}; try fewer with --workers")]
    Threads(io::Error),
    #[error("interrupted; nothing was committed, and no snapshot refers to the files written so far")]
    Interrupted,
}

impl From<OutputError> for CliError {
    fn from(error: OutputError) -> Self {
        match error {
            OutputError::Query(error) => Self::Query(error),
            OutputError::Write(error) => Self::Write(error),
        }
    }
}

impl CliError {
    /// Writes the message to standard error, and returns the exit code: 1 failed, 2 asked for wrongly, 130 interrupted.
    pub fn report(&self) -> ExitCode {
        // Whoever closed the pipe (`| head`) has seen enough.
        if matches!(self, Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {self}");
        ExitCode::from(match self {
            Self::Interrupted => 130,
            Self::NoInventory(_) | Self::NoCatalogFolder(..) | Self::Location { .. } => 2,
            _ => 1,
        })
    }
}
