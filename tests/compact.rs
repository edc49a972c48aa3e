//! Compaction from outside: what it leaves, compared with other engines, and what happens when it is killed, or not alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rand::prelude::*;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Warehouse, command};
use crate::python;

/// Items of which few differ in more than the times that decide which version is newer.
fn delivery(rng: &mut StdRng, folder: &Path, name: &str, items: usize) -> PathBuf {
    let mut lines = String::new();
    for _ in 0..items {
        let text =
            |rng: &mut StdRng, choices: &[Option<&str>]| choices.choose(rng).copied().flatten().map(str::to_owned);
        let updated = text(rng, &[None, None, Some("2024-01-01T00:00:00Z"), Some("2024-02-01T00:00:00Z")]);
        let created = text(rng, &[None, Some("2023-01-01T00:00:00Z"), Some("2023-02-01T00:00:00Z")]);
        let datetime = text(rng, &[None, Some("2019-07-01T00:00:00Z"), Some("2020-07-01T00:00:00Z")]);
        let place = *[[-50.0, 69.0], [10.0, 80.0], [170.0, -75.0]].choose(rng).unwrap();
        let platform = text(rng, &[None, Some("L8"), Some("S1")]);
        let mut properties = json!({ "datetime": datetime, "words": rng.random_range(0..3) });
        for (name, value) in [("updated", updated), ("created", created), ("platform", platform)] {
            if let Some(value) = value {
                properties[name] = value.into();
            }
        }
        let item = json!({
            "type": "Feature", "stac_version": "1.0.0", "id": format!("item-{}", rng.random_range(0..40)),
            "geometry": { "type": "Point", "coordinates": place }, "properties": properties, "links": [], "assets": {},
        });
        lines += &format!("{item}\n");
    }
    let path = folder.join(name);
    fs::write(&path, lines).unwrap();
    path
}

/// A warehouse with several deliveries of the same Items.
fn delivered(seed: u64, deliveries: usize, items: usize) -> (TempDir, Warehouse) {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let mut rng = StdRng::seed_from_u64(seed);
    for n in 0..deliveries {
        let items = delivery(&mut rng, folder.path(), &format!("{n}.ndjson"), items);
        warehouse.ingested(&items, &[]);
    }
    (folder, warehouse)
}

fn oracle(step: &str, warehouse: &Warehouse, expected: &Path) -> String {
    let warehouse = warehouse.clone();
    python::run("compaction_oracle.py", [step.into(), warehouse.catalog, warehouse.files, expected.to_owned()])
}

const ALL_ITEMS: &str = "SELECT * FROM items ORDER BY id";
const ALL_CELLS: &str =
    "SELECT id, grid_partition, datetime, updated, created, properties FROM item_cells ORDER BY ALL";

#[test]
fn of_each_item_in_each_bucket_the_newest_version_stays() {
    let mut rows_left = 0;
    for seed in 0..3 {
        let (folder, warehouse) = delivered(seed, 4, 60);
        let expected = folder.path().join("expected.parquet");
        oracle("expect", &warehouse, &expected);
        let items = warehouse.rows(ALL_ITEMS);

        let summary = warehouse.compacted(&[]);

        println!("{}", oracle("check", &warehouse, &expected));
        let same = warehouse.rows(ALL_ITEMS) == items;
        assert!(same, "an Item is the same before and after");
        let count = |name: &str| summary[name].as_u64().unwrap();
        assert_eq!(count("rows_before"), 240);
        assert_eq!(count("rows_before") - count("rows_after"), count("versions_dropped"));
        assert_eq!(count("buckets_scanned"), count("files_after"));
        assert!(count("buckets_compacted") > 0 && count("files_before") > count("files_after"));
        rows_left += count("rows_after");

        // A second time there is nothing to do: no snapshot, and no file.
        let (files, snapshots) = (warehouse.listing(), summary["snapshots"].clone());
        assert_eq!(snapshots.as_array().unwrap().len(), 1);
        let again = warehouse.compacted(&[]);
        assert_eq!((&again["buckets_compacted"], &again["snapshots"]), (&json!(0), &json!([])));
        assert_eq!(warehouse.listing(), files);
    }
    assert!(rows_left > 100, "the deliveries are not all duplicates");
}

#[test]
fn a_dry_run_names_the_buckets_and_touches_nothing() {
    let (_folder, warehouse) = delivered(7, 2, 30);
    let before = warehouse.listing();
    let plan: Value = serde_json::from_str(&warehouse.compact(&["--dry-run", "--output", "json"]).ok()).unwrap();
    assert_eq!(warehouse.listing(), before);
    let summary = warehouse.compacted(&[]);
    assert_eq!(plan["buckets"].as_array().unwrap().len() as u64, summary["buckets_compacted"].as_u64().unwrap());
    let text = warehouse.compact(&["--dry-run", "--threshold", "1"]).ok();
    assert!(text.starts_with("bucket ") && text.contains("/2019 ") && text.contains("/null "), "{text}");
}

#[test]
fn buckets_are_chosen_by_name_year_and_number_of_files() {
    let (_folder, warehouse) = delivered(8, 3, 40);
    let planned = |flags: &[&str]| -> Vec<String> {
        let plan = warehouse.compact(&[&["--dry-run", "--output", "json"], flags].concat()).ok();
        let plan: Value = serde_json::from_str(&plan).unwrap();
        plan["buckets"].as_array().unwrap().iter().map(|b| b["bucket"].as_str().unwrap().to_owned()).collect()
    };
    let all = planned(&[]);
    assert_eq!(all.len(), 9, "{all:?}");
    assert_eq!(planned(&["--bucket", &all[1]]), [all[1].clone()]);
    assert!(planned(&["--since", "2020"]).iter().all(|b| b.ends_with("/2020")));
    assert_eq!(planned(&["--since", "2020"]).len(), 3);
    assert_eq!(planned(&["--threshold", "4"]), [""; 0]);

    let one = warehouse.compacted(&["--bucket", &all[0]]);
    assert_eq!(
        (&one["buckets_compacted"], &one["files_before"], &one["files_after"]),
        (&json!(1), &json!(3), &json!(1))
    );
    // The rest in groups: a snapshot each.
    let rest = warehouse.compacted(&["--commit-every", "3", "--workers", "1"]);
    assert_eq!(rest["buckets_compacted"], 8);
    assert!(rest["snapshots"].as_array().unwrap().len() <= 3, "{rest}");
}

#[test]
fn a_bucket_that_does_not_fit_into_memory_is_compacted_on_disk() {
    let (folder, warehouse) = delivered(9, 2, 50);
    let expected = folder.path().join("expected.parquet");
    // Given 8,000 Items of 6 kB in one bucket, 48 MB,
    let mut rng = StdRng::seed_from_u64(1);
    let lines: String = (0..8_000)
        .map(|n| {
            let words = format!("{:016x}", rng.random::<u64>()).repeat(375);
            let item = json!({
                "type": "Feature", "stac_version": "1.0.0", "id": format!("large-{}", n % 6_000),
                "geometry": { "type": "Point", "coordinates": [10.0, 80.0] }, "links": [], "assets": {},
                "properties": { "datetime": "2020-07-01T00:00:00Z", "words": words },
            });
            format!("{item}\n")
        })
        .collect();
    let large = folder.path().join("large.ndjson");
    fs::write(&large, lines).unwrap();
    warehouse.ingested(&large, &["--chunk-size", "1000"]);
    oracle("expect", &warehouse, &expected);
    // when sorts may take less than that,
    warehouse.compacted(&["--memory", "40MB", "--workers", "1"]);
    println!("{}", oracle("check", &warehouse, &expected));
}
