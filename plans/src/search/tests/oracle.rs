//! What a search finds, said without SQL: over the JSON of the Items.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use earthcatalog_udfs::parse_geojson;
use geo::{Geometry, Relate};
use serde_json::Value;

use crate::search::cql2::{Cql2, Function};
use crate::search::{Interval, Search};

/// Whether an Item is one that a search finds.
pub(super) fn finds(search: &Search, item: &Value) -> bool {
    let is_one_of = |values: &Option<Vec<String>>, value: &Value| {
        values.as_ref().is_none_or(|values| value.as_str().is_some_and(|value| values.iter().any(|one| one == value)))
    };
    is_one_of(&search.ids, &item["id"])
        && is_one_of(&search.collections, &item["collection"])
        && search.q.as_ref().is_none_or(|parts| {
            let id = item["id"].as_str().unwrap_or_default().to_lowercase();
            parts.iter().any(|part| id.contains(part))
        })
        && search.datetime.is_none_or(|interval| is_in(&interval, item))
        && search.place.as_ref().is_none_or(|place| footprint(item).is_some_and(|g| g.relate(place).is_intersects()))
        && search.filters.iter().all(|filter| holds(filter, item) == Some(true))
}

fn footprint(item: &Value) -> Option<Geometry> {
    parse_geojson(&item["geometry"].to_string()).ok()?
}

fn time(item: &Value, name: &str) -> Option<i64> {
    micros(item["properties"][name].as_str()?)
}

fn micros(text: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros())
}

fn is_in(interval: &Interval, item: &Value) -> bool {
    meets(interval, time(item, "datetime"), time(item, "datetime"))
        || meets(interval, time(item, "start_datetime"), time(item, "end_datetime"))
}

fn meets(interval: &Interval, first: Option<i64>, last: Option<i64>) -> bool {
    let bound = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp_micros());
    let ends = bound(interval.start).is_none_or(|start| last.is_some_and(|last| last >= start));
    ends && bound(interval.end).is_none_or(|end| first.is_some_and(|first| first <= end))
}

/// A value of one type; times in microseconds.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Is {
    Text(String),
    Number(f64),
    Boolean(bool),
    Time(i64),
}

/// What the Item says of a property.
fn property<'a>(name: &str, item: &'a Value) -> &'a Value {
    match name.strip_prefix("properties.") {
        None if matches!(name, "id" | "collection" | "stac_version") => &item[name],
        bare => &item["properties"][bare.unwrap_or(name)],
    }
}

/// The value of an expression, read as `like` where it is a property. The Items of the test have no texts that are
/// numbers or booleans.
fn value(expression: &Cql2, like: &Is, item: &Value) -> Option<Is> {
    let Cql2::Property(name) = expression else { return constant(expression, item) };
    let found = property(name, item);
    match like {
        Is::Text(_) => match found {
            Value::String(text) => Some(Is::Text(text.clone())),
            Value::Number(_) | Value::Bool(_) => Some(Is::Text(found.to_string())),
            _ => None,
        },
        Is::Number(_) => found.as_f64().map(Is::Number),
        Is::Boolean(_) => found.as_bool().map(Is::Boolean),
        Is::Time(_) => micros(found.as_str()?).map(Is::Time),
    }
}

/// The value of an expression that is not a property.
fn constant(expression: &Cql2, item: &Value) -> Option<Is> {
    match expression {
        Cql2::Text(text) => Some(Is::Text(text.clone())),
        Cql2::Number(number) => Some(Is::Number(*number)),
        Cql2::Boolean(value) => Some(Is::Boolean(*value)),
        Cql2::Timestamp(time) => Some(Is::Time(time.timestamp_micros())),
        Cql2::Call(Function::Casei, operands) => match value(&operands[0], &Is::Text(String::new()), item)? {
            Is::Text(text) => Some(Is::Text(text.to_lowercase())),
            _ => None,
        },
        Cql2::Call(Function::Plus, operands) => {
            let number = |i: usize| match value(&operands[i], &Is::Number(0.0), item)? {
                Is::Number(number) => Some(number),
                _ => None,
            };
            Some(Is::Number(number(0)? + number(1)?))
        }
        other => panic!("the test does not ask for {other:?}"),
    }
}

/// Compares an expression with a constant.
fn compare(a: &Cql2, b: &Cql2, item: &Value) -> Option<Ordering> {
    let b = constant(b, item)?;
    value(a, &b, item)?.partial_cmp(&b)
}

fn holds(filter: &Cql2, item: &Value) -> Option<bool> {
    use Function::*;
    let Cql2::Call(function, operands) = filter else { panic!("the test does not ask for {filter:?}") };
    let compared = |a: &Cql2, b: &Cql2| compare(a, b, item);
    let of = |i: usize| &operands[i];
    match function {
        And => all(operands.iter().map(|operand| holds(operand, item))),
        Or => all(operands.iter().map(|operand| holds(operand, item).map(|held| !held))).map(|none| !none),
        Not => holds(of(0), item).map(|held| !held),
        Eq => compared(of(0), of(1)).map(Ordering::is_eq),
        NotEq => compared(of(0), of(1)).map(Ordering::is_ne),
        Lt => compared(of(0), of(1)).map(Ordering::is_lt),
        LtEq => compared(of(0), of(1)).map(Ordering::is_le),
        Gt => compared(of(0), of(1)).map(Ordering::is_gt),
        GtEq => compared(of(0), of(1)).map(Ordering::is_ge),
        Between => all([compared(of(0), of(1)).map(Ordering::is_ge), compared(of(0), of(2)).map(Ordering::is_le)]),
        In => {
            let Cql2::Array(list) = of(1) else { panic!("{filter:?}") };
            let none = all(list.iter().map(|element| compared(of(0), element).map(Ordering::is_ne)));
            none.map(|none| !none)
        }
        IsNull => {
            let Cql2::Property(name) = of(0) else { panic!("{filter:?}") };
            Some(property(name, item).is_null())
        }
        Like => match (value(of(0), &Is::Text(String::new()), item)?, of(1)) {
            // The test has patterns of a start and a percent sign.
            (Is::Text(text), Cql2::Text(pattern)) => Some(text.starts_with(pattern.trim_end_matches('%'))),
            _ => None,
        },
        SIntersects | SWithin | SDisjoint => {
            let Cql2::Geometry(place) = of(1) else { panic!("{filter:?}") };
            let matrix = footprint(item)?.relate(place);
            Some(match function {
                SIntersects => matrix.is_intersects(),
                SWithin => matrix.is_within(),
                _ => matrix.is_disjoint(),
            })
        }
        TAfter => compared(of(0), of(1)).map(Ordering::is_gt),
        TBefore => compared(of(0), of(1)).map(Ordering::is_lt),
        other => panic!("the test does not ask for {other:?}"),
    }
}

/// AND of SQL: false if one is, otherwise unknown if one is.
fn all(conditions: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let conditions: Vec<Option<bool>> = conditions.into_iter().collect();
    if conditions.contains(&Some(false)) { Some(false) } else { (!conditions.contains(&None)).then_some(true) }
}
