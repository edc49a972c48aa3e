//! [`Shape`]: the type that all values of a member share.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use chrono::{DateTime, Timelike, Utc};
use earthcatalog_plans::model::items::{is_exact_float, write_time};
use serde_json::Value;

/// What the values of a member have in common.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Shape {
    /// There is none but null.
    #[default]
    Nothing,
    Boolean,
    Integer,
    Number,
    Text,
    /// RFC 3339, to the microsecond.
    Time,
    List(Box<Shape>),
    Object(BTreeMap<String, Shape>),
    /// Values of several types, each as JSON text.
    Mixed,
}

impl Shape {
    /// The shape of `self` and a value; `is_time` where text that is a time is one.
    pub fn observe(&mut self, value: &Value, is_time: bool) {
        let of_value = match value {
            Value::Null => return,
            Value::Bool(_) => Self::Boolean,
            Value::Number(n) if n.as_i64().is_some() => Self::Integer,
            Value::Number(_) => Self::Number,
            Value::String(text) if is_time && micros(text).is_some() => Self::Time,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List(Box::default()),
            Value::Object(_) => Self::Object(BTreeMap::new()),
        };
        *self = match (std::mem::take(self), of_value) {
            (Self::Nothing, other) => other,
            (known, other) if known == other => known,
            (Self::Integer | Self::Number, Self::Integer | Self::Number) => Self::Number,
            (Self::Time | Self::Text, Self::Time | Self::Text) => Self::Text,
            (known @ Self::List(_), Self::List(_)) | (known @ Self::Object(_), Self::Object(_)) => known,
            _ => Self::Mixed,
        };
        match (self, value) {
            (Self::List(element), Value::Array(values)) => values.iter().for_each(|v| element.observe(v, false)),
            (Self::Object(members), Value::Object(values)) => {
                for (name, value) in values {
                    match members.get_mut(name) {
                        Some(shape) => shape.observe(value, false),
                        None => members.entry(name.clone()).or_default().observe(value, false),
                    }
                }
            }
            _ => {}
        }
    }

    /// The type of a column; `None` if there is nothing to put into it.
    pub fn data_type(&self) -> Option<DataType> {
        Some(match self {
            Self::Nothing => return None,
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Text | Self::Mixed => DataType::Utf8,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::List(element) => {
                let element = element.data_type().unwrap_or(DataType::Utf8);
                DataType::List(Arc::new(Field::new("element", element, true)))
            }
            Self::Object(members) => {
                let field = |(name, shape): (&String, &Self)| Some(Field::new(name, shape.data_type()?, true));
                let fields: Fields = members.iter().filter_map(field).collect();
                if fields.is_empty() { empty_objects() } else { DataType::Struct(fields) }
            }
        })
    }

    /// Adds the paths of members whose values are of several types, `path` being that of this shape.
    pub fn find_mixed(&self, path: &str, found: &mut Vec<String>) {
        match self {
            Self::Mixed => found.push(path.to_owned()),
            Self::List(element) => element.find_mixed(path, found),
            Self::Object(members) => {
                members.iter().for_each(|(name, shape)| shape.find_mixed(&format!("{path}.{name}"), found));
            }
            _ => {}
        }
    }

    /// Makes `value` one of this shape; whether a reader gets it back as it was.
    pub fn fit(&self, value: &mut Value) -> bool {
        match (self, &mut *value) {
            // Null and absent are the same in a struct.
            (_, Value::Null) => false,
            (Self::Mixed, value) => {
                *value = Value::String(value.to_string());
                false
            }
            (Self::Number, Value::Number(number)) => {
                let literal = number.to_string();
                let is_finite = number.as_f64().is_some_and(f64::is_finite);
                if !is_finite {
                    // A float has no such number.
                    *value = Value::Null;
                }
                is_finite && is_exact_float(&literal)
            }
            (Self::Time, Value::String(text)) => {
                let mut canonical = vec![];
                micros(text).is_some_and(|micros| write_time(&mut canonical, micros))
                    && canonical.trim_ascii() == format!("\"{text}\"").as_bytes()
            }
            (Self::List(element), Value::Array(values)) => {
                // In a list, null is null.
                values.iter_mut().fold(true, |exact, v| (v.is_null() || element.fit(v)) & exact)
            }
            (Self::Object(members), Value::Object(values)) => {
                let mut is_exact = true;
                values.retain(|name, value| match members.get(name) {
                    // All of its values are null.
                    Some(shape) if shape.data_type().is_none() => {
                        is_exact = false;
                        false
                    }
                    Some(shape) => {
                        is_exact &= shape.fit(value);
                        true
                    }
                    None => false,
                });
                is_exact
            }
            _ => true,
        }
    }
}

/// The time in microseconds since 1970, if it is one to the microsecond.
fn micros(text: &str) -> Option<i64> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    (time.nanosecond() % 1_000 == 0).then_some(time.timestamp_micros())
}

/// Parquet has no struct without members.
fn empty_objects() -> DataType {
    let entries =
        Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape(values: &[Value], is_time: bool) -> Shape {
        let mut shape = Shape::default();
        values.iter().for_each(|value| shape.observe(value, is_time));
        shape
    }

    #[test]
    fn a_shape_holds_all_values_that_it_has_seen() {
        assert_eq!(shape(&[json!(1), json!(2)], false), Shape::Integer);
        assert_eq!(shape(&[json!(1), json!(2.5), json!(3)], false), Shape::Number);
        assert_eq!(shape(&[json!(1), json!("x")], false), Shape::Mixed);
        assert_eq!(shape(&[json!("x"), json!(1), json!([])], false), Shape::Mixed);
        assert_eq!(shape(&[json!(null)], false), Shape::Nothing);
        let time = json!("2020-01-01T00:00:00Z");
        assert_eq!(shape(&[time.clone(), time.clone()], true), Shape::Time);
        assert_eq!(shape(&[time.clone(), json!("yesterday")], true), Shape::Text);
        assert_eq!(shape(std::slice::from_ref(&time), false), Shape::Text);
        let objects = shape(&[json!({"a": [1]}), json!({"b": {}, "a": [null, 2.5]})], false);
        let data_type = objects.data_type().unwrap().to_string();
        assert!(data_type.contains("\"a\": List(Float64") && data_type.contains("\"b\": Map"), "{data_type}");
    }

    #[test]
    fn what_a_reader_would_not_get_back_is_not_exact() {
        for (values, is_time, exact) in [
            (vec![json!({"a": 1}), json!({"b": 2})], false, [true, true]),
            (vec![json!({"a": 1, "b": null}), json!({"b": 2})], false, [false, true]),
            (vec![json!({"a": null}), json!({})], false, [false, true]),
            (vec![json!([1, null]), json!([])], false, [true, true]),
            (vec![json!(1), json!("1")], false, [false, false]),
            (vec![json!(0.5), json!(9_007_199_254_740_993_u64)], false, [true, false]),
            (vec![json!(18_446_744_073_709_551_615_u64), json!(3)], false, [false, true]),
            (vec![serde_json::from_str("1e400").unwrap(), json!(1.5)], false, [false, true]),
            (vec![serde_json::from_str("0.1000000000000000055").unwrap(), json!(0.1)], false, [false, true]),
            (vec![json!("2020-01-01T00:00:00Z"), json!("2020-01-01T01:00:00+01:00")], true, [true, false]),
            (vec![json!("2020-01-01T00:00:00.500000Z"), json!("2020-01-01T00:00:00.5Z")], true, [true, false]),
        ] {
            let shape = shape(&values, is_time);
            let fitted: Vec<_> = values.iter().map(|value| shape.fit(&mut value.clone())).collect();
            assert_eq!(fitted, exact, "{values:?}");
        }
    }
}
