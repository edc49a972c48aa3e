//! What the table factories read of `CREATE EXTERNAL TABLE`.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::CreateExternalTable;

/// The location of a statement.
///
/// Errors: it has none, or more than one.
pub(crate) fn one_location(statement: &CreateExternalTable) -> Result<&str> {
    match location_if_any(statement)? {
        Some(location) => Ok(location),
        None => plan_err!("{}: LOCATION is empty; name a path or URL", statement.name),
    }
}

/// The location of a statement; `None` where it is empty, as that of a table that knows its own may be.
///
/// Errors: there is more than one.
pub(crate) fn location_if_any(statement: &CreateExternalTable) -> Result<Option<&str>> {
    match statement.locations.as_slice() {
        [location] => Ok(Some(location.as_str()).filter(|location| !location.is_empty())),
        several => plan_err!("{}: LOCATION is one path or URL, not {}", statement.name, several.len()),
    }
}
