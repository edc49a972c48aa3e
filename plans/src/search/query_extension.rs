//! Parameter `query`: conditions on properties, by STAC API's query extension.

use serde_json::Value;

use super::cql2::{Cql2, Function};

/// Reads `{"eo:cloud_cover": {"lt": 10}}` as a condition each.
pub(super) fn parse(value: &Value) -> Result<Vec<Cql2>, String> {
    let properties = value.as_object().ok_or_else(|| format!("{value} is not an object of properties"))?;
    let mut conditions = vec![];
    for (property, operators) in properties {
        let object = operators.as_object();
        let object = object.ok_or_else(|| format!("{property}: {operators} is not an object of operators"))?;
        for (operator, value) in object {
            let condition = condition(property, operator, value);
            conditions.push(condition.map_err(|reason| format!("{property}: {reason}"))?);
        }
    }
    Ok(conditions)
}

fn condition(property: &str, operator: &str, value: &Value) -> Result<Cql2, String> {
    let call = |function, value| Cql2::Call(function, vec![Cql2::Property(property.to_owned()), value]);
    let is_null = || Cql2::Call(Function::IsNull, vec![Cql2::Property(property.to_owned())]);
    let like = |before: &str, after: &str| match value {
        Value::String(text) => Ok(call(Function::Like, Cql2::Text(format!("{before}{}{after}", escaped(text))))),
        other => Err(format!("{operator} takes a text, not {other}")),
    };
    Ok(match operator {
        "eq" if value.is_null() => is_null(),
        "neq" if value.is_null() => Cql2::Call(Function::Not, vec![is_null()]),
        "eq" => call(Function::Eq, constant(value)?),
        "neq" => call(Function::NotEq, constant(value)?),
        "lt" => call(Function::Lt, bound(value)?),
        "lte" => call(Function::LtEq, bound(value)?),
        "gt" => call(Function::Gt, bound(value)?),
        "gte" => call(Function::GtEq, bound(value)?),
        "startsWith" => like("", "%")?,
        "endsWith" => like("%", "")?,
        "contains" => like("%", "%")?,
        "in" => {
            let list = value.as_array().ok_or_else(|| format!("in takes a list, not {value}"))?;
            call(Function::In, Cql2::Array(list.iter().map(constant).collect::<Result<_, _>>()?))
        }
        other => {
            return Err(format!(
                "there is no operator {other}; there are eq, neq, lt, lte, gt, gte, startsWith, endsWith, contains, in"
            ));
        }
    })
}

fn constant(value: &Value) -> Result<Cql2, String> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Cql2::from_json(value),
        other => Err(format!("{other} is not a text, a number or a boolean")),
    }
}

/// A constant that comes before others or behind them: a text that is a number is one, as forms have them.
fn bound(value: &Value) -> Result<Cql2, String> {
    match value.as_str().map(serde_json::from_str::<Value>) {
        Some(Ok(number @ Value::Number(_))) => constant(&number),
        _ => constant(value),
    }
}

/// The text as a pattern that it alone matches.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operators_are_those_of_cql2() {
        for (query, text) in [
            (json!({"a": {"eq": "x"}}), "a = 'x'"),
            (json!({"a": {"neq": 1.5}}), "a <> 1.5"),
            (json!({"a": {"gte": "50"}}), "a >= 50"),
            (json!({"a": {"lt": "007"}}), "a < '007'"),
            (json!({"a": {"eq": "50"}}), "a = '50'"),
            (json!({"a": {"eq": null}}), "a IS NULL"),
            (json!({"a": {"neq": null}}), "a IS NOT NULL"),
            (json!({"a": {"in": ["x", 1, true]}}), "a IN ('x', 1, TRUE)"),
            (json!({"a": {"startsWith": "50%_\\"}}), r"a LIKE '50\%\_\\%'"),
            (json!({"a": {"endsWith": "x"}}), "a LIKE '%x'"),
            (json!({"a": {"contains": "x"}}), "a LIKE '%x%'"),
        ] {
            assert_eq!(parse(&query), Ok(vec![Cql2::from_text(text).unwrap()]), "{query}");
        }
        for (query, words) in [
            (json!([]), "[] is not an object of properties"),
            (json!({"a": 1}), "a: 1 is not an object of operators"),
            (json!({"a": {"lt": [1]}}), "a: [1] is not a text, a number or a boolean"),
            (json!({"a": {"in": 1}}), "a: in takes a list"),
            (json!({"a": {"contains": 1}}), "a: contains takes a text"),
        ] {
            assert!(parse(&query).unwrap_err().contains(words), "{query}");
        }
    }
}
