//! Every Item of the shared data that is on disk as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{assert_lossless, data, round_trip};
use crate::defect::RejectKind::{self, InvalidDatetime, InvalidGeometry, InvalidId, NotAFeature};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(|e| e.to_str()) {
            _ if path.is_dir() => found.extend(files(&path)),
            Some("json" | "geojson" | "ndjson") => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

/// The Items of a file: itself, its features, the elements of its list or its lines.
fn items(text: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Collection {
        features: Vec<Box<RawValue>>,
    }
    let owned = |list: Vec<Box<RawValue>>| list.iter().map(|raw| raw.get().to_owned()).collect();
    if let Ok(collection) = serde_json::from_str::<Collection>(text) {
        owned(collection.features)
    } else if let Ok(list) = serde_json::from_str(text) {
        owned(list)
    } else if serde_json::from_str::<&RawValue>(text).is_ok() {
        vec![text.to_owned()]
    } else {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

/// Decodes all Items below `folder`: how many there are, and which are rejected.
fn decode_all(folder: &Path) -> (usize, Vec<(String, RejectKind)>) {
    let (mut count, mut rejected) = (0, vec![]);
    for path in files(folder) {
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        for (i, item) in items(&fs::read_to_string(&path).unwrap()).iter().enumerate() {
            let what = format!("{name}#{i}");
            count += 1;
            if let Err(defect) = assert_lossless(item.as_bytes(), &what) {
                println!("{what}: {defect}");
                rejected.push((what, defect.kind));
            }
        }
    }
    (count, rejected)
}

#[test]
fn real_items_come_back_from_the_columns() {
    let Some(data) = data() else { return };
    let (count, mut rejected) = decode_all(&data.join("real"));
    let by_kind = rejected.iter().fold(BTreeMap::new(), |mut kinds, (_, kind)| {
        *kinds.entry(kind.name()).or_insert(0) += 1;
        kinds
    });
    println!("{count} Items, rejected: {by_kind:?}");
    assert!(count > 2_500, "{count} Items");
    rejected.retain(|(what, _)| !what.starts_with("not_items/"));
    let old = "pystac/tests/data-files/examples/0.9.0/extensions/label/examples/multidataset";
    let same = "stac_validator/tests/test_data/v090/extensions/label/examples/multidataset";
    let expected = [
        // Latitude first.
        ("pystac/tests/data-files/examples/0.8.1/extensions/sar/examples/envisat.json#0".to_owned(), InvalidGeometry),
        // Polygons without the list of rings around their ring.
        (format!("{old}/spacenet-buildings/AOI_3_Paris_img1648.json#0"), InvalidGeometry),
        (format!("{old}/spacenet-buildings/AOI_4_Shanghai_img3344.json#0"), InvalidGeometry),
        (format!("{old}/zanzibar/znz001.json#0"), InvalidGeometry),
        ("rustac/crates/cli/data/invalid-item.json#0".to_owned(), InvalidId),
        ("stac_check/sample_files/0.9.0/bad-item.json#0".to_owned(), InvalidId),
        ("stac_check/sample_files/1.1.0/extended-item.json#0".to_owned(), NotAFeature),
        (format!("{same}/spacenet-buildings/AOI_2_Vegas_img2636.json#0"), InvalidGeometry),
        (format!("{same}/spacenet-buildings/AOI_3_Paris_img1648.json#0"), InvalidGeometry),
        (format!("{same}/spacenet-buildings/AOI_4_Shanghai_img3344.json#0"), InvalidGeometry),
        ("stac_validator/tests/test_data/v090/extensions/sar/examples/envisat.json#0".to_owned(), InvalidGeometry),
        ("stac_validator/tests/test_data/v100/bad-item.json#0".to_owned(), InvalidId),
    ];
    assert_eq!(rejected, expected);
}

#[test]
fn hand_made_edge_cases_come_back_from_the_columns() {
    let Some(data) = data() else { return };
    let (count, rejected) = decode_all(&data.join("synthetic-edge"));
    assert!(count > 80, "{count} Items");
    let line = |line: usize, kind| (format!("edge_dev.ndjson#{line}"), kind);
    let expected = [
        line(38, InvalidGeometry), // latitude 91
        line(57, InvalidDatetime), // "NaT"
        line(58, InvalidDatetime), // ""
        line(59, InvalidDatetime), // a number
        line(75, InvalidId),       // null
        line(76, InvalidId),       // a number
        line(77, InvalidId),       // absent
        line(82, NotAFeature),     // "feature"
    ];
    assert_eq!(rejected, expected);
}

#[test]
fn stac_documents_that_are_not_items_are_rejected_as_such() {
    let Some(data) = data() else { return };
    for path in files(&data.join("real/not_items")) {
        let text = fs::read_to_string(&path).unwrap();
        for document in items(&text) {
            let defect = round_trip(document.as_bytes()).expect_err(&document);
            // One is a GeoJSON Feature, but of a search and without an id.
            assert!(matches!(defect.kind, NotAFeature | InvalidId), "{}: {defect}", path.display());
        }
    }
}
