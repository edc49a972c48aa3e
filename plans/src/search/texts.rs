//! Texts, and lists of texts, in parameters.

use serde_json::Value;

pub(super) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is not a text"))
}

/// A list of texts, or a text with commas.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(list) => Ok(list.split(',').map(|part| part.trim().to_owned()).collect()),
        Value::Array(list) => list.iter().map(|value| text(value).map(str::to_owned)).collect(),
        other => Err(format!("{other} is not a list of texts")),
    }
}
