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
use serde::de::IgnoredAny;

pub use self::columns::unwritable_columns;
use self::columns::{Role, is_cell, is_geometry, is_geometry_name, is_text};
pub use self::wkb_json::{WkbError, write_geometry};
use crate::canonical::write_time;

mod clock;
mod columns;
mod wkb_json;

/// Columns that a writer may keep as JSON text: text is never what they are.
const JSON_TEXT: [&str; 7] = ["assets", "links", "properties", "geometry", "proj:geometry", "bbox", "stac_extensions"];

/// Why a row makes no Item.
pub type Unwritable = String;

/// Writes the Items of a batch.
pub struct ItemWriter {
    top: Vec<Column>,
    properties: Vec<Column>,
    raw_item: Option<ArrayRef>,
}

struct Column {
    name: String,
    values: ArrayRef,
    is_geometry: bool,
    /// It may be the cell of a row of a part file.
    is_cell: bool,
}

impl ItemWriter {
    /// Geometries are WKB, in a column that is called `geometry` or `proj:geometry`, or has a GeoArrow extension type.
    pub fn new(batch: &RecordBatch) -> Self {
        let mut writer = Self { top: vec![], properties: vec![], raw_item: None };
        for (field, values) in batch.schema().fields().iter().zip(batch.columns()) {
            let role = Role::of(field);
            let (name, values, is_geometry) = (field.name().clone(), values.clone(), is_geometry(field));
            let column = Column { name, values, is_geometry, is_cell: role == Role::Cell };
            match role {
                Role::Top => writer.top.push(column),
                Role::Property | Role::Cell => writer.properties.push(column),
                Role::RawItem => writer.raw_item = Some(column.values),
                Role::Ignored => {}
            }
        }
        writer
    }

    pub fn write(&self, row: usize) -> Result<Vec<u8>, Unwritable> {
        if let Some(raw) = self.raw_item.as_ref().filter(|raw| raw.is_valid(row)) {
            return Ok(text(raw, row)?.into_bytes());
        }
        let mut out = Vec::with_capacity(4096);
        out.push(b'{');
        if !self.top.iter().any(|c| c.name == "type" && c.values.is_valid(row)) {
            out.extend_from_slice(br#""type":"Feature","#);
        }
        for column in &self.top {
            let is_geometry = column.name == "geometry";
            let bounds = (column.name == "bbox").then(|| column.values.as_struct_opt()).flatten();
            if bounds.is_some_and(|bounds| is_nowhere(bounds, row)) {
                continue;
            }
            if column.values.is_valid(row) || is_geometry {
                name(&column.name, &mut out);
                match bounds {
                    Some(bounds) => bbox(bounds, row, &mut out)?,
                    None => column.write(row, &mut out)?,
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
            if column.is_cell && column.values.is_valid(row) && is_cell(&text(&column.values, row)?) {
                continue;
            }
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
        if is_text(self.values.data_type()) && self.values.is_valid(row) && JSON_TEXT.contains(&&*self.name) {
            text_or_json(&text(&self.values, row)?, out);
            return Ok(());
        }
        let name = if self.is_geometry { "geometry" } else { &*self.name };
        value(name, &self.values, row, out)
    }
}

/// The text of an array of texts, of whichever kind.
fn text(array: &ArrayRef, row: usize) -> Result<String, Unwritable> {
    let text = cast(&array.slice(row, 1), &DataType::Utf8).map_err(|e| e.to_string())?;
    Ok(text.as_string::<i32>().value(0).to_owned())
}

/// The JSON object or list that a text is, or the text.
fn text_or_json(text: &str, out: &mut Vec<u8>) {
    let is_json = text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok();
    if is_json { out.extend_from_slice(text.as_bytes()) } else { json(text, out) }
}

/// Text within a column: geometries are the only thing that writers keep so there.
fn nested_text(name: &str, text: &str, out: &mut Vec<u8>) {
    if is_geometry_name(name) { text_or_json(text, out) } else { json(text, out) }
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
        DataType::Utf8 => nested_text(name_, array.as_string::<i32>().value(row), out),
        DataType::LargeUtf8 => nested_text(name_, array.as_string::<i64>().value(row), out),
        DataType::Utf8View => nested_text(name_, array.as_string_view().value(row), out),
        DataType::Binary => geometry(name_, array.as_binary::<i32>().value(row), out)?,
        DataType::LargeBinary => geometry(name_, array.as_binary::<i64>().value(row), out)?,
        DataType::BinaryView => geometry(name_, array.as_binary_view().value(row), out)?,
        DataType::Struct(_) => members(array.as_struct(), row, out)?,
        DataType::List(_) => list(name_, &array.as_list::<i32>().value(row), out)?,
        DataType::LargeList(_) => list(name_, &array.as_list::<i64>().value(row), out)?,
        DataType::FixedSizeList(..) => list(name_, &array.as_fixed_size_list().value(row), out)?,
        DataType::Map(..) => map(&array.as_map().value(row), out)?,
        DataType::Timestamp(..) => time(array, row, out)?,
        DataType::Date64 | DataType::Time32(_) | DataType::Time64(_) | DataType::Duration(_) => {
            clock::write(name_, array, row, out)?;
        }
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
    if !is_geometry_name(column) {
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

/// Entries of a map with text keys; as in a struct, null is absent.
fn map(entries: &StructArray, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let keys = cast(entries.column(0), &DataType::Utf8).map_err(|e| e.to_string())?;
    out.push(b'{');
    for i in (0..entries.len()).filter(|i| entries.column(1).is_valid(*i)) {
        let key = keys.as_string::<i32>().value(i);
        name(key, out);
        value(key, entries.column(1), i, out)?;
        out.push(b',');
    }
    trim_comma(out);
    out.push(b'}');
    Ok(())
}

/// Whether no side of a box is a number: the bounds of what is empty, as shapely has them.
fn is_nowhere(bounds: &StructArray, row: usize) -> bool {
    bounds.columns().iter().all(|side| match side.as_primitive_opt::<Float64Type>() {
        Some(side) => side.is_null(row) || side.value(row).is_nan(),
        None => side.is_null(row),
    })
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
        ArrayRef, BinaryArray, Float64Array, Int64Array, ListArray, MapArray, StringArray, TimestampMillisecondArray,
    };
    use arrow::buffer::{NullBuffer, OffsetBuffer};
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
        let texts = vec![
            ("bbox", text(&[Some("[1, 2, 3, 4]")])),
            ("stac_extensions", text(&[Some("[]")])),
            ("geometry", text(&[Some(r#"{"type":"Point","coordinates":[1,2]}"#)])),
            ("proj:geometry", text(&[Some(r#"{"type":"Point","coordinates":[3,4]}"#)])),
            ("links", text(&[Some("[{")])),
            ("title", text(&[Some("[1]")])),
        ];
        let expected = json!({
            "type": "Feature", "bbox": [1, 2, 3, 4], "stac_extensions": [], "assets": {}, "links": "[{",
            "geometry": {"type": "Point", "coordinates": [1, 2]},
            "properties": {"proj:geometry": {"type": "Point", "coordinates": [3, 4]}, "title": "[1]"},
        });
        assert_eq!(written(texts, 0).unwrap(), expected);
        assert_eq!(written(columns(), 2).unwrap(), json!({ "type": "Feature", "properties": {} }));
    }

    #[test]
    fn rows_of_a_part_file_of_the_reference_are_their_items() {
        let columns = || {
            vec![
                ("id", text(&[Some("a"), Some("b")])),
                ("grid_partition", text(&[Some("8107bffffffffff"), Some("mine")])),
                ("__index_level_0__", Arc::new(Int64Array::from(vec![7, 8])) as ArrayRef),
                ("raw_stac", text(&[Some(r#"{"type":"Feature","id":"a","x":1}"#), None])),
            ]
        };
        assert_eq!(written(columns(), 0).unwrap(), json!({"type": "Feature", "id": "a", "x": 1}));
        let expected = json!({"type": "Feature", "id": "b", "assets": {}, "properties": {"grid_partition": "mine"}});
        assert_eq!(written(columns(), 1).unwrap(), expected);
        let without = columns().into_iter().filter(|(name, _)| *name != "raw_stac").collect();
        let expected = json!({"type": "Feature", "id": "a", "assets": {}, "properties": {}});
        assert_eq!(written(without, 0).unwrap(), expected);
    }

    #[test]
    fn a_null_in_a_map_is_no_asset() {
        let keys = StringArray::from(vec!["data", "thumbnail"]);
        let values = object(&[("href", text(&[Some("a.tif"), None]))], vec![true, false]);
        let fields = Fields::from(vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", values.data_type().clone(), true),
        ]);
        let entries = StructArray::new(fields.clone(), vec![Arc::new(keys), values], None);
        let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        let map = MapArray::new(field, OffsetBuffer::from_lengths([2]), entries, None, false);
        let item = written(vec![("assets", Arc::new(map) as ArrayRef)], 0).unwrap();
        assert_eq!(item["assets"], json!({"data": {"href": "a.tif"}}));
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
