//! Every Item of the shared data, good and odd, through the whole pipeline and back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::data;
use crate::program::{Warehouse, accounted};

/// An Item of a file, as it is there.
struct Original {
    /// Path below the data folder, with the line or feature where there are several.
    place: String,
    item: Value,
}

/// A warehouse with all of the shared data, ingested in one run.
pub struct RealData {
    /// Where the data is.
    data: PathBuf,
    /// Where the warehouse is.
    _folder: TempDir,
    pub warehouse: Warehouse,
    report: Value,
}

pub static REAL_DATA: LazyLock<RealData> = LazyLock::new(|| {
    let data = data::folder();
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let report = warehouse.ingested(&data, &[]);
    RealData { data, _folder: folder, warehouse, report }
});

#[test]
#[cfg_attr(not(shared_data), ignore = "the shared data is not here; EARTHCATALOG_DATA names its folder")]
fn every_real_item_is_committed_or_rejected_for_its_reason_and_comes_back_as_it_was() {
    let RealData { data, warehouse, report, .. } = &*REAL_DATA;
    let (listed, accounted) = accounted(report);
    assert_eq!(listed, accounted, "{report}");

    let rejects: BTreeMap<_, _> = warehouse
        .rows("SELECT object, position, kind FROM rejects")
        .iter()
        .map(|row| (place(data, &row["object"], &row["position"]), row["kind"].as_str().unwrap().to_owned()))
        .collect();
    let listing: String = rejects.iter().map(|(place, kind)| format!("{kind} {place}\n")).collect();
    insta::assert_snapshot!(listing, @r"
    invalid_id real/not_items/itslive-metadata/tests__cryoforge__search.json
    not_a_feature real/not_items/rustac/crates__io__mocks__not-a-collection.json
    invalid_geometry real/pystac/tests/data-files/examples/0.8.1/extensions/sar/examples/envisat.json
    invalid_geometry real/pystac/tests/data-files/examples/0.9.0/extensions/label/examples/multidataset/spacenet-buildings/AOI_3_Paris_img1648.json
    invalid_geometry real/pystac/tests/data-files/examples/0.9.0/extensions/label/examples/multidataset/spacenet-buildings/AOI_4_Shanghai_img3344.json
    invalid_geometry real/pystac/tests/data-files/examples/0.9.0/extensions/label/examples/multidataset/zanzibar/znz001.json
    invalid_id real/rustac/crates/cli/data/invalid-item.json
    invalid_id real/stac_check/sample_files/0.9.0/bad-item.json
    not_a_feature real/stac_check/sample_files/1.1.0/extended-item.json
    invalid_geometry real/stac_validator/tests/test_data/v090/extensions/label/examples/multidataset/spacenet-buildings/AOI_2_Vegas_img2636.json
    invalid_geometry real/stac_validator/tests/test_data/v090/extensions/label/examples/multidataset/spacenet-buildings/AOI_3_Paris_img1648.json
    invalid_geometry real/stac_validator/tests/test_data/v090/extensions/label/examples/multidataset/spacenet-buildings/AOI_4_Shanghai_img3344.json
    invalid_geometry real/stac_validator/tests/test_data/v090/extensions/sar/examples/envisat.json
    invalid_id real/stac_validator/tests/test_data/v100/bad-item.json
    invalid_geometry synthetic-edge/edge_dev.ndjson#38
    invalid_datetime synthetic-edge/edge_dev.ndjson#57
    invalid_datetime synthetic-edge/edge_dev.ndjson#58
    invalid_datetime synthetic-edge/edge_dev.ndjson#59
    invalid_id synthetic-edge/edge_dev.ndjson#75
    invalid_id synthetic-edge/edge_dev.ndjson#76
    invalid_id synthetic-edge/edge_dev.ndjson#77
    not_a_feature synthetic-edge/edge_dev.ndjson#82
    ");

    let mut rebuilt: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in warehouse.rows("SELECT DISTINCT stac_item(*) AS item FROM item_cells") {
        let item: Value = serde_json::from_str(row["item"].as_str().unwrap()).unwrap();
        rebuilt.entry(item["id"].as_str().unwrap().to_owned()).or_default().push(item);
    }
    let (mut lost, mut parents) = (vec![], 0);
    for Original { place, item } in originals(data) {
        if leads_to_items(&item) {
            parents += 1;
            continue;
        }
        let committed =
            item["id"].as_str().and_then(|id| rebuilt.get(id)).is_some_and(|all| all.iter().any(|b| same(b, &item)));
        if committed == rejects.contains_key(&place) {
            lost.push(place);
        }
    }
    assert!(lost.is_empty(), "neither committed as they were nor rejected, or both: {lost:#?}");
    let skipped = ["catalog", "collection"].map(|reason| report["skipped"][reason].as_u64().unwrap_or_default());
    assert_eq!(skipped.iter().sum::<u64>(), parents, "{report}");
}

/// Whether a document is a Catalog or a Collection; before STAC 1.0 these had no type.
fn leads_to_items(document: &Value) -> bool {
    match document["type"].as_str() {
        Some(kind) => ["Catalog", "Collection"].contains(&kind),
        None => {
            let has = |name: &str| document.get(name).is_some();
            document.get("type").is_none()
                && has("stac_version")
                && has("links")
                && (has("extent") || has("description"))
        }
    }
}

#[test]
#[cfg_attr(not(shared_data), ignore = "the shared data is not here; EARTHCATALOG_DATA names its folder")]
fn the_same_data_listed_by_an_inventory_gives_the_same_items() {
    let data = data::folder();
    let folder = tempfile::tempdir().unwrap();
    // Files with one Item each, by path; the folder is what the keys are relative to.
    let one_each: Vec<_> = files(&data.join("real/stactools_modis"));
    let keys: String = one_each.iter().map(|file| format!(",{}\n", file.display())).collect();
    let inventory = folder.path().join("inventory.csv");
    fs::write(&inventory, format!("bucket,key\n{keys}")).unwrap();
    let listed = Warehouse::below(folder.path());
    let report = listed.ingested(&inventory, &["--chunk-size", "20"]);
    assert_eq!(report["listed"], one_each.len());

    let other = tempfile::tempdir().unwrap();
    let direct = Warehouse::below(other.path());
    direct.ingested(&data.join("real/stactools_modis"), &[]);
    let content = "SELECT id, grid_partition, stac_item(*) AS item FROM item_cells ORDER BY 1, 2, 3";
    assert_eq!(listed.rows(content), direct.rows(content));
}

/// Where a reject came from, as [`Original::place`].
fn place(data: &Path, object: &Value, position: &Value) -> String {
    let url = url::Url::parse(object.as_str().unwrap()).unwrap();
    let file = relative(data, &url.to_file_path().unwrap());
    match position.as_u64() {
        Some(n) => format!("{file}#{n}"),
        None => file,
    }
}

fn relative(data: &Path, file: &Path) -> String {
    file.strip_prefix(data).unwrap_or(file).display().to_string()
}

/// The Items of all JSON and NDJSON files below the data folder.
fn originals(data: &Path) -> Vec<Original> {
    let mut found = vec![];
    for file in files(data) {
        let name = relative(data, &file);
        let Ok(text) = fs::read_to_string(&file) else { continue };
        if name.ends_with(".ndjson") {
            for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                found.extend(
                    serde_json::from_str(line).ok().map(|item| Original { place: format!("{name}#{n}"), item }),
                );
            }
        } else if name.ends_with(".json") || name.ends_with(".geojson") {
            let Ok(document) = serde_json::from_str::<Value>(&text) else { continue };
            match document["features"].as_array().or(document.as_array()) {
                Some(features) => {
                    let items = features.iter().enumerate();
                    found.extend(items.map(|(n, item)| Original { place: format!("{name}#{n}"), item: item.clone() }));
                }
                _ => found.push(Original { place: name, item: document }),
            }
        }
    }
    found
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path)),
            }
        }
    }
    found.into_iter().collect()
}

/// Equal as JSON values: members in any order, numbers as numbers.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
