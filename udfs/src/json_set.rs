//! `json_set(json, key, value)`: JSON objects with a member changed.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use earthcatalog_stac_rows::canonical::write_text;
use serde_json::value::RawValue;
use sonic_rs::LazyValue;

/// `json_set(json, key, value) -> Utf8View`: an object with member `key` set to a value: JSON text, a number or a boolean.
/// Other members stay as they are written, and where they are.
///
/// A null value removes the member; a null object is an empty one; null if `key` is null. Errors: `json` is no object;
/// `value` is no JSON.
pub fn json_set_udf() -> ScalarUDF {
    JsonSet::new("json_set", Form::Json).into()
}

/// `json_set_text(json, key, text) -> Utf8View`: as [`json_set_udf`], but the member is the text, or a time in RFC 3339.
pub fn json_set_text_udf() -> ScalarUDF {
    JsonSet::new("json_set_text", Form::Text).into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Json,
    Text,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonSet {
    name: &'static str,
    form: Form,
    signature: Signature,
}

impl JsonSet {
    fn new(name: &'static str, form: Form) -> Self {
        Self { name, form, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn set(&self, json: Option<&str>, key: &str, value: Option<&str>) -> Result<Option<String>> {
        if json.is_none() && value.is_none() {
            return Ok(None);
        }
        let mut of_value = vec![];
        match (self.form, value) {
            (_, None) => {}
            (Form::Text, Some(text)) => write_text(&mut of_value, text),
            (Form::Json, Some(json)) => {
                serde_json::from_str::<&RawValue>(json).map_err(|e| {
                    exec_datafusion_err!("{}: {json:?} is no JSON: {e}; json_set_text takes a text", self.name)
                })?;
                of_value.extend_from_slice(json.trim().as_bytes());
            }
        }
        let mut value = (!of_value.is_empty()).then_some(of_value.as_slice());
        let mut out = Vec::with_capacity(json.map_or(0, str::len) + of_value.len() + key.len() + 8);
        let mut put = |name: &str, value: &[u8]| {
            out.push(if out.is_empty() { b'{' } else { b',' });
            write_text(&mut out, name);
            out.push(b':');
            out.extend_from_slice(value);
        };
        for member in json.into_iter().flat_map(sonic_rs::to_object_iter) {
            let (name, old): (_, LazyValue<'_>) =
                member.map_err(|e| exec_datafusion_err!("{}: the text is no JSON object: {e}", self.name))?;
            if name != key {
                put(&name, old.as_raw_str().as_bytes());
            } else if let Some(new) = value.take() {
                put(key, new);
            }
        }
        if let Some(new) = value {
            put(key, new);
        }
        if out.is_empty() {
            out.push(b'{');
        }
        out.push(b'}');
        let text = String::from_utf8(out).map_err(|e| exec_datafusion_err!("{}: {e}", self.name))?;
        Ok(Some(text))
    }
}

impl ScalarUDFImpl for JsonSet {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let is_text = |t: &DataType| t.is_string() || t.is_null();
        let is_value = |t: &DataType| match self.form {
            Form::Json => is_text(t) || t.is_numeric() || matches!(t, DataType::Boolean),
            Form::Text => is_text(t) || matches!(t, DataType::Timestamp(..)),
        };
        match types {
            [json, key, value] if is_text(json) && is_text(key) && is_value(value) => {
                Ok(vec![DataType::Utf8View; types.len()])
            }
            _ => plan_err!(
                "{} takes a JSON object, a name and a value, as in {}",
                self.name,
                match self.form {
                    Form::Json => "json_set(properties, 'eo:cloud_cover', 12.5); json_set_text takes texts and times",
                    Form::Text => "json_set_text(properties, 'title', 'a title'); json_set takes numbers and JSON",
                }
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let objects = |args: &[ArrayRef]| {
            let [texts, keys, values] = [0, 1, 2].map(|i| args[i].as_string_view().iter());
            let object = |((json, key), value): ((_, Option<&str>), _)| match key {
                Some(key) => self.set(json, key, value),
                None => Ok(None),
            };
            let objects = texts.zip(keys).zip(values).map(object).collect::<Result<StringViewArray>>()?;
            Ok(Arc::new(objects) as ArrayRef)
        };
        make_scalar_function(objects, vec![])(&args.args)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::testing;

    async fn answer(sql: &str) -> Result<String> {
        let session = SessionContext::new();
        crate::register(&session)?;
        let item = r#"'{"a" : 1.50, "b": {"c": [1, 2]}, "\u00e9": null}'"#;
        let source = format!("SELECT o FROM (VALUES ({item})) AS t(o)");
        testing::answer(&session, &format!("SELECT {sql} AS answer FROM ({source})")).await
    }

    #[tokio::test]
    async fn a_member_is_set_added_or_removed_and_the_others_stay_as_they_are() {
        for (sql, expected) in [
            ("json_set(o, 'a', 2)", r#"{"a":2,"b":{"c": [1, 2]},"é":null}"#),
            ("json_set(o, 'b', '[true]')", r#"{"a":1.50,"b":[true],"é":null}"#),
            ("json_set(o, 'é', 'null')", r#"{"a":1.50,"b":{"c": [1, 2]},"é":null}"#),
            ("json_set(o, 'é', NULL)", r#"{"a":1.50,"b":{"c": [1, 2]}}"#),
            ("json_set(o, 'd', 12.5)", r#"{"a":1.50,"b":{"c": [1, 2]},"é":null,"d":12.5}"#),
            ("json_set(o, 'd', true)", r#"{"a":1.50,"b":{"c": [1, 2]},"é":null,"d":true}"#),
            ("json_set_text(o, 'd', 'say \"x\"')", r#"{"a":1.50,"b":{"c": [1, 2]},"é":null,"d":"say \"x\""}"#),
            (
                "json_set_text('{}', 't', arrow_cast('2020-01-02T03:04:05', 'Timestamp(Microsecond, Some(\"UTC\"))'))",
                r#"{"t":"2020-01-02T03:04:05Z"}"#,
            ),
            ("json_set(o, 'b', json_set(json_get(o, 'b'), 'c', 3))", r#"{"a":1.50,"b":{"c":3},"é":null}"#),
            (r#"json_set('{"a": 1, "a": 2}', 'a', 3)"#, r#"{"a":3}"#),
            ("json_set('{}', 'a', NULL)", "{}"),
            ("json_set(NULL, 'a', 1)", r#"{"a":1}"#),
            ("json_set(NULL, 'a', NULL)", ""),
            ("json_set(o, NULL, 1)", ""),
        ] {
            assert_eq!(answer(sql).await.unwrap(), expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn errors_say_what_is_wrong() {
        for (sql, words) in [
            ("json_set(o, 'a', 'text')", "\"text\" is no JSON"),
            ("json_set(o, 'a', CAST('NaN' AS DOUBLE))", "is no JSON"),
            ("json_set('[1]', 'a', 1)", "is no JSON object"),
            ("json_set('{\"a\": ', 'a', 1)", "is no JSON object"),
            ("json_set(o, 'a', now())", "json_set_text takes texts and times"),
            ("json_set_text(o, 'a', 1)", "json_set takes numbers and JSON"),
            ("json_set(o, 'a')", "takes a JSON object, a name and a value"),
        ] {
            let error = answer(sql).await.unwrap_err().to_string();
            assert!(error.contains(words), "{sql}: {error}");
        }
    }
}
