//! Compaction from outside: what it leaves, compared with other engines, and what happens when it is killed, or not alone.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use datafusion::physical_plan::collect;
use earthcatalog_plans::query::register_views;
use earthcatalog_plans::session::session;
use rand::prelude::*;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Warehouse, command, earthcatalog};
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

#[test]
fn of_each_item_the_newest_version_stays_wherever_it_was() {
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
        assert!(count("buckets_compacted") > 0 && count("files_before") > count("files_after"));
        rows_left += count("rows_after");

        // A second time there is nothing to do: no snapshot, and no file.
        let (files, snapshots) = (warehouse.listing(), summary["snapshots"].clone());
        assert_eq!(snapshots.as_array().unwrap().len(), 1);
        let again = warehouse.compacted(&[]);
        assert_eq!((&again["buckets_compacted"], &again["snapshots"]), (&json!(0), &json!([])));
        assert_eq!(warehouse.listing(), files);
    }
    assert!(rows_left > 100, "{rows_left}: there are many Items");
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
    // The rest in groups, a snapshot each: nothing that Items which moved had left behind lies in the first one any more.
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

#[tokio::test]
async fn a_reader_that_planned_before_the_compaction_reads_to_the_end_after_it() {
    let (_folder, warehouse) = delivered(10, 3, 40);
    let context = session(2).unwrap();
    register_views(&context, warehouse.catalog.to_str().unwrap(), warehouse.files.to_str()).await.unwrap();
    let frame = context.sql("SELECT id FROM item_cells").await.unwrap();
    let plan = frame.create_physical_plan().await.unwrap();

    assert!(warehouse.compacted(&[])["versions_dropped"].as_u64().unwrap() > 0);

    let batches = collect(plan, context.task_ctx()).await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 120);
    assert_eq!(warehouse.value("SELECT count(*) < 120 FROM item_cells"), true);
}

/// Steps of a compaction that are seen from outside, about.
const STEPS: u32 = 40;

/// The names of all files below a folder, while they come and go.
fn names(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (vec![], vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Data files below the warehouse.
fn data_files(warehouse: &Warehouse) -> usize {
    let listing = warehouse.listing();
    listing.keys().filter(|path| path.to_str().unwrap().contains("/grid_partition=")).count()
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => _ = fs::copy(entry.path(), target).unwrap(),
        }
    }
}

#[test]
fn a_compaction_that_is_killed_leaves_the_table_before_or_after_and_the_next_one_ends_the_work() {
    let kills: u32 = std::env::var("EARTHCATALOG_KILLS").map_or(8, |n| n.parse().unwrap());
    let (folder, warehouse) = delivered(11, 3, 60);
    let base = tempfile::tempdir().unwrap();
    copy(folder.path(), base.path());
    let restore = || {
        fs::remove_dir_all(&warehouse.files).unwrap();
        for journal in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
            drop(fs::remove_file(folder.path().join(journal)));
        }
        copy(base.path(), folder.path());
    };
    let (items, rows) = (warehouse.rows(ALL_ITEMS), "SELECT count(*) AS n FROM item_cells");
    let before = warehouse.value(rows);
    let started = Instant::now();
    warehouse.compacted(&["--retain", "0s"]);
    let (took, after) = (started.elapsed(), warehouse.value(rows));
    assert_ne!(before, after);
    let buckets = data_files(&warehouse);

    let mut rng = StdRng::seed_from_u64(12);
    let mut committed = 0;
    for n in 0..2 * kills {
        restore();
        let mut compaction = command();
        compaction.arg("compact").args(warehouse.flags()).args(["--retain", "0s"]);
        let mut child = compaction.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if n < kills {
            thread::sleep(took.mul_f64(rng.random_range(0.0..1.0)));
        } else {
            // After so many steps that are seen from outside: a file more, or one less.
            let steps = (n - kills) * STEPS / kills;
            let (mut seen, mut last) = (0, names(folder.path()));
            while seen <= steps && child.try_wait().unwrap().is_none() {
                let now = names(folder.path());
                seen += u32::from(now != last);
                last = now;
            }
        }
        drop(child.kill());
        child.wait().unwrap();

        let left = warehouse.value(rows);
        assert!([&before, &after].contains(&&left), "kill {n}: {left} rows, neither {before} nor {after}");
        committed += u32::from(left == after);
        assert!(warehouse.rows(ALL_ITEMS) == items, "kill {n}: an Item changed");
        if n % 6 == 0 {
            let catalog = warehouse.catalog.clone().into_os_string();
            let files = warehouse.files.clone().into_os_string();
            python::run("row_count.py", [catalog, files, left.to_string().into()]);
        }

        warehouse.compacted(&["--retain", "0s"]);
        assert_eq!(warehouse.value(rows), after, "kill {n}");
        assert_eq!(data_files(&warehouse), buckets, "kill {n}: files that nothing names");
        assert!(warehouse.rows(ALL_ITEMS) == items, "kill {n}: an Item changed");
    }
    println!("{} kills, {committed} of them after the commit", 2 * kills);
}

#[test]
fn appends_and_compactions_at_the_same_time_lose_no_row_and_double_none() {
    let rounds: usize = std::env::var("EARTHCATALOG_ROUNDS").map_or(4, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let deliver = |round: usize, writer: usize| {
        let item = |id: String, updated: usize| {
            json!({
                "type": "Feature", "stac_version": "1.0.0", "id": id, "links": [], "assets": {},
                "geometry": { "type": "Point", "coordinates": [if id.len().is_multiple_of(2) { 10.0 } else { 100.0 }, 80.0] },
                "properties": { "datetime": "2020-07-01T00:00:00Z", "updated": format!("2024-01-{updated:02}T00:00:00Z") },
            })
        };
        let fresh = (0..20).map(|n| item(format!("{round}-{writer}-{n}"), 1));
        let again = item("everywhere".to_owned(), round + 1);
        let lines: String = fresh.chain([again]).map(|item| format!("{item}\n")).collect();
        let path = folder.path().join(format!("{round}-{writer}.ndjson"));
        fs::write(&path, lines).unwrap();
        path
    };
    warehouse.ingested(&deliver(0, 0), &[]);
    let mut left_out = 0;
    for round in 1..=rounds {
        thread::scope(|scope| {
            let compactions: Vec<_> = (0..2).map(|_| scope.spawn(|| warehouse.compacted(&[]))).collect();
            for writer in 0..3 {
                let items = deliver(round, writer);
                let warehouse = &warehouse;
                scope.spawn(move || assert_eq!(warehouse.ingested(&items, &[])["items"], 21));
            }
            for compaction in compactions {
                left_out += compaction.join().unwrap()["buckets_left_out"].as_array().unwrap().len();
            }
        });
    }
    warehouse.compacted(&["--retain", "0s"]);
    let delivered = 20 + rounds * 3 * 20 + 1;
    let found = warehouse.rows("SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM item_cells");
    assert_eq!(found, [json!({ "rows": delivered, "ids": delivered })]);
    let newest = warehouse.value("SELECT updated FROM item_cells WHERE id = 'everywhere'");
    assert_eq!(newest, format!("2024-01-{:02}T00:00:00Z", rounds + 1));
    assert_eq!(data_files(&warehouse), 2, "one file per bucket");
    println!("{left_out} buckets left to the other compaction");
}

#[test]
fn the_lock_keeps_a_second_compaction_away_and_what_is_wrong_is_named() {
    let (_folder, warehouse) = delivered(13, 2, 10);
    let mut lock = warehouse.catalog.clone().into_os_string();
    lock.push(".lock");
    // Given the lock of another host, which is at work,
    let now = chrono::Utc::now().to_rfc3339();
    let held = json!({ "owner": "someone", "purpose": "compact", "host": "elsewhere", "machine": "other", "pid": 7,
                       "process_start": null, "started": now, "heartbeat": now, "renewals": 0 });
    fs::write(&lock, held.to_string()).unwrap();
    let error = warehouse.compact(&["--use-lock"]).fails(1);
    assert!(error.contains("elsewhere") && error.contains("7"), "{error}");
    // without the flag the work is done,
    warehouse.compacted(&[]);
    // and the lock goes with its holder.
    fs::remove_file(&lock).unwrap();
    warehouse.compacted(&["--use-lock"]);
    assert!(!Path::new(&lock).exists());

    // A file that is damaged is named, and nothing changes.
    let listing = warehouse.listing();
    let damaged = listing.keys().find(|path| path.to_str().unwrap().contains("/grid_partition=")).unwrap();
    let intact = fs::read(damaged).unwrap();
    fs::write(damaged, "no Parquet").unwrap();
    let error = warehouse.compact(&["--threshold", "1"]).fails(1);
    assert!(error.contains(damaged.to_str().unwrap()) && error.contains("cannot be read"), "{error}");
    assert_eq!(error.matches("cannot be read").count(), 1, "said once: {error}");
    fs::write(damaged, intact).unwrap();
    assert_eq!(warehouse.listing(), listing);

    let error = warehouse.compact(&["--bucket", "nowhere/2020"]).fails(1);
    assert!(error.contains("--bucket nowhere/2020: the table has no such bucket"), "{error}");
}

/// All replace the files of the same buckets, so that one alone is the first: the others begin again.
#[test]
fn deletions_at_once_all_happen() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let items = folder.path().join("items.ndjson");
    let point = |id: usize| {
        json!({
            "type": "Feature", "stac_version": "1.0.0", "id": format!("i{id}"), "links": [], "assets": {},
            "geometry": { "type": "Point", "coordinates": [10.0, 40.0] }, "bbox": [10.0, 40.0, 10.0, 40.0],
            "properties": { "datetime": "2020-05-01T00:00:00Z" },
        })
    };
    fs::write(&items, (0..9).map(|id| format!("{}\n", point(id))).collect::<String>()).unwrap();
    warehouse.ingest(&items, &[]).ok();
    let delete = |id: usize| {
        let condition = format!("id = 'i{id}'");
        let words = ["delete", "--output", "json", "--where", &condition].map(OsStr::new);
        earthcatalog(words.into_iter().chain(warehouse.flags())).ok()
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..3).map(|id| scope.spawn(move || delete(id))).collect();
        for ended in running {
            let summary: Value = serde_json::from_str(&ended.join().unwrap()).unwrap();
            assert_eq!(summary["items"], json!(1), "{summary}");
        }
    });
    assert_eq!(warehouse.value("SELECT count(*) FROM items"), json!(6));
}
