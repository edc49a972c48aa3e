//! What the engine's errors are in Python: `earthcatalog.errors` has the classes.

use std::fmt::Display;

use datafusion::common::DataFusionError;
use earthcatalog::commands::CommandError;
use earthcatalog::export::ExportError;
use earthcatalog::query::SqlError;
use earthcatalog::script::ScriptError;
use earthcatalog_plans::table::WarehouseError as EngineWarehouseError;
use pyo3::import_exception;
use pyo3::prelude::*;

import_exception!(earthcatalog.errors, ConflictError);
import_exception!(earthcatalog.errors, DamageError);
import_exception!(earthcatalog.errors, EarthcatalogError);
import_exception!(earthcatalog.errors, InputError);
import_exception!(earthcatalog.errors, WarehouseError);

/// What was asked for cannot be: `what` says why.
pub fn input(what: impl Display) -> PyErr {
    InputError::new_err(what.to_string())
}

/// The exception of a command.
pub fn command(error: CommandError) -> PyErr {
    let message = error.to_string();
    if error.is_conflict() {
        return ConflictError::new_err(message);
    }
    if error.is_damage() {
        return DamageError::new_err(message);
    }
    if error.is_usage() {
        return InputError::new_err(message);
    }
    match &error {
        CommandError::Sql(SqlError::Writes { .. } | SqlError::Refused { .. }) => InputError::new_err(message),
        CommandError::Sql(SqlError::Script(error))
        | CommandError::Script(error)
        | CommandError::Export(ExportError::Script(error)) => script(error),
        CommandError::Pipeline(..) | CommandError::Warehouse(_) | CommandError::Maintenance(_) => {
            WarehouseError::new_err(message)
        }
        CommandError::Query(error) | CommandError::Export(ExportError::Query(error)) if of_warehouse(error) => {
            WarehouseError::new_err(message)
        }
        _ => EarthcatalogError::new_err(message),
    }
}

/// The exception of a statement.
pub fn script(error: &ScriptError) -> PyErr {
    let message = error.to_string();
    match error {
        ScriptError::Statement { source, .. } if of_warehouse(source) => WarehouseError::new_err(message),
        ScriptError::Statement { source, .. } if !of_text(source) => EarthcatalogError::new_err(message),
        _ => InputError::new_err(message),
    }
}

/// The exception of a question, or of its rows on their way to text.
pub fn question(error: impl Into<CommandError>) -> PyErr {
    command(error.into())
}

/// Whether the warehouse could not be opened, read or written.
fn of_warehouse(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::External(error) => error.is::<EngineWarehouseError>(),
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) | DataFusionError::ParquetError(_) => true,
        _ => false,
    }
}

/// Whether the text of a statement is wrong.
fn of_text(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::Plan(_) | DataFusionError::SQL(..) | DataFusionError::SchemaError(..))
}
