//! Warehouses that are copied or moved, and made whole where they lie.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, Warehouse, run};
use crate::python;
use crate::s3_server::{BUCKET, server};

/// A file of Items, one per id.
fn deliver(folder: &Path, name: &str, ids: std::ops::Range<usize>, updated: &str) -> PathBuf {
    let item = |id: usize| {
        json!({"type": "Feature", "stac_version": "1.0.0", "id": format!("i{id}"), "links": [], "assets": {},
            "geometry": {"type": "Point", "coordinates": [id as f64 * 9.0, 40.0]},
            "properties": {"datetime": "2020-07-01T00:00:00Z", "updated": updated}})
    };
    let path = folder.join(format!("{name}.ndjson"));
    fs::write(&path, ids.map(|id| item(id).to_string()).collect::<Vec<_>>().join("\n")).unwrap();
    path
}

/// A warehouse in two deliveries.
fn warehouse(folder: &Path) -> Warehouse {
    let warehouse = Warehouse::below(folder);
    warehouse.ingest(&deliver(folder, "first", 0..20, "2021-01-01T00:00:00Z"), &[]).ok();
    warehouse.ingest(&deliver(folder, "second", 10..25, "2022-01-01T00:00:00Z"), &[]).ok();
    warehouse
}

/// The files below a folder, by their paths from there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (vec![], vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(folder).unwrap().to_owned()),
            }
        }
    }
    found
}

const NEWEST: &str = "SELECT id, updated FROM items ORDER BY id";

fn on_s3(words: &[&str], catalog: &str) -> Ran {
    let mut program = server().command();
    run(program.args(words).args(["--catalog", catalog]))
}

#[test]
fn a_warehouse_is_published_on_an_object_store_with_one_command_and_goes_on_there() {
    let folder = TempDir::new().unwrap();
    let local = warehouse(folder.path());
    let rows = local.rows(NEWEST);
    for file in files(&local.files) {
        let path = file.to_str().unwrap();
        server().put(&format!("{BUCKET}/published/wh/{path}"), &fs::read(local.files.join(&file)).unwrap());
    }
    let (catalog, files) = (format!("s3://{BUCKET}/published/catalog.db"), format!("s3://{BUCKET}/published/wh"));
    let report = on_s3(&["relocate", "--warehouse", &files, "--output", "json"], &catalog).ok();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["snapshots"], 2);
    assert_eq!(report["from"], format!("file://{}", local.files.display()));

    let found = on_s3(&["sql", NEWEST, "--output", "ndjson"], &catalog).ok();
    let found: Vec<Value> = found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found, rows);
    on_s3(&["verify", "--deep"], &catalog).ok();
    on_s3(&["compact", "--retain", "0s"], &catalog).ok();
    on_s3(&["expire", "--retain", "0s"], &catalog).ok();
    let found = on_s3(&["sql", "SELECT count(*) AS n FROM item_cells", "--output", "csv"], &catalog).ok();
    assert_eq!(found, "n\n25\n");
    on_s3(&["verify", "--deep"], &catalog).ok();
    // The one that was copied is as it was.
    assert_eq!(local.rows(NEWEST), rows);

    let copy = folder.path().join("published.db");
    fs::write(&copy, server().get(&format!("{BUCKET}/published/catalog.db"))).unwrap();
    let seen = python::run("object_store_pyiceberg.py", [copy.to_str().unwrap(), &files, &server().url]);
    assert!(seen.starts_with("25 rows, 25 ids, "), "{seen}");
}

#[test]
fn a_folder_that_was_moved_with_its_catalog_is_named_by_the_error_and_made_whole_by_its_command() {
    let folder = TempDir::new().unwrap();
    let here = warehouse(folder.path());
    let rows = here.rows(NEWEST);
    let there = Warehouse::below(&folder.path().join("moved here"));
    fs::create_dir(folder.path().join("moved here")).unwrap();
    fs::rename(&here.files, &there.files).unwrap();
    fs::copy(&here.catalog, &there.catalog).unwrap();
    let flags = there.flags();
    let register = crate::program::earthcatalog([["register".as_ref()].as_slice(), &flags].concat());
    assert!(register.fails(1).contains("already has a table"));
    let relocate = || crate::program::earthcatalog([["relocate".as_ref()].as_slice(), &flags].concat());
    let text = relocate().ok();
    assert!(text.contains("2") && text.contains("written again"), "{text}");
    assert_eq!(there.rows(NEWEST), rows);
    there.ingest(&deliver(folder.path(), "third", 25..26, "2023-01-01T00:00:00Z"), &[]).ok();
    assert_eq!(there.rows(NEWEST).len(), 26);
    let text = relocate().ok();
    assert!(text.contains("where the table says that it is"), "{text}");
}
