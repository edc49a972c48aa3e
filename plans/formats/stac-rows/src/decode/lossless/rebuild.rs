//! The inverse of the decoder, written again and as simply as possible, so that a test can compare.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::schema::{ItemSchema, TIME_COLUMNS};

type Object = BTreeMap<String, Box<RawValue>>;

/// JSON text of the Item in `row`.
pub fn rebuild(batch: &RecordBatch, row: usize, schema: &ItemSchema) -> String {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let text = |name: &str| column(name).is_valid(row).then(|| column(name).as_string_view().value(row).to_owned());
    let mut item = Object::new();
    let mut put = |name: &str, value: Value| item.insert(name.to_owned(), raw(&value.to_string()));
    put("type", json!("Feature"));
    put("id", json!(text("id").unwrap()));
    let geometry = column("geometry");
    let wkb = geometry.is_valid(row).then(|| geometry.as_binary_view().value(row));
    put("geometry", wkb.map_or(Value::Null, |mut wkb| geojson(&mut wkb)));
    if column("xmin").is_valid(row) {
        put(
            "bbox",
            ["xmin", "ymin", "xmax", "ymax"].map(|b| column(b).as_primitive::<Float64Type>().value(row)).into(),
        );
    }
    for name in ["collection", "stac_version"] {
        text(name).map(|value| put(name, json!(value)));
    }
    let extensions = column("stac_extensions").as_list::<i32>();
    if extensions.is_valid(row) {
        let list: Vec<String> = extensions.value(row).as_string_view().iter().map(|e| e.unwrap().to_owned()).collect();
        put("stac_extensions", json!(list));
    }
    for name in ["assets", "links"] {
        text(name).map(|value| item.insert(name.to_owned(), raw(&value)));
    }
    item.insert("properties".to_owned(), raw(&serde_json::to_string(&properties(batch, row, schema)).unwrap()));
    let mut extra: Object = text("extra").map_or_else(Object::new, |extra| serde_json::from_str(&extra).unwrap());
    let absent = extra.remove("earthcatalog:absent").map(|names| serde_json::from_str(names.get()).unwrap());
    let absent: HashSet<String> = absent.unwrap_or_default();
    item.extend(extra);
    item.retain(|name, _| !absent.contains(name));
    serde_json::to_string(&item).unwrap()
}

fn properties(batch: &RecordBatch, row: usize, schema: &ItemSchema) -> Object {
    let times = TIME_COLUMNS.map(|name| (name, name));
    let promoted = schema.promoted().iter().map(|p| (p.property.as_str(), p.column.as_str()));
    let mut properties = Object::new();
    for (property, name) in times.into_iter().chain(promoted) {
        let column = batch.column_by_name(name).unwrap();
        if column.is_null(row) {
            continue;
        }
        let value = match column.data_type() {
            DataType::Utf8View => json!(column.as_string_view().value(row)),
            DataType::Boolean => json!(column.as_boolean().value(row)),
            DataType::Int32 => json!(column.as_primitive::<Int32Type>().value(row)),
            DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
            DataType::Float32 => number(column.as_primitive::<Float32Type>().value(row)),
            DataType::Float64 => number(column.as_primitive::<Float64Type>().value(row)),
            DataType::Timestamp(..) => json!(rfc3339(column.as_primitive::<TimestampMicrosecondType>().value(row))),
            other => panic!("{name} is {other}"),
        };
        properties.insert(property.to_owned(), raw(&value.to_string()));
    }
    let rest = batch.column_by_name("properties").unwrap();
    if rest.is_valid(row) {
        properties.extend(serde_json::from_str::<Object>(rest.as_string_view().value(row)).unwrap());
    }
    properties
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn rfc3339(micros: i64) -> String {
    let time = DateTime::<Utc>::from_timestamp_micros(micros).unwrap();
    let fraction = if time.timestamp_subsec_micros() == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    time.to_rfc3339_opts(fraction, true)
}

/// The GeoJSON of the geometry at the start of `wkb`, which is moved behind it.
pub fn geojson(wkb: &mut &[u8]) -> Value {
    assert_eq!(take::<1>(wkb), [1], "little-endian");
    let code = count(wkb);
    let (kind, stride) = (code % 1000, 2 + code as usize / 1000);
    let name =
        ["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"].get(kind as usize - 1);
    let Some(name) = name else {
        let geometries: Vec<Value> = (0..count(wkb)).map(|_| geojson(wkb)).collect();
        return json!({"type": "GeometryCollection", "geometries": geometries});
    };
    let coordinates = match kind {
        1 => position(wkb, stride),
        2 => list(wkb, |wkb| position(wkb, stride)),
        3 => list(wkb, |wkb| list(wkb, |wkb| position(wkb, stride))),
        _ => list(wkb, |wkb| geojson(wkb)["coordinates"].take()),
    };
    json!({"type": name, "coordinates": coordinates})
}

fn position(wkb: &mut &[u8], stride: usize) -> Value {
    (0..stride).map(|_| number(f64::from_le_bytes(take(wkb)))).collect()
}

fn list(wkb: &mut &[u8], element: impl Fn(&mut &[u8]) -> Value) -> Value {
    (0..count(wkb)).map(|_| element(wkb)).collect()
}

fn count(wkb: &mut &[u8]) -> u32 {
    u32::from_le_bytes(take(wkb))
}

fn take<const N: usize>(wkb: &mut &[u8]) -> [u8; N] {
    let (head, rest) = wkb.split_first_chunk().unwrap();
    *wkb = rest;
    *head
}

/// Where two JSON texts are not the same value: numbers as decimals, members in any order, the last of equal names.
pub fn difference(a: &str, b: &str) -> Option<String> {
    match (serde_json::from_str(a), serde_json::from_str(b)) {
        (Ok(a), Ok(b)) => difference_of_values(&a, &b),
        // Values nested too deep for serde_json, or with half a surrogate pair: compare where it can, else the text.
        _ => match (serde_json::from_str::<Object>(a), serde_json::from_str::<Object>(b)) {
            (Ok(a), Ok(b)) => difference_of_members(&a, &b, |a, b| difference(a.get(), b.get())),
            _ => (!a.split_whitespace().eq(b.split_whitespace())).then(|| format!(": {a} became {b}")),
        },
    }
}

fn difference_of_values(a: &Value, b: &Value) -> Option<String> {
    let same = match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let (a, b) = (a.iter().collect(), b.iter().collect());
            return difference_of_members(&a, &b, |a, b| difference_of_values(a, b));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            return a.iter().zip(b).find_map(|(a, b)| difference_of_values(a, b)).map(|d| format!("[]{d}"));
        }
        (Value::Number(a), Value::Number(b)) => decimal(&a.to_string()) == decimal(&b.to_string()),
        _ => a == b,
    };
    (!same).then(|| format!(": {a} became {b}"))
}

fn difference_of_members<K: Ord + Display, V: Display>(
    a: &BTreeMap<K, V>,
    b: &BTreeMap<K, V>,
    difference: impl Fn(&V, &V) -> Option<String>,
) -> Option<String> {
    let within = a.iter().find_map(|(name, a)| match b.get(name) {
        Some(b) => difference(a, b).map(|d| format!(".{name}{d}")),
        None => Some(format!(".{name} is lost: {a}")),
    });
    within.or_else(|| b.iter().find(|(name, _)| !a.contains_key(name)).map(|(name, b)| format!(".{name} is new: {b}")))
}

/// Sign, digits without outer zeros, and exponent of the first digit.
fn decimal(literal: &str) -> (bool, String, i64) {
    let literal = literal.to_lowercase();
    let (mantissa, exponent) = literal.split_once('e').unwrap_or((&literal, "0"));
    let magnitude = mantissa.trim_start_matches('-');
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let digits = format!("{whole}{fraction}");
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let significant = digits.trim_matches('0').to_owned();
    if significant.is_empty() {
        return (false, significant, 0);
    }
    let exponent = exponent.parse::<i64>().unwrap() + whole.len() as i64 - leading as i64;
    (mantissa.starts_with('-'), significant, exponent)
}

/// As Rust writes it. Where two decimals of the same length are as near, other writers may take the other one.
fn number(value: impl std::fmt::Debug) -> Value {
    // What is not finite is no number, and null in JSON.
    serde_json::from_str(&format!("{value:?}")).unwrap_or(Value::Null)
}
