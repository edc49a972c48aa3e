//! `member_column(column, new, old, properties)`: what an UPDATE writes into a column with JSON text.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use serde_json::Value;
use serde_json::value::RawValue;

/// `member_column(column, new, old, properties) -> Utf8View`: `new`, where column `properties`, `assets` or `links` of an Item
/// may have it in place of `old`. `properties` lists the names of the properties that have columns of their own, in JSON.
///
/// Null for null, and for `properties` without any. Errors: `new` is no JSON object (no list, of `links`); a member of it that
/// has a column is not as it was in `old`.
pub fn member_column_udf() -> ScalarUDF {
    MemberColumn { signature: Signature::uniform(4, vec![DataType::Utf8View], Volatility::Immutable) }.into()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MemberColumn {
    signature: Signature,
}

impl ScalarUDFImpl for MemberColumn {
    fn name(&self) -> &str {
        "member_column"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter().map(|arg| arg.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        let [column, new, old, properties] = [0, 1, 2, 3].map(|i| columns[i].as_string_view());
        let mut checked = StringViewBuilder::with_capacity(args.number_rows);
        for i in 0..args.number_rows {
            let old = old.is_valid(i).then(|| old.value(i));
            let text = match new.is_valid(i).then(|| new.value(i)) {
                Some(text) if Some(text) != old => check(column.value(i), text, old, properties.value(i))?,
                same => same,
            };
            checked.append_option(text);
        }
        let checked: ArrayRef = Arc::new(checked.finish());
        Ok(ColumnarValue::Array(checked))
    }
}

/// By name, as JSON text.
type Members<'a> = BTreeMap<String, &'a RawValue>;

fn check<'a>(column: &str, new: &'a str, old: Option<&str>, properties: &str) -> Result<Option<&'a str>> {
    if column == "links" {
        return match serde_json::from_str::<Vec<&RawValue>>(new) {
            Ok(_) => Ok(Some(new)),
            Err(e) => exec_err!("{column} would be {}, which is no JSON list: {e}", excerpt(new)),
        };
    }
    let members = |json| serde_json::from_str::<Members>(json);
    let there = members(new)
        .map_err(|e| exec_datafusion_err!("{column} would be {}, which is no JSON object: {e}", excerpt(new)))?;
    let names: Vec<String> = serde_json::from_str(properties).map_err(|e| exec_datafusion_err!("{e}"))?;
    // What a table has is JSON.
    let before = old.and_then(|old| members(old).ok()).unwrap_or_default();
    let value = |of: &Members, name: &String| of.get(name).map(|json| serde_json::from_str::<Value>(json.get()).ok());
    match names.iter().find(|name| value(&there, name) != value(&before, name)) {
        Some(name) => exec_err!(
            "property {name} has a column of its own, and would be another one in {column}; set the column, as in SET \"{}\" = …",
            name.replace(':', "_")
        ),
        None => Ok(Some(new).filter(|_| column != "properties" || !there.is_empty())),
    }
}

/// The beginning of a long text.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_passes_and_a_member_with_a_column_must_stay_as_it_was() {
        let names = r#"["platform", "eo:cloud_cover"]"#;
        for (column, new, old, expected) in [
            ("properties", r#"{"a": 1}"#, None, Ok(Some(r#"{"a": 1}"#))),
            ("properties", "{}", Some(r#"{"a": 1}"#), Ok(None)),
            (
                "properties",
                r#"{"platform": 5, "a": 2}"#,
                Some(r#"{"platform":5}"#),
                Ok(Some(r#"{"platform": 5, "a": 2}"#)),
            ),
            ("properties", r#"{"platform": "L8"}"#, Some("{}"), Err("set the column, as in SET \"platform\"")),
            ("properties", "{}", Some(r#"{"eo:cloud_cover": "x"}"#), Err("SET \"eo_cloud_cover\"")),
            ("properties", "[1]", None, Err("is no JSON object")),
            ("properties", "{\"a\": 1", None, Err("is no JSON object")),
            ("links", "[]", None, Ok(Some("[]"))),
            ("links", "{}", None, Err("is no JSON list")),
        ] {
            match (check(column, new, old, names), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{new}"),
                (Err(e), Err(words)) => assert!(e.to_string().contains(words), "{new}: {e}"),
                (found, _) => panic!("{column}, {new}: {found:?}"),
            }
        }
        assert_eq!(check("assets", "{}", None, "[]").unwrap(), Some("{}"));
    }
}
