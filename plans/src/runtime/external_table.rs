//! What the table factories read of `CREATE EXTERNAL TABLE`.

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::CreateExternalTable;

/// The location of a statement.
///
/// Errors: it has none, or more than one.
pub(crate) fn one_location(statement: &CreateExternalTable) -> Result<&str> {
    match statement.locations.as_slice() {
        [location] => Ok(location),
        several => plan_err!("{}: LOCATION is one path or URL, not {}", statement.name, several.len()),
    }
}
