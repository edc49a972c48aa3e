//! A row of a stac-geoparquet file as the JSON of its Item.
//!
//! Source: stac-geoparquet specification 1.1. What the file does not tell apart is written one way:
//! nulls within structs are absent members, times are in UTC.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{SecondsFormat, Timelike};
use serde::Serialize;

pub use self::wkb_json::{WkbError, write_geometry};
use crate::canonical::write_time;

mod wkb_json;

/// Members at the top of an Item; any other column is a property.
const TOP: [&str; 9] =
    ["type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "links", "assets", "collection"];

/// Columns that a writer may keep as JSON text.
const JSON_TEXT: [&str; 3] = ["assets", "links", "properties"];

/// Why a row makes no Item.
pub type Unwritable = String;

/// Writes the Items of a batch.
pub struct ItemWriter {
    top: Vec<Column>,
    properties: Vec<Column>,
}

struct Column {
    name: String,
    values: ArrayRef,
}

impl ItemWriter {
    pub fn new(batch: &RecordBatch) -> Self {
        let mut writer = Self { top: vec![], properties: vec![] };
        for (field, values) in batch.schema().fields().iter().zip(batch.columns()) {
            let column = Column { name: field.name().clone(), values: values.clone() };
            if TOP.contains(&field.name().as_str()) {
                writer.top.push(column);
            } else {
                writer.properties.push(column);
            }
        }
        writer
    }

    pub fn write(&self, row: usize) -> Result<Vec<u8>, Unwritable> {
        let mut out = Vec::with_capacity(4096);
        out.push(b'{');
        if !self.top.iter().any(|c| c.name == "type" && c.values.is_valid(row)) {
            out.extend_from_slice(br#""type":"Feature","#);
        }
        for column in &self.top {
            let is_geometry = column.name == "geometry";
            if column.values.is_valid(row) || is_geometry {
                name(&column.name, &mut out);
                match &*column.name {
                    "bbox" if matches!(column.values.data_type(), DataType::Struct(_)) => {
                        bbox(column.values.as_struct(), row, &mut out)?;
                    }
                    _ => column.write(row, &mut out)?,
                }
                out.push(b',');
            }
        }
        // Parquet has no struct without members, so that a file whose Items have no assets has no such column.
        if !self.top.iter().any(|c| c.name == "assets") {
            out.extend_from_slice(br#""assets":{},"#);
        }
        out.extend_from_slice(br#""properties":{"#);
        for column in &self.properties {
            // The one property that must be there, null or not.
            if column.name == "properties" && column.values.is_valid(row) {
                self.nested_properties(column, row, &mut out)?;
            } else if column.values.is_valid(row) || column.name == "datetime" {
                name(&column.name, &mut out);
                column.write(row, &mut out)?;
                out.push(b',');
            }
        }
        trim_comma(&mut out);
        out.extend_from_slice(b"}}");
        Ok(out)
    }

    /// Early writers keep a struct, or JSON text, `properties`: its members are properties like the others.
    fn nested_properties(&self, column: &Column, row: usize, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        let mut nested = vec![];
        column.write(row, &mut nested)?;
        let inner = nested.trim_ascii().strip_prefix(b"{").and_then(|n| n.strip_suffix(b"}"));
        let inner = inner.ok_or("column properties holds no JSON object")?.trim_ascii();
        if !inner.is_empty() {
            out.extend_from_slice(inner);
            out.push(b',');
        }
        Ok(())
    }
}

impl Column {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Unwritable> {
        let is_text = matches!(self.values.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        if is_text && self.values.is_valid(row) && JSON_TEXT.contains(&&*self.name) {
            let text = cast(&self.values.slice(row, 1), &DataType::Utf8).map_err(|e| e.to_string())?;
            out.extend_from_slice(text.as_string::<i32>().value(0).as_bytes());
            return Ok(());
        }
        value(&self.name, &self.values, row, out)
    }
}

fn name(name: &str, out: &mut Vec<u8>) {
    json(name, out);
    out.push(b':');
}

fn json(value: impl Serialize, out: &mut Vec<u8>) {
    // Numbers, booleans and text into memory: neither the value nor the sink can refuse. NaN becomes null.
    let _ = serde_json::to_writer(out, &value);
}

fn trim_comma(out: &mut Vec<u8>) {
    if out.ends_with(b",") {
        out.pop();
    }
}

/// The value of `array` at `row`; `name` is its column or member, for messages and for `proj:geometry`.
fn value(name_: &str, array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match array.data_type() {
        DataType::Null => out.extend_from_slice(b"null"),
        DataType::Boolean => json(array.as_boolean().value(row), out),
        DataType::Utf8 => json(array.as_string::<i32>().value(row), out),
        DataType::LargeUtf8 => json(array.as_string::<i64>().value(row), out),
        DataType::Utf8View => json(array.as_string_view().value(row), out),
        DataType::Binary => geometry(name_, array.as_binary::<i32>().value(row), out)?,
        DataType::LargeBinary => geometry(name_, array.as_binary::<i64>().value(row), out)?,
        DataType::BinaryView => geometry(name_, array.as_binary_view().value(row), out)?,
        DataType::Struct(_) => members(array.as_struct(), row, out)?,
        DataType::List(_) => list(name_, &array.as_list::<i32>().value(row), out)?,
        DataType::LargeList(_) => list(name_, &array.as_list::<i64>().value(row), out)?,
        DataType::FixedSizeList(..) => list(name_, &array.as_fixed_size_list().value(row), out)?,
        DataType::Map(..) => map(&array.as_map().value(row), out)?,
        DataType::Timestamp(..) => time(array, row, out)?,
        DataType::Date32 => match array.as_primitive::<Date32Type>().value_as_date(row) {
            Some(date) => json(date.to_string(), out),
            None => return Err(format!("column {name_}: not a date")),
        },
        DataType::Dictionary(_, of) => {
            let plain = cast(&array.slice(row, 1), of).map_err(|e| e.to_string())?;
            value(name_, &plain, 0, out)?;
        }
        DataType::Decimal128(..) | DataType::Decimal256(..) => {
            let text = cast(&array.slice(row, 1), &DataType::Utf8).map_err(|e| e.to_string())?;
            out.extend_from_slice(text.as_string::<i32>().value(0).as_bytes());
        }
        other if other.is_numeric() => number(array, row, out),
        other => return Err(format!("column {name_} has type {other}, which has no JSON form")),
    }
    Ok(())
}

fn number(array: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    macro_rules! write_as {
        ($($data_type:ident $arrow_type:ident),*) => {
            match array.data_type() {
                $(DataType::$data_type => json(array.as_primitive::<$arrow_type>().value(row), out),)*
                // Half floats: no writer of Items has them, but they have a number.
                _ => match cast(array, &DataType::Float64) {
                    Ok(wide) => json(wide.as_primitive::<Float64Type>().value(row), out),
                    Err(_) => out.extend_from_slice(b"null"),
                },
            }
        };
    }
    write_as!(
        Int8 Int8Type, Int16 Int16Type, Int32 Int32Type, Int64 Int64Type, UInt8 UInt8Type, UInt16 UInt16Type,
        UInt32 UInt32Type, UInt64 UInt64Type, Float32 Float32Type, Float64 Float64Type
    );
}

/// WKB, in the columns where Items have geometries.
fn geometry(column: &str, wkb: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    if column != "geometry" && column != "proj:geometry" {
        return Err(format!("column {column} is binary, which has no JSON form"));
    }
    write_geometry(wkb, out).map_err(|e| format!("column {column}: {e}"))
}

fn members(object: &StructArray, row: usize, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    out.push(b'{');
    for (member, values) in object.column_names().into_iter().zip(object.columns()) {
        if values.is_valid(row) && values.data_type() != &DataType::Null {
            name(member, out);
            value(member, values, row, out)?;
            out.push(b',');
        }
    }
    trim_comma(out);
    out.push(b'}');
    Ok(())
}

fn list(column: &str, elements: &ArrayRef, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    out.push(b'[');
    for i in 0..elements.len() {
        value(column, elements, i, out)?;
        out.push(b',');
    }
    trim_comma(out);
    out.push(b']');
    Ok(())
}

/// Entries of a map with text keys.
fn map(entries: &StructArray, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let keys = cast(entries.column(0), &DataType::Utf8).map_err(|e| e.to_string())?;
    out.push(b'{');
    for i in 0..entries.len() {
        let key = keys.as_string::<i32>().value(i);
        name(key, out);
        value(key, entries.column(1), i, out)?;
        out.push(b',');
    }
    trim_comma(out);
    out.push(b'}');
    Ok(())
}

/// `xmin, ymin[, zmin], xmax, ymax[, zmax]`, in GeoJSON's order whatever the struct's.
fn bbox(bounds: &StructArray, row: usize, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let is_3d = bounds.column_by_name("zmin").is_some_and(|z| z.is_valid(row));
    let names = ["xmin", "ymin", "zmin", "xmax", "ymax", "zmax"];
    out.push(b'[');
    for bound in names.into_iter().filter(|n| is_3d || !n.starts_with('z')) {
        let values = bounds.column_by_name(bound).ok_or_else(|| format!("column bbox has no member {bound}"))?;
        value(bound, values, row, out)?;
        out.push(b',');
    }
    trim_comma(out);
    out.push(b']');
    Ok(())
}

fn time(array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let time = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => array.as_primitive::<TimestampSecondType>().value_as_datetime(row),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            array.as_primitive::<TimestampMillisecondType>().value_as_datetime(row)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().value_as_datetime(row)
        }
        _ => array.as_primitive::<TimestampNanosecondType>().value_as_datetime(row),
    };
    let time = time.ok_or("a time is out of range")?.and_utc();
    // Written as the decoder expects a time, its column suffices for it.
    if time.nanosecond() % 1_000 != 0 || !write_time(out, time.timestamp_micros()) {
        json(time.to_rfc3339_opts(SecondsFormat::AutoSi, true), out);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, Float64Array, Int64Array, ListArray, StringArray, TimestampMillisecondArray,
    };
    use arrow::buffer::NullBuffer;
    use arrow::datatypes::{Field, Fields};
    use serde_json::{Value, json};

    use super::*;

    fn text(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn object(members: &[(&str, ArrayRef)], valid: Vec<bool>) -> ArrayRef {
        let fields = members.iter().map(|(n, v)| Field::new(*n, v.data_type().clone(), true)).collect::<Fields>();
        let columns = members.iter().map(|(_, v)| v.clone()).collect();
        Arc::new(StructArray::new(fields, columns, Some(NullBuffer::from(valid))))
    }

    fn written(columns: Vec<(&str, ArrayRef)>, row: usize) -> Result<Value, String> {
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
        ItemWriter::new(&batch).write(row).map(|text| serde_json::from_slice(&text).unwrap())
    }

    /// Little-endian WKB of POINT (1 2).
    fn point() -> Vec<u8> {
        [&[1, 1, 0, 0, 0][..], &1f64.to_le_bytes(), &2f64.to_le_bytes()].concat()
    }

    #[test]
    fn columns_become_members_and_properties_and_nulls_are_absent() {
        // Given two rows, the second with as much null as there can be
        let time = TimestampMillisecondArray::from(vec![Some(1_500), None]).with_timezone("UTC");
        let number = |a: f64, b: f64| Arc::new(Float64Array::from(vec![a, b])) as ArrayRef;
        let bounds =
            [("xmax", number(1., 0.)), ("xmin", number(1., 0.)), ("ymax", number(2., 0.)), ("ymin", number(2., 0.))];
        let data = object(&[("href", text(&[Some("a.tif"), None])), ("title", text(&[None, None]))], vec![true, false]);
        let columns = || {
            vec![
                ("id", text(&[Some("one"), Some("two")])),
                ("bbox", object(&bounds, vec![true, false])),
                ("geometry", Arc::new(BinaryArray::from_opt_vec(vec![Some(&point()), None])) as ArrayRef),
                ("assets", object(&[("data", data.clone())], vec![true, true])),
                ("collection", text(&[Some("c"), None])),
                ("datetime", Arc::new(time.clone()) as ArrayRef),
                ("gsd", Arc::new(Int64Array::from(vec![Some(30), None])) as ArrayRef),
                (
                    "links",
                    Arc::new(ListArray::new_null(Arc::new(Field::new("item", DataType::Utf8, true)), 2)) as ArrayRef,
                ),
            ]
        };
        // Then each is its Item
        let geometry = json!({ "type": "Point", "coordinates": [1.0, 2.0] });
        assert_eq!(
            written(columns(), 0).unwrap(),
            json!({
                "type": "Feature", "id": "one", "bbox": [1.0, 2.0, 1.0, 2.0], "geometry": geometry,
                "assets": { "data": { "href": "a.tif" } }, "collection": "c",
                "properties": { "datetime": "1970-01-01T00:00:01.500000Z", "gsd": 30 }
            })
        );
        assert_eq!(
            written(columns(), 1).unwrap(),
            json!({ "type": "Feature", "id": "two", "geometry": null, "assets": {}, "properties": { "datetime": null } })
        );
    }

    #[test]
    fn properties_kept_as_one_column_are_opened() {
        let columns = || {
            vec![
                ("properties", text(&[Some(r#" {"a": [1, "}"]} "#), Some("[1]"), Some("{}")])),
                ("assets", text(&[Some(r#"{"x":{}}"#), None, None])),
            ]
        };
        let expected = json!({ "type": "Feature", "assets": { "x": {} }, "properties": { "a": [1, "}"] } });
        assert_eq!(written(columns(), 0).unwrap(), expected);
        assert_eq!(written(columns(), 1).unwrap_err(), "column properties holds no JSON object");
        assert_eq!(written(columns(), 2).unwrap(), json!({ "type": "Feature", "properties": {} }));
    }

    #[test]
    fn binary_columns_are_geometries_or_unwritable() {
        let wkb = Arc::new(BinaryArray::from_vec(vec![&point()])) as ArrayRef;
        let item = written(vec![("proj:geometry", wkb.clone())], 0).unwrap();
        assert_eq!(item["properties"]["proj:geometry"]["type"], "Point");
        assert_eq!(
            written(vec![("thumbnail", wkb)], 0).unwrap_err(),
            "column thumbnail is binary, which has no JSON form"
        );
        let broken = Arc::new(BinaryArray::from_vec(vec![b"\x01\x01"])) as ArrayRef;
        assert_eq!(written(vec![("geometry", broken)], 0).unwrap_err(), "column geometry: the WKB ends early");
    }
}
