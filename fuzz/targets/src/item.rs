//! JSON text of an Item: what decodes is rebuilt, equal as a JSON value, and decodes again to the same row.

use std::cell::RefCell;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use earthcatalog_stac_rows::ItemSchema;
use earthcatalog_stac_rows::decode::ItemDecoder;
use earthcatalog_stac_rows::item::{ItemColumns, Role};
use serde_json::Value;

pub fn fuzz_item(data: &[u8]) {
    decode(data);
}

thread_local! {
    /// One for all Items, so that a trace of an Item in the next one would be seen.
    static DECODER: RefCell<ItemDecoder> = RefCell::new(ItemDecoder::new(&schema()));
}

fn schema() -> ItemSchema {
    let columns = [
        ("platform", DataType::Utf8),
        ("proj:code", DataType::Utf8),
        ("eo:cloud_cover", DataType::Float32),
        ("latitude", DataType::Float64),
        ("percent_valid_pixels", DataType::Int32),
        ("proj:epsg", DataType::Int64),
        ("deprecated", DataType::Boolean),
    ];
    let fields: Vec<_> = columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect();
    ItemSchema::from_declared(&Schema::new(fields)).unwrap()
}

/// The row of an Item, after all that is checked of it; `None` if it is refused.
pub fn decode(json: &[u8]) -> Option<RecordBatch> {
    let row = row(json)?;
    let rebuilt = rebuilt(&row);
    if let (Ok(before), Ok(after)) = (serde_json::from_slice(json), serde_json::from_slice(&rebuilt)) {
        assert!(equal(&before, &after), "{} became {}", text(json), text(&rebuilt));
    }
    let again = self::row(&rebuilt);
    assert_eq!(again.as_ref(), Some(&row), "{} became {}", text(json), text(&rebuilt));
    Some(row)
}

fn row(json: &[u8]) -> Option<RecordBatch> {
    DECODER.with_borrow_mut(|decoder| {
        let appended = decoder.append(json);
        assert_eq!(decoder.len(), usize::from(appended.is_ok()), "an error appends nothing");
        let batch = decoder.finish().unwrap();
        assert_eq!(batch.num_rows(), usize::from(appended.is_ok()));
        if let Err(defect) = &appended {
            assert!(!defect.message.is_empty() && defect.message.len() < 400, "{defect}");
        }
        appended.is_ok().then_some(batch)
    })
}

fn rebuilt(row: &RecordBatch) -> Vec<u8> {
    let mut columns = ItemColumns::default();
    for (field, array) in row.schema().fields().iter().zip(row.columns()) {
        columns.add(Role::from_field(field).unwrap(), array).unwrap();
    }
    let mut text = vec![];
    columns.write_item(0, &mut text).unwrap();
    text
}

/// Whether two values are the same, numbers as numbers.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let number = |n: &serde_json::Number| n.to_string().parse::<f64>().unwrap();
            a == b || number(a) == number(b)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
