//! Items that would take more than their share, and questions that may.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{Warehouse, accounted, earthcatalog};

fn item(id: &str, [west, south, east, north]: [f64; 4]) -> Value {
    let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id, "collection": "c",
        "geometry": {"type": "Polygon", "coordinates": [ring]}, "bbox": [west, south, east, north],
        "properties": {"datetime": "2020-01-01T00:00:00Z"}, "links": [], "assets": {}
    })
}

/// A list of two objects: a map of the world, and a scene.
fn world_and_scene(folder: &Path) -> PathBuf {
    fs::write(folder.join("world.json"), item("world", [-180.0, -90.0, 180.0, 90.0]).to_string()).unwrap();
    fs::write(folder.join("scene.json"), item("scene", [10.0, 50.0, 10.01, 50.01]).to_string()).unwrap();
    let list = folder.join("list.csv");
    fs::write(&list, "bucket,key,last_modified_date\n,world.json,2025-01-01\n,scene.json,2025-01-01\n").unwrap();
    list
}

#[test]
fn an_item_of_too_many_cells_is_a_reject_of_every_command_that_ingests() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = world_and_scene(folder.path());
    for command in ["ingest", "backfill", "incremental"] {
        for (flags, rejected) in [
            (&["--h3-resolution", "6"][..], json!({"too_many_cells": 1})),
            (&["--h3-resolution", "1", "--max-item-cells", "841"], json!({"too_many_cells": 1})),
            (&["--h3-resolution", "1", "--max-item-cells", "842"], json!({})),
        ] {
            let own = tempfile::tempdir().unwrap();
            let warehouse = Warehouse::below(own.path());
            let mut arguments: Vec<&OsStr> = [command, "--inventory"].map(OsStr::new).into();
            arguments.push(inventory.as_ref());
            arguments.extend(warehouse.flags());
            arguments.extend(flags.iter().chain(&["--output", "json"]).map(OsStr::new));
            let report: Value = serde_json::from_str(&earthcatalog(arguments).ok()).unwrap();
            assert_eq!(report["rejected"], rejected, "{command} {flags:?}");
            let (listed, counted) = accounted(&report);
            assert_eq!((listed, counted), (2, 2), "{command} {flags:?}");
            let items = 2 - rejected.as_object().unwrap().len();
            assert_eq!(warehouse.value("SELECT count(*) FROM items"), items, "{command} {flags:?}");
        }
    }
}

#[test]
fn a_question_about_the_world_has_no_limit_of_cells() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = world_and_scene(folder.path());
    let warehouse = Warehouse::below(folder.path());
    warehouse.ingest(&inventory, &["--h3-resolution", "9", "--max-item-cells", "1000"]).ok();
    let world = "ST_MakeEnvelope(-180, -90, 180, 90)";
    let sql = format!("SELECT id FROM items WHERE ST_Intersects(geometry, {world})");
    assert_eq!(warehouse.rows(&sql), [json!({"id": "scene"})]);
    let mut arguments: Vec<&OsStr> = ["search", "--bbox", "-180,-90,180,90"].map(OsStr::new).into();
    arguments.extend(warehouse.flags());
    let found = earthcatalog(arguments).ok();
    assert!(found.contains("\"scene\""), "{found}");
    assert_eq!(warehouse.value(&format!("SELECT cardinality(h3_cells({world}, 4))")), 288_122);
}

#[test]
fn a_limit_of_cells_that_cannot_be_is_refused_by_its_flag() {
    let warehouse = Warehouse { catalog: "c.db".into(), files: "w".into() };
    for limit in ["0", "4194305", "many"] {
        let error = warehouse.ingest(Path::new("list.csv"), &["--max-item-cells", limit]).fails(2);
        assert!(error.contains("--max-item-cells"), "{error}");
    }
}
