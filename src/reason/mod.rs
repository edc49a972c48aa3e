//! [`reason`]: what an error of DataFusion says, without the layers that it went through.

mod words;

use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::sql::sqlparser::parser::ParserError;

use self::words::in_our_words;

/// Columns that a message lists at most.
const LISTED: usize = 12;

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
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => no_column(field, valid_fields),
            other => other.to_string(),
        },
        other => in_our_words(&other.message()).unwrap_or_else(|| other.message().into_owned()),
    }
}

/// That there is no such column, and which may have been meant: DataFusion lists all of a table.
fn no_column(wanted: &Column, columns: &[Column]) -> String {
    let name = wanted.quoted_flat_name();
    let wanted = wanted.name().to_lowercase();
    let distance = |column: &&Column| levenshtein(&wanted, &column.name().to_lowercase());
    let nearest = columns.iter().min_by_key(distance);
    // With more edits than half of its letters, it is another word.
    let is_near = |column: &&Column| distance(column) * 2 <= wanted.chars().count().max(column.name().chars().count());
    let names = |columns: &[Column]| columns.iter().map(Column::quoted_flat_name).collect::<Vec<_>>().join(", ");
    match (nearest.filter(is_near), columns) {
        (Some(nearest), _) => format!("there is no column {name}; did you mean {}?", nearest.quoted_flat_name()),
        (None, []) => format!("there is no column {name}"),
        (None, [one]) => format!("there is no column {name}; there is {}", one.quoted_flat_name()),
        (None, few) if few.len() <= LISTED => format!("there is no column {name}; there are {}", names(few)),
        (None, many) => {
            format!("there is no column {name}; there are {} and {} more", names(&many[..LISTED]), many.len() - LISTED)
        }
    }
}
