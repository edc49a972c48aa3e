//! [`SearchError`]: why a search cannot be asked.

use datafusion::common::DataFusionError;
use thiserror::Error;

/// The names of all parameters.
pub const PARAMETERS: [&str; 13] = [
    "bbox",
    "intersects",
    "datetime",
    "ids",
    "collections",
    "q",
    "filter",
    "filter-lang",
    "filter-crs",
    "query",
    "sortby",
    "fields",
    "limit",
];

/// Why a search cannot be asked. The message begins with the parameter.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum SearchError {
    #[error("{parameter}: {reason}")]
    Parameter { parameter: &'static str, reason: String },
    #[error("{0}: there is no such parameter; there are {known}", known = PARAMETERS.join(", "))]
    Unknown(String),
    #[error("the parameters are not a JSON object ({0}); give one, as in {{\"bbox\": [5, 45, 10, 48], \"limit\": 10}}")]
    NotAnObject(String),
}

impl SearchError {
    pub(super) fn new(parameter: &'static str, reason: impl ToString) -> Self {
        Self::Parameter { parameter, reason: reason.to_string() }
    }

    /// The name of the parameter that is wrong, if it is one.
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::Parameter { parameter, .. } => Some(parameter),
            Self::Unknown(name) => Some(name),
            Self::NotAnObject(_) => None,
        }
    }
}

impl From<SearchError> for DataFusionError {
    fn from(error: SearchError) -> Self {
        Self::Plan(format!("stac_search: {error}"))
    }
}
