//! `expire` as a user runs it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Warehouse, earthcatalog};
use crate::python;

/// A warehouse with three Items in two snapshots.
fn ingested(folder: &Path) -> Warehouse {
    let warehouse = Warehouse::below(folder);
    for (run, items) in [("a", 0..2), ("b", 2..3)] {
        let mut inventory = "bucket,key\n".to_owned();
        for n in items {
            let item = format!(
                r#"{{"type":"Feature","id":"i{n}","geometry":{{"type":"Point","coordinates":[{n},50]}},"properties":{{"datetime":"2020-01-01T00:00:00Z"}}}}"#
            );
            fs::write(folder.join(format!("{n}.json")), item).unwrap();
            inventory += &format!(",{n}.json\n");
        }
        let list = folder.join(format!("{run}.csv"));
        fs::write(&list, inventory).unwrap();
        warehouse.ingest(&list, &[]).ok();
    }
    warehouse
}

fn expire(warehouse: &Warehouse, flags: &[&str]) -> Value {
    let (catalog, files) = (warehouse.catalog.to_str().unwrap(), warehouse.files.to_str().unwrap());
    let command = ["expire", "--catalog", catalog, "--warehouse", files, "--output", "json"];
    serde_json::from_str(&earthcatalog([&command, flags].concat()).ok()).unwrap()
}

fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.display().to_string())),
        }
    }
    found
}

#[test]
fn old_snapshots_go_when_asked_to_and_the_table_stays_the_same_for_pyiceberg_too() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = ingested(folder.path());
    let before = files(&warehouse.files);

    let kept = expire(&warehouse, &[]);
    assert_eq!((&kept["snapshots_removed"], &kept["bytes_removed"]), (&0.into(), &0.into()));
    let dry = expire(&warehouse, &["--retain", "0s", "--dry-run"]);
    assert_eq!((&dry["dry_run"], &dry["snapshots_removed"]), (&true.into(), &1.into()));
    assert_eq!(files(&warehouse.files), before, "nothing was touched");

    let done = expire(&warehouse, &["--retain", "0s"]);
    assert_eq!(done["snapshots_removed"], 1);
    assert_eq!(
        (&done["metadata_files_removed"], &done["data_files_removed"]),
        (&dry["metadata_files_removed"], &0.into())
    );
    assert_eq!(warehouse.value("SELECT count(*) FROM items"), 3);
    let (catalog, files) = (warehouse.catalog.as_os_str(), warehouse.files.as_os_str());
    let seen = python::run("expired_pyiceberg.py", [catalog, files]);
    assert_eq!(seen.trim(), "3 rows, 1 snapshots, 1 in history, 0 older metadata files");
}

#[test]
fn a_bad_duration_is_explained_and_a_warehouse_of_another_catalog_refused() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = ingested(folder.path());
    let (catalog, files) = (warehouse.catalog.to_str().unwrap(), warehouse.files.to_str().unwrap());
    let error = earthcatalog(["expire", "--catalog", catalog, "--warehouse", files, "--retain", "soon"]).fails(2);
    assert!(error.contains("--retain") && error.contains("0s, 30m, 1h, 7d"), "{error}");
    let error = earthcatalog(["expire", "--catalog", catalog, "--warehouse", "elsewhere"]).fails(1);
    assert!(error.contains("elsewhere"), "{error}");
}

#[test]
fn a_dry_run_counts_what_the_clean_up_then_removes() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = ingested(folder.path());
    let dry = expire(&warehouse, &["--retain", "0s", "--dry-run"]);
    let there = files(&warehouse.files).len();
    let done = expire(&warehouse, &["--retain", "0s"]);
    let counts = ["snapshots_removed", "data_files_removed", "metadata_files_removed", "orphans_removed"];
    for count in counts.iter().chain(&["bytes_removed"]) {
        assert_eq!(dry[count], done[count], "{count}: {dry}, {done}");
    }
    let removed: u64 = counts[1..].iter().map(|count| done[count].as_u64().unwrap()).sum();
    // The clean-up itself writes one metadata file.
    assert_eq!(files(&warehouse.files).len() as u64, there as u64 + 1 - removed);
}
