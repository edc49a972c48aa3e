//! CQL2 in JSON.

use earthcatalog_udfs::parse_geojson;
use serde_json::{Map, Value};

use super::Cql2;
use super::call::{self, Function, MOST_NESTED};

pub(super) fn parse(json: &Value) -> Result<Cql2, String> {
    expression(json, 0)
}

fn expression(json: &Value, depth: usize) -> Result<Cql2, String> {
    if depth > MOST_NESTED {
        return Err(format!("it nests deeper than {MOST_NESTED} levels"));
    }
    Ok(match json {
        Value::Null => Cql2::Null,
        Value::Bool(value) => Cql2::Boolean(*value),
        Value::Number(number) => Cql2::Number(number.as_f64().ok_or_else(|| format!("{number} is too large"))?),
        Value::String(text) => Cql2::Text(text.clone()),
        Value::Array(elements) => Cql2::Array(expressions(elements, depth)?),
        Value::Object(object) => return of_object(object, depth).map_err(|reason| located(reason, json)),
    })
}

fn expressions(elements: &[Value], depth: usize) -> Result<Vec<Cql2>, String> {
    elements.iter().map(|element| expression(element, depth + 1)).collect()
}

fn of_object(object: &Map<String, Value>, depth: usize) -> Result<Cql2, String> {
    if object.contains_key("type") {
        let text = Value::Object(object.clone()).to_string();
        let geometry = parse_geojson(&text)?.ok_or("the geometry is null")?;
        return call::geometry(geometry);
    }
    let members: Vec<(&str, &Value)> = object.iter().map(|(name, value)| (name.as_str(), value)).collect();
    match members.as_slice() {
        [("property", Value::String(name))] => Ok(Cql2::Property(name.clone())),
        [("timestamp", Value::String(text))] => call::timestamp(text),
        [("date", Value::String(text))] => call::date(text),
        [("interval", Value::Array(ends))] => match <[Cql2; 2]>::try_from(expressions(ends, depth)?) {
            Ok([start, end]) => call::interval(start, end),
            Err(_) => Err("an interval has a start and an end".to_owned()),
        },
        [("bbox", Value::Array(sides))] => call::bbox(&expressions(sides, depth)?),
        [("op", Value::String(op)), ("args", Value::Array(args))]
        | [("args", Value::Array(args)), ("op", Value::String(op))] => {
            let function = Function::named(op).ok_or_else(|| format!("there is no operator {op}"))?;
            match (function, args.as_slice()) {
                // As drafts of the standard had it, and clients still do.
                (Function::Between, [value, Value::Array(bounds)]) => {
                    let operands = std::iter::once(value).chain(bounds).map(|operand| expression(operand, depth + 1));
                    function.call(operands.collect::<Result<_, _>>()?)
                }
                _ => function.call(expressions(args, depth)?),
            }
        }
        _ => Err(
            "an object is {\"op\": …, \"args\": […]}, {\"property\": …}, {\"timestamp\": …}, {\"date\": …}, {\"interval\": […]}, {\"bbox\": […]} or a GeoJSON geometry"
                .to_owned(),
        ),
    }
}

/// The reason with the innermost part of the JSON that has it.
fn located(reason: String, json: &Value) -> String {
    const IN: &str = ", in {";
    const LONGEST: usize = 200;
    if reason.contains(IN) {
        return reason;
    }
    let text = json.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{reason}, in {}…", &text[..end]),
        None => format!("{reason}, in {text}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_however_they_are_written() {
        for text in ["0.10", "1e-1", "0.1000"] {
            let filter = format!(r#"{{"op":"<","args":[{{"property":"a"}},{text}]}}"#);
            let read = parse(&serde_json::from_str(&filter).unwrap()).unwrap();
            let expected = vec![Cql2::Property("a".into()), Cql2::Number(0.1)];
            assert_eq!(read, Cql2::Call(Function::Lt, expected));
        }
    }

    #[test]
    fn the_bounds_of_between_may_be_a_list() {
        let read = |args: Value| parse(&json!({"op": "between", "args": args}));
        assert_eq!(read(json!([{"property": "a"}, [1, 2]])), read(json!([{"property": "a"}, 1, 2])));
        assert!(read(json!([{"property": "a"}, [1]])).unwrap_err().contains("between takes 3 arguments, and has 2"));
    }

    #[test]
    fn the_part_that_is_wrong_is_named() {
        for (filter, words) in [
            (
                json!({"op": "and", "args": [true, {"op": "near", "args": []}]}),
                "there is no operator near, in {\"op\":\"near\"",
            ),
            (json!({"op": "=", "args": [1]}), "= takes 2 arguments, and has 1, in {"),
            (json!({"timestamp": "2020"}), "\"2020\" is not a time"),
            (json!({"date": "2020-02-30"}), "is not a date"),
            (json!({"property": "a", "x": 1}), "an object is {\"op\""),
            (json!({"type": "Point", "coordinates": []}), "the geometry is empty"),
            (json!({"bbox": [1, 2, 3]}), "is no box"),
            (json!({"interval": ["2020-01-01T00:00:00Z"]}), "an interval has a start and an end"),
        ] {
            let error = parse(&filter).unwrap_err();
            assert!(error.contains(words), "{filter}: {error}");
        }
    }

    #[test]
    fn what_nests_too_deep_is_refused() {
        let nested = |levels| (0..levels).fold(json!(true), |inner, _| json!({"op": "not", "args": [inner]}));
        assert!(parse(&nested(MOST_NESTED)).is_ok());
        assert!(parse(&nested(MOST_NESTED + 1)).unwrap_err().contains("nests deeper than"));
    }
}
