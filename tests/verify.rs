//! `verify` as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{Ran, Warehouse, earthcatalog};

/// Items with an object each; a delivery is a folder.
fn delivered(folder: &Path, name: &str, ids: std::ops::Range<usize>, note: &str) -> PathBuf {
    let delivery = folder.join(name);
    fs::create_dir(&delivery).unwrap();
    for n in ids {
        let (west, south) = (-170.0 + (n % 7) as f64 * 40.0, -60.0 + (n % 4) as f64 * 30.0);
        let (east, north) = (west + 9.0, south + 9.0);
        let ring = json!([[west, south], [east, south], [east, north], [west, north], [west, south]]);
        let item = json!({
            "type": "Feature", "stac_version": "1.0.0", "id": format!("i{n}"), "collection": "c",
            "geometry": { "type": "Polygon", "coordinates": [ring] }, "bbox": [west, south, east, north],
            "properties": { "datetime": format!("{}-05-01T00:00:00Z", 2018 + n % 3), "note": note },
            "links": [], "assets": {},
        });
        fs::write(delivery.join(format!("i{n}.json")), item.to_string()).unwrap();
    }
    delivery
}

fn command(warehouse: &Warehouse, words: &[&str]) -> Ran {
    let flags = warehouse.flags().map(|flag| flag.to_str().unwrap().to_owned());
    earthcatalog(words.iter().map(|word| (*word).to_owned()).chain(flags))
}

/// What `verify` says, which must end with `code`.
fn verified(warehouse: &Warehouse, flags: &[&str], code: i32) -> Value {
    let ran = command(warehouse, &[&["verify", "--output", "json"], flags].concat());
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn is_whole(warehouse: &Warehouse, state: &str) {
    for flags in [&[][..], &["--deep"]] {
        let report = verified(warehouse, flags, 0);
        assert_eq!(report["findings"], json!([]), "{state}: {report:#}");
    }
}

#[test]
fn a_whole_warehouse_is_said_to_be_whole_whatever_commands_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let first = delivered(folder.path(), "first", 0..20, "first");
    command(&warehouse, &["backfill", "--chunk-size", "5", "--inventory", first.to_str().unwrap()]).ok();
    is_whole(&warehouse, "after a backfill");
    let second = delivered(folder.path(), "second", 10..25, "second");
    command(&warehouse, &["ingest", "--inventory", second.to_str().unwrap()]).ok();
    command(&warehouse, &["incremental", "--inventory", second.to_str().unwrap()]).ok();
    is_whole(&warehouse, "after ingests");
    command(&warehouse, &["index"]).ok();
    command(&warehouse, &["compact", "--retain", "0s"]).ok();
    is_whole(&warehouse, "after a compaction");
    command(&warehouse, &["delete", "--where", "id = 'i3'"]).ok();
    command(&warehouse, &["index"]).ok();
    command(&warehouse, &["expire", "--retain", "0s"]).ok();
    is_whole(&warehouse, "after a deletion");
    let text = command(&warehouse, &["verify"]).ok();
    assert!(text.starts_with("no damage found: ") && text.ends_with("0 orphans\n"), "{text}");
}

#[test]
fn damage_is_an_exit_code_of_its_own_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let delivery = delivered(folder.path(), "first", 0..12, "first");
    command(&warehouse, &["ingest", "--inventory", delivery.to_str().unwrap()]).ok();
    let parts: Vec<PathBuf> =
        warehouse.listing().into_keys().filter(|path| path.to_str().unwrap().contains("/year=")).collect();
    let (gone, flipped) = (&parts[0], &parts[1]);

    let whole = fs::read(flipped).unwrap();
    let mut bytes = whole.clone();
    // Behind the magic is the first page of the first column.
    bytes[60] ^= 1;
    fs::write(flipped, &bytes).unwrap();
    verified(&warehouse, &[], 0);
    let report = verified(&warehouse, &["--deep"], 3);
    let finding = &report["findings"][0];
    assert_eq!((&report["damage"], &finding["severity"]), (&json!(1), &json!("damage")), "{report:#}");
    assert_eq!(finding["object"], json!(format!("file://{}", flipped.display())));
    fs::write(flipped, whole).unwrap();

    fs::remove_file(gone).unwrap();
    fs::write(gone.with_file_name("notes.txt"), "nobody's").unwrap();
    let report = verified(&warehouse, &[], 3);
    let [finding] = &report["findings"].as_array().unwrap()[..] else { panic!("{report:#}") };
    assert_eq!((&finding["check"], &finding["found"]), (&json!("exists"), &json!("none")));
    let ran = command(&warehouse, &["verify"]);
    let error = ran.stderr.clone();
    assert_eq!(ran.code, Some(3));
    assert!(error.contains("the warehouse is damaged: 1 finding, listed on standard output"), "{error}");
    for words in [gone.to_str().unwrap(), "way out: put the file back", "damage found, 1 finding: "] {
        assert!(ran.stdout.contains(words), "{}", ran.stdout);
    }
    // A table that cannot be opened is an error, and not a finding.
    fs::create_dir(folder.path().join("nowhere")).unwrap();
    let nowhere = Warehouse::below(&folder.path().join("nowhere"));
    assert!(command(&nowhere, &["verify"]).fails(1).contains("there is no catalog"));
}

#[test]
fn a_lost_file_is_taken_out_of_the_table_and_its_items_stay_where_they_are_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let delivery = delivered(folder.path(), "first", 0..12, "first");
    command(&warehouse, &["ingest", "--inventory", delivery.to_str().unwrap()]).ok();
    let before = warehouse.value("SELECT count(*) FROM items");
    // Each Item has several cells, and so no file has all of its rows.
    let part = warehouse.listing().into_keys().find(|path| path.to_str().unwrap().contains("/year=")).unwrap();
    fs::remove_file(&part).unwrap();
    // Where a clean-up did that, the question is to be asked again: nothing is damaged.
    let error = warehouse.sql("SELECT count(assets) FROM items").fails(1);
    assert!(error.contains("cannot be read") && error.contains("ask again") && !error.contains("damaged"), "{error}");

    let report = verified(&warehouse, &["--repair"], 3);
    let repair = &report["repair"];
    assert_eq!((&repair["files_removed"], &repair["found"][0]["check"]), (&json!(1), &json!("exists")), "{report:#}");
    assert!(repair["rows_restored"].as_u64() >= repair["rows_removed"].as_u64(), "{report:#}");
    assert!(report["findings"][0]["way_out"].as_str().unwrap().contains("only older snapshots"), "{report:#}");
    assert_eq!(warehouse.value("SELECT count(*) FROM items"), before);
    command(&warehouse, &["expire", "--retain", "0s"]).ok();
    is_whole(&warehouse, "after a repair");
    assert!(verified(&warehouse, &["--repair"], 0).get("repair").is_none(), "there is nothing left to repair");
}

#[test]
fn many_small_files_are_looked_at_within_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let inventory = folder.path().join("items.ndjson");
    // 600 files of one to five rows.
    let item = |file: usize, n: usize| {
        let (west, south) = (-170.0 + (file % 12) as f64 * 28.0, -60.0 + (file / 12 % 5) as f64 * 25.0);
        json!({
            "type": "Feature", "stac_version": "1.0.0", "id": format!("an Item of which the id is long: {file}, {n}"), "collection": "c",
            "geometry": { "type": "Point", "coordinates": [west, south] }, "bbox": [west, south, west, south],
            "properties": { "datetime": format!("{}-05-01T00:00:00Z", 2000 + file / 60) }, "links": [], "assets": {},
        })
    };
    let items = (0..600).flat_map(|file| (0..[1, 3, 2, 1, 5][file % 5]).map(move |n| item(file, n)));
    fs::write(&inventory, items.map(|item| format!("{item}\n")).collect::<String>()).unwrap();
    command(&warehouse, &["ingest", "--inventory", inventory.to_str().unwrap()]).ok();
    for memory in ["60MB", "150MB", "300MB"] {
        let report = verified(&warehouse, &["--deep", "--memory", memory], 0);
        assert_eq!((&report["findings"], &report["rows"]), (&json!([]), &json!(1_440)), "{memory}: {report:#}");
    }
}
