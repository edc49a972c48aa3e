//! [`OptionError`]: what is wrong with an option of `STORED AS STAC`.

use datafusion::common::DataFusionError;
use thiserror::Error;

/// What is wrong with an option.
#[derive(Debug, Error, PartialEq)]
pub enum OptionError {
    #[error("option '{option}' of a STAC table is {value:?}; it must be {accepted}")]
    InvalidValue { option: &'static str, value: String, accepted: String },
    #[error("a STAC table has no option '{option}'; its options are {}", OPTIONS.join(", "))]
    UnknownOption { option: String },
}

impl From<OptionError> for DataFusionError {
    fn from(error: OptionError) -> Self {
        DataFusionError::Plan(error.to_string())
    }
}

pub(super) const OPTIONS: [&str; 12] = [
    "like",
    "objects",
    "chunk_size",
    "limit",
    "since",
    "fetch_concurrency",
    "suffix",
    "max_item_bytes",
    "max_item_cells",
    "format",
    "base",
    "validate",
];
