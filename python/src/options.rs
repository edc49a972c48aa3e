//! [`Options`]: the keyword arguments of a command.

use std::fmt::Display;
use std::str::FromStr;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors;

/// Keyword arguments by name. `None` is as good as not given.
pub struct Options<'a, 'py>(pub &'a Bound<'py, PyDict>);

impl Options<'_, '_> {
    /// The value of an option, as it is.
    pub fn get<T: for<'a> FromPyObject<'a, 'a>>(&self, name: &str) -> PyResult<Option<T>> {
        let Some(value) = self.0.get_item(name)?.filter(|value| !value.is_none()) else { return Ok(None) };
        let wrong = |error: PyErr| errors::input(format!("{name}: {}", error.value(self.0.py())));
        value.extract().map(Some).map_err(|error: <T as FromPyObject<'_, '_>>::Error| wrong(error.into()))
    }

    /// Whether an option is set.
    pub fn flag(&self, name: &str) -> PyResult<bool> {
        Ok(self.get(name)?.unwrap_or_default())
    }

    /// The value of an option that `read` makes of its text.
    pub fn read<T, E: Display>(&self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> PyResult<Option<T>> {
        let Some(value) = self.0.get_item(name)?.filter(|value| !value.is_none()) else { return Ok(None) };
        let text = value.str()?.to_string();
        read(&text).map(Some).map_err(|e| errors::input(format!("{name} {text}: {e}")))
    }

    /// The value of an option that its text is.
    pub fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> PyResult<Option<T>> {
        self.read(name, str::parse)
    }
}
