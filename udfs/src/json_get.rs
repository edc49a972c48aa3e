//! `json -> key` and `json ->> key`: members of JSON texts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{DFSchema, Result, exec_datafusion_err, plan_err};
use datafusion::functions::utils::make_scalar_function;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::sqlparser::ast::BinaryOperator;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sonic_rs::{JsonType, JsonValueTrait, LazyValue, PointerNode};

/// `json_get(json, key) -> Utf8View`: a member of an object by its name, or an element of an array by its zero-based
/// index, as JSON text; in SQL also `json -> key`, but behind a bare column, where the parser reads a lambda.
///
/// Null if an argument is null, and where there is no such member. Errors: text that is no JSON up to the member.
pub fn json_get_udf() -> ScalarUDF {
    JsonGet::new("json_get", Form::Json).into()
}

/// `json_get_text(json, key) -> Utf8View`: as [`json_get_udf`], but a string is its text, and JSON's `null` is null;
/// in SQL also `json ->> key`. Numbers are cast: `CAST(properties ->> 'eo:cloud_cover' AS DOUBLE) < 10`.
pub fn json_get_text_udf() -> ScalarUDF {
    JsonGet::new("json_get_text", Form::Text).into()
}

/// `json_get_scalar(json, key) -> Utf8View`: as [`json_get_text_udf`], but an object or a list is null.
pub fn json_get_scalar_udf() -> ScalarUDF {
    JsonGet::new("json_get_scalar", Form::Scalar).into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Json,
    Text,
    Scalar,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonGet {
    name: &'static str,
    form: Form,
    signature: Signature,
}

impl JsonGet {
    fn new(name: &'static str, form: Form) -> Self {
        Self { name, form, signature: Signature::user_defined(Volatility::Immutable) }
    }

    fn member(&self, json: &str, key: PointerNode) -> Result<Option<String>> {
        let found: LazyValue<'_> = match sonic_rs::get(json, &[key]) {
            Ok(found) => found,
            Err(e) if e.is_not_found() || e.is_unmatched_type() => return Ok(None),
            Err(e) => return Err(exec_datafusion_err!("{}: the text is no JSON: {e}", self.name)),
        };
        Ok(match (self.form, found.get_type()) {
            (Form::Scalar, JsonType::Object | JsonType::Array) => None,
            (Form::Text | Form::Scalar, JsonType::Null) => None,
            (Form::Text | Form::Scalar, JsonType::String) => found.as_str().map(str::to_owned),
            _ => Some(found.as_raw_str().to_owned()),
        })
    }

    fn members(&self, texts: &ArrayRef, keys: &ArrayRef) -> Result<ArrayRef> {
        let mut members = StringViewBuilder::with_capacity(texts.len());
        let texts = texts.as_string_view().iter();
        let mut append = |json: Option<&str>, key: Option<PointerNode>| -> Result<()> {
            members.append_option(match json.zip(key) {
                Some((json, key)) => self.member(json, key)?,
                None => None,
            });
            Ok(())
        };
        if let Some(indexes) = keys.as_primitive_opt::<Int64Type>() {
            let index = |i: i64| usize::try_from(i).ok().map(PointerNode::Index);
            texts.zip(indexes).try_for_each(|(json, i)| append(json, i.and_then(index)))?;
        } else {
            let name = |name: &str| PointerNode::Key(name.to_owned().into());
            texts.zip(keys.as_string_view()).try_for_each(|(json, key)| append(json, key.map(name)))?;
        }
        Ok(Arc::new(members.finish()))
    }
}

impl ScalarUDFImpl for JsonGet {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let is_text = |t: &DataType| t.is_string() || t.is_null();
        match types {
            [json, key] if is_text(json) && is_text(key) => Ok(vec![DataType::Utf8View, DataType::Utf8View]),
            [json, index] if is_text(json) && index.is_integer() => Ok(vec![DataType::Utf8View, DataType::Int64]),
            _ => plan_err!(
                "{} takes a JSON text and a name or an index, as in properties ->> 'eo:cloud_cover'",
                self.name
            ),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        make_scalar_function(|args| self.members(&args[0], &args[1]), vec![])(&args.args)
    }
}

/// Reads the operators `->` and `->>`.
#[derive(Debug)]
pub struct JsonOperators;

impl ExprPlanner for JsonOperators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, _: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let function = match expr.op {
            BinaryOperator::Arrow => json_get_udf(),
            BinaryOperator::LongArrow => json_get_text_udf(),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let call: Expr = function.call(vec![expr.left, expr.right]);
        Ok(PlannerResult::Planned(call))
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
        let item = r#"'{"eo:cloud_cover": 7.5, "platform": "L\u0038", "bands": [{"name": "B1"}, 2], "none": null}'"#;
        let source = format!("SELECT properties FROM (VALUES ({item})) AS t(properties)");
        testing::answer(&session, &format!("SELECT {sql} AS answer FROM ({source})")).await
    }

    #[tokio::test]
    async fn members_are_found_by_name_and_index() {
        for (sql, expected) in [
            ("properties ->> 'eo:cloud_cover'", "7.5"),
            ("CAST(properties ->> 'eo:cloud_cover' AS DOUBLE) < 10", "true"),
            ("properties ->> 'platform'", "L8"),
            ("json_get(properties, 'platform')", r#""L\u0038""#),
            ("json_get(properties, 'bands') -> 0 ->> 'name'", "B1"),
            ("properties ->> 'bands' ->> 1", "2"),
            ("properties ->> 'missing'", ""),
            ("properties ->> 'bands' ->> 9", ""),
            ("properties ->> 'none'", ""),
            ("json_get(properties, 'none')", "null"),
            ("CAST(NULL AS VARCHAR) ->> 'a'", ""),
            ("json_get_text('[1, 2]', 1)", "2"),
            ("json_get_scalar(properties, 'platform')", "L8"),
            ("json_get_scalar(properties, 'eo:cloud_cover')", "7.5"),
            ("json_get_scalar(properties, 'bands')", ""),
            ("json_get_scalar(properties, 'none')", ""),
            ("'7' ->> 'a'", ""),
        ] {
            assert_eq!(answer(sql).await.unwrap(), expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn errors_say_what_is_wrong() {
        let error = answer("'{' ->> 'a'").await.unwrap_err().to_string();
        assert!(error.contains("json_get_text: the text is no JSON"), "{error}");
        let error = answer("properties ->> 1.5").await.unwrap_err().to_string();
        assert!(error.contains("takes a JSON text and a name or an index"), "{error}");
    }
}
