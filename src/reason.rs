//! [`reason`]: what an error of DataFusion says, without the layers that it went through.

use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

/// The innermost message: without the names of the layers that an error went through.
pub(crate) fn reason(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => reason(inner),
        DataFusionError::Shared(inner) => reason(inner),
        DataFusionError::External(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(inner) => reason(inner),
            None => inner.to_string(),
        },
        DataFusionError::SQL(error, _) => match error.as_ref() {
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => message.clone(),
            other => other.to_string(),
        },
        other => other.message().into_owned(),
    }
}
