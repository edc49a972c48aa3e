//! Rows for the sink's tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, Float64Array, Int32Array, ListBuilder, RecordBatch, StringViewArray, StringViewBuilder,
    StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Schema};
use chrono::DateTime;
use url::Url;

use crate::model::items::{BOUNDS_COLUMNS, ItemSchema};
use crate::sink::{MAX_FILE_BYTES, WriteTarget};

pub const GREENLAND: &str = "8106fffffffffff";
pub const ALASKA: &str = "810c3ffffffffff";

/// A row of table `items` with the promoted columns `platform` and `percent_valid_pixels`.
#[derive(Debug, Clone)]
pub struct Row {
    pub id: String,
    pub cell: &'static str,
    pub platform: Option<&'static str>,
    pub datetime: Option<&'static str>,
    pub percent: Option<i32>,
    pub point: Option<[f64; 2]>,
    pub assets: String,
}

pub fn row(id: impl Into<String>, cell: &'static str, platform: &'static str, datetime: &'static str) -> Row {
    Row {
        id: id.into(),
        cell,
        platform: Some(platform),
        datetime: Some(datetime),
        percent: Some(50),
        point: Some([-40.5, 70.25]),
        assets: r#"{"data": {"href": "x.nc"}}"#.into(),
    }
}

pub fn item_schema() -> ItemSchema {
    let declared = Schema::new(vec![
        Field::new("platform", DataType::Utf8, true),
        Field::new("percent_valid_pixels", DataType::Int32, true),
    ]);
    ItemSchema::from_declared(&declared).unwrap()
}

pub fn target(warehouse: &str) -> WriteTarget {
    let schema = item_schema();
    let mut field_ids = BTreeMap::new();
    let mut add = |path: String| field_ids.insert(path, field_ids.len() as i32 + 1);
    for field in schema.table_schema().fields() {
        add(field.name().clone());
    }
    for child in BOUNDS_COLUMNS.map(|name| format!("bbox.{name}")) {
        add(child);
    }
    add("stac_extensions.element".into());
    WriteTarget {
        warehouse: Url::parse(warehouse).unwrap(),
        run: "run-1".into(),
        schema,
        field_ids,
        h3_resolution: 1,
        max_file_bytes: MAX_FILE_BYTES,
        lists_ids: false,
        by_cell: false,
        checkpoints: None,
    }
}

fn point(coordinates: [f64; 2]) -> Vec<u8> {
    let mut wkb = vec![1, 1, 0, 0, 0];
    wkb.extend(coordinates.iter().flat_map(|c| c.to_le_bytes()));
    wkb
}

pub fn batch(rows: &[Row]) -> RecordBatch {
    let text = |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringViewArray>())
    };
    let bound = |i: usize| -> ArrayRef {
        Arc::new(rows.iter().map(|row| row.point.map(|p| p[i % 2])).collect::<Float64Array>())
    };
    let micros = |time: &str| DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros();
    let table = item_schema().table_schema().clone();
    let columns = table.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            "id" => text(&|row| Some(row.id.clone())),
            "grid_partition" => text(&|row| Some(row.cell.into())),
            "collection" => text(&|_| Some("a".into())),
            "geometry" => {
                let points: Vec<_> = rows.iter().map(|row| row.point.map(point)).collect();
                Arc::new(points.iter().map(|p| p.as_deref()).collect::<BinaryViewArray>())
            }
            "bbox" => {
                let DataType::Struct(fields) = field.data_type() else { panic!("bbox is a struct") };
                // The children are not nullable: under a null they hold anything.
                let child = |i: usize| -> ArrayRef {
                    Arc::new(Float64Array::from_iter_values(rows.iter().map(|r| r.point.map_or(0.0, |p| p[i % 2]))))
                };
                let valid = NullBuffer::from_iter(rows.iter().map(|row| row.point.is_some()));
                Arc::new(StructArray::new(fields.clone(), (0..4).map(child).collect(), Some(valid)))
            }
            "xmin" | "xmax" => bound(0),
            "ymin" | "ymax" => bound(1),
            "platform" => text(&|row| row.platform.map(Into::into)),
            "percent_valid_pixels" => Arc::new(rows.iter().map(|row| row.percent).collect::<Int32Array>()),
            "stac_extensions" => {
                let element = Field::new("element", DataType::Utf8View, true);
                let mut lists = ListBuilder::new(StringViewBuilder::new()).with_field(element);
                for i in 0..rows.len() {
                    // Null, empty, one element, two, …
                    let n = i % 4;
                    (1..n).for_each(|k| lists.values().append_value(format!("https://example.com/{k}")));
                    lists.append(n > 0);
                }
                Arc::new(lists.finish())
            }
            "assets" => text(&|row| Some(row.assets.clone())),
            "datetime" | "updated" => {
                let times = rows.iter().map(|row| row.datetime.map(micros)).collect::<TimestampMicrosecondArray>();
                Arc::new(times.with_timezone("UTC"))
            }
            _ => arrow::array::new_null_array(field.data_type(), rows.len()),
        }
    });
    RecordBatch::try_new(Arc::clone(&table), columns.collect()).unwrap()
}
