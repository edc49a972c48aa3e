//! What the decoder keeps and rejects, and that it loses nothing: on real Items, on generated ones with every defect
//! that the generator knows, and on arbitrary JSON.

mod arbitrary;
mod generated;
mod real;
pub(super) mod rebuild;

use std::cell::RefCell;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::{Defect, ItemDecoder, scan};
use crate::item::{ItemColumns, Role};
use crate::schema::ItemSchema;

/// The columns of the ingest script, and one of each other type.
fn schema() -> ItemSchema {
    let columns = [
        ("percent_valid_pixels", DataType::Int32),
        ("date_dt", DataType::Float64),
        ("latitude", DataType::Float64),
        ("longitude", DataType::Float64),
        ("platform", DataType::Utf8),
        ("version", DataType::Utf8),
        ("proj:code", DataType::Utf8),
        ("scene_1_id", DataType::Utf8),
        ("eo:cloud_cover", DataType::Float32),
        ("proj:epsg", DataType::Int64),
        ("deprecated", DataType::Boolean),
        ("published", DataType::Timestamp(TimeUnit::Nanosecond, None)),
    ];
    let fields: Vec<_> = columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect();
    ItemSchema::from_declared(&Schema::new(fields)).unwrap()
}

thread_local! {
    /// One for all Items of a test, so that a trace of an Item in the next one would be seen.
    static DECODER: RefCell<ItemDecoder> = RefCell::new(ItemDecoder::new(&schema()));
}

/// Decodes `json` and rebuilds it from the columns.
fn round_trip(json: &[u8]) -> Result<String, Defect> {
    DECODER.with_borrow_mut(|decoder| {
        let appended = decoder.append(json);
        assert_eq!(decoder.len(), usize::from(appended.is_ok()), "an error appends nothing");
        assert_eq!(decoder.is_empty(), decoder.memory_size() == 0);
        let batch = decoder.finish().unwrap();
        assert_eq!(batch.num_rows(), usize::from(appended.is_ok()));
        appended.map(|()| {
            let rebuilt = rebuild::rebuild(&batch, 0, &schema());
            assert_eq!(rebuild::difference(&rebuilt, &stac_item(&batch)), None, "by stac_item");
            rebuilt
        })
    })
}

/// The Item of the one row, as `stac_item(*)` gives it.
fn stac_item(batch: &RecordBatch) -> String {
    let mut columns = ItemColumns::default();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        columns.add(Role::from_field(field).unwrap(), array).unwrap();
    }
    let mut text = vec![];
    columns.write_item(0, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn assert_lossless(json: &[u8], what: &str) -> Result<(), Defect> {
    let rebuilt = round_trip(json)?;
    let source = std::str::from_utf8(json).unwrap().trim_start_matches('\u{feff}');
    assert_eq!(rebuild::difference(source, &rebuilt), None, "{what}");
    Ok(())
}

/// The shared test data: `EARTHCATALOG_DATA`, or `../shared/data` beside the workspace. `None`, and said so, if there is
/// none; in CI that is a failure.
fn data() -> Option<PathBuf> {
    let folder = match std::env::var_os("EARTHCATALOG_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data"),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "no test data in {}; set EARTHCATALOG_DATA", folder.display());
    println!("skipped: no test data in {}; set EARTHCATALOG_DATA", folder.display());
    None
}

#[test]
fn an_item_as_deep_as_the_limit_comes_back_without_overflowing_the_stack() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let item = |value: &str| format!(r#"{{"type":"Feature","id":"a","note":{value},"properties":{{"note":{value}}}}}"#);
    assert_lossless(item(&nested(scan::MAX_DEPTH)).as_bytes(), "deep").unwrap();
    assert!(round_trip(item(&nested(scan::MAX_DEPTH + 1)).as_bytes()).is_err());
}
