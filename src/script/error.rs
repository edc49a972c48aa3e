//! Why a script does not run, and where in it.

use std::fmt;

use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::tokenizer::Location;
use thiserror::Error;

use super::missing::MissingTable;
use crate::reason::reason;

/// Script, line and column, as editors and compilers write it: `sql/ingest.sql:12:1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub script: String,
    /// One-based.
    pub line: u64,
    /// One-based, in characters.
    pub column: u64,
}

impl Place {
    pub(super) fn new(script: &str, at: Location) -> Self {
        Self { script: script.to_owned(), line: at.line, column: at.column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.script, self.line, self.column)
    }
}

impl ScriptError {
    /// What is wrong, without the place and the text of the statement: for scripts that nobody has written who reads it.
    pub fn without_place(&self) -> String {
        match self {
            Self::Declaration { reason, .. } | Self::Argument { reason, .. } => reason.clone(),
            Self::UnknownParameter { .. } => self.to_string(),
            Self::Parse { message, .. } => message.clone(),
            Self::NoTable { table, .. } => table.to_string(),
            Self::Statement { source, .. } => reason(source),
        }
    }
}

/// Why a script cannot be read, bound or run.
#[derive(Debug, Error)]
pub enum ScriptError {
    #[error("{reason}\n   --> {place}")]
    Declaration { place: Place, reason: String },
    #[error("{script} has no parameter ${name}; it declares {declared}")]
    UnknownParameter { script: String, name: String, declared: String },
    #[error("{reason}\n   --> {place}{quote}")]
    Argument { place: Place, reason: String, quote: String },
    #[error("{message}\n   --> {place}{quote}")]
    Parse { place: Place, message: String, quote: String },
    /// A statement names a table that there is not.
    #[error("{table}\n   --> {place}{quote}")]
    NoTable { place: Place, quote: String, table: Box<MissingTable> },
    /// DataFusion could not plan or run a statement.
    #[error("{}\n   --> {place}{quote}", reason(source))]
    Statement { place: Place, quote: String, source: Box<DataFusionError> },
}
