//! Incremental runs: what is new in an inventory is ingested, and nothing else is fetched.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, Warehouse, accounted, earthcatalog};
use crate::server::Server;

/// Objects behind a server, and their inventory.
struct Bucket {
    folder: TempDir,
    server: Server,
    warehouse: Warehouse,
    rows: Vec<[String; 4]>,
}

fn item(id: &str, day: u32) -> Value {
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id, "links": [], "assets": {},
        "geometry": { "type": "Point", "coordinates": [10.0, 80.0] },
        "properties": { "datetime": "2020-07-01T00:00:00Z", "updated": format!("2025-09-{day:02}T00:00:00Z") },
    })
}

impl Bucket {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), Duration::ZERO);
        let warehouse = Warehouse::below(folder.path());
        Self { folder, server, warehouse, rows: vec![] }
    }

    /// Puts an object, and lists it with an ETag and a time of this day; an empty ETag is none.
    fn put(&mut self, key: &str, e_tag: &str, day: u32) {
        self.put_item(key, key, e_tag, day);
    }

    /// The same of an object whose Item has another id.
    fn put_item(&mut self, key: &str, id: &str, e_tag: &str, day: u32) {
        fs::write(self.folder.path().join(key), item(id, day).to_string()).unwrap();
        let time = format!("2025-09-{day:02}T12:00:00.000Z");
        self.rows.retain(|row| row[1] != key);
        self.rows.push(["bucket".to_owned(), key.to_owned(), time, e_tag.to_owned()]);
    }

    fn inventory(&self) -> PathBuf {
        let path = self.folder.path().join("inventory.csv");
        let rows: String = self.rows.iter().map(|row| row.join(",") + "\n").collect();
        fs::write(&path, format!("bucket,key,last_modified_date,e_tag\n{rows}")).unwrap();
        path
    }

    fn run(&self, command: &str, flags: &[&str]) -> Ran {
        let inventory = self.inventory();
        let mut arguments: Vec<&OsStr> = vec![command.as_ref()];
        if command != "delta" {
            arguments.push("--inventory".as_ref());
        }
        arguments.push(inventory.as_ref());
        arguments.extend(self.warehouse.flags());
        arguments.extend(["--base", &self.server.url].map(OsStr::new));
        arguments.extend(flags.iter().map(OsStr::new));
        earthcatalog(arguments)
    }

    /// The report of an incremental run that must work, and the objects that it fetched.
    fn ingest(&self, command: &str, flags: &[&str]) -> (Value, BTreeSet<String>) {
        let before = self.server.fetched();
        let report = self.run(command, &[flags, &["--output", "json"]].concat()).ok();
        let after = self.server.fetched();
        let fetched = after.into_iter().filter(|(key, n)| before.get(key) != Some(n)).map(|(key, _)| key).collect();
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(accounted(&report).0, accounted(&report).1, "{report}");
        (report, fetched)
    }

    fn delta(&self, flags: &[&str]) -> Vec<String> {
        let rows = self.run("delta", &[flags, &["--output", "ndjson"]].concat()).ok();
        let objects = rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap()["object"].clone());
        objects.map(|object| object.as_str().unwrap().to_owned()).collect()
    }
}

fn keys(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|key| key.to_string()).collect()
}

#[test]
fn only_what_is_new_is_fetched_and_the_record_outlives_compaction_and_expiry() {
    for first in ["ingest", "backfill", "incremental"] {
        let mut bucket = Bucket::new();
        for (key, day) in [("a.json", 1), ("b.json", 2), ("c.json", 3), ("notes.txt", 4)] {
            bucket.put(key, &format!("{key}-1"), day);
        }
        fs::write(bucket.folder.path().join("c.json"), "{").unwrap();
        let (report, fetched) = bucket.ingest(first, &[]);
        assert_eq!((&report["items"], fetched), (&json!(2), keys(&["a.json", "b.json", "c.json"])), "{first}");

        // One object is new, one has another version, one was the same when it was copied, one was broken and is mended.
        bucket.put("d.json", "d-1", 2);
        bucket.put("a.json", "a-2", 5);
        bucket.put("b.json", "b.json-1", 6);
        bucket.put("c.json", "c-2", 3);
        bucket.warehouse.compacted(&["--threshold", "1", "--retain", "0s"]);
        assert_eq!(bucket.delta(&[]), ["a.json", "c.json", "d.json"].map(|key| format!("s3://bucket/{key}")));
        let (report, fetched) = bucket.ingest("incremental", &[]);
        assert_eq!(fetched, keys(&["a.json", "c.json", "d.json"]), "{first}");
        assert_eq!((&report["listed"], &report["skipped"]), (&json!(5), &json!({ "ingested": 1, "suffix": 1 })));
        let newest = bucket.warehouse.value("SELECT updated FROM items WHERE id = 'a.json'");
        assert_eq!(
            (newest, bucket.warehouse.value("SELECT count(*) FROM items")),
            (json!("2025-09-05T00:00:00Z"), json!(4))
        );

        // Nothing is left: nothing is fetched, and nothing committed.
        let (report, fetched) = bucket.ingest("incremental", &[]);
        assert_eq!((&report["snapshot"], fetched, bucket.delta(&[])), (&Value::Null, keys(&[]), vec![]));
        let statistics = fs::read_to_string(bucket.folder.path().join("ingest_stats.json")).unwrap();
        let kinds: Vec<Value> =
            statistics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].clone()).collect();
        assert_eq!(kinds.last(), Some(&json!("incremental")));
    }
}

#[test]
fn since_last_goes_on_where_the_table_ends() {
    let mut bucket = Bucket::new();
    for (key, day) in [("a.json", 1), ("b.json", 9)] {
        bucket.put(key, "", day);
    }
    // Where the table has seen nothing, last leaves nothing out.
    let (report, _) = bucket.ingest("incremental", &["--since", "last"]);
    assert_eq!(report["items"], 2);
    // Late arrivals of before are left out, those of the same time are not.
    for (key, day) in [("late.json", 8), ("same.json", 9), ("new.json", 10)] {
        bucket.put(key, "", day);
    }
    assert_eq!(bucket.delta(&["--since", "last"]), ["s3://bucket/new.json", "s3://bucket/same.json"]);
    let (report, fetched) = bucket.ingest("incremental", &["--since", "last"]);
    assert_eq!(fetched, keys(&["new.json", "same.json"]));
    assert_eq!(report["skipped"], json!({ "ingested": 1, "since": 2 }));
    assert_eq!(bucket.delta(&[]), ["s3://bucket/late.json"]);

    let error = bucket.run("ingest", &["--since", "last"]).fails(2);
    assert!(error.contains("only `earthcatalog incremental` and `delta` take --since last"), "{error}");
}

#[test]
fn rejects_are_tried_again_where_they_are_asked_for_or_nothing_is_left_out() {
    let mut bucket = Bucket::new();
    for (key, day) in [("a.json", 9), ("broken.json", 1), ("gone.json", 2)] {
        bucket.put(key, &format!("{key}-1"), day);
    }
    let whole = fs::read(bucket.folder.path().join("broken.json")).unwrap();
    fs::write(bucket.folder.path().join("broken.json"), "{").unwrap();
    fs::remove_file(bucket.folder.path().join("gone.json")).unwrap();
    let (report, _) = bucket.ingest("incremental", &["--since", "last"]);
    assert_eq!(report["rejected"], json!({ "malformed_json": 1, "missing": 1 }));
    // An old object that nobody has rejected, and one of the rejects is mended as it was listed.
    bucket.put("late.json", "late-1", 1);
    fs::write(bucket.folder.path().join("broken.json"), whole).unwrap();
    let (last, retry) = (&["--since", "last"][..], &["--since", "last", "--retry-rejects"][..]);
    let (report, fetched) = bucket.ingest("incremental", last);
    assert_eq!((fetched, &report["skipped"]), (keys(&[]), &json!({ "ingested": 1, "since": 3 })));
    assert_eq!(bucket.delta(retry), ["broken.json", "gone.json"].map(|key| format!("s3://bucket/{key}")));
    let (report, fetched) = bucket.ingest("incremental", retry);
    assert_eq!((fetched, &report["items"]), (keys(&["broken.json", "gone.json"]), &json!(1)));
    // What is ingested by now is not tried again, though it is among the rejects.
    assert_eq!(bucket.delta(retry), ["s3://bucket/gone.json"]);
    assert_eq!(bucket.delta(&[]), ["gone.json", "late.json"].map(|key| format!("s3://bucket/{key}")));
    let kinds = bucket.warehouse.rows("SELECT DISTINCT kind FROM runs");
    assert_eq!(kinds, [json!({ "kind": "incremental" })]);
}

#[test]
fn what_has_no_versions_is_fetched_once_and_what_lists_no_objects_is_refused() {
    let mut bucket = Bucket::new();
    bucket.put("a.json", "", 1);
    let versions = bucket.inventory();
    let keys_only = bucket.folder.path().join("keys.csv");
    fs::write(&keys_only, "bucket,key\nbucket,a.json\n").unwrap();
    let run = |inventory: &PathBuf| {
        let mut arguments: Vec<&OsStr> = vec!["incremental".as_ref(), "--inventory".as_ref(), inventory.as_ref()];
        arguments.extend(bucket.warehouse.flags());
        arguments.extend(["--base", &bucket.server.url].map(OsStr::new));
        earthcatalog(arguments)
    };
    let ingested = |inventory: &PathBuf| run(inventory).ok().starts_with("Items       1 committed of 1 listed");
    // By a list of names, an object is new once; by its version, it is new until that is known.
    let new = [&keys_only, &keys_only, &versions, &versions, &keys_only].map(ingested);
    assert_eq!(new, [true, false, true, false, false]);
    let lines = bucket.folder.path().join("items.ndjson");
    fs::copy(bucket.folder.path().join("a.json"), &lines).unwrap();
    assert!(run(&lines).ok().starts_with("Items       1 committed of 1 listed"));
    assert!(run(&lines).ok().starts_with("Items       0 committed of 1 listed"));
    let mut arguments: Vec<&OsStr> = ["incremental", "--format", "ndjson", "--inventory"].map(OsStr::new).to_vec();
    arguments.push(lines.as_ref());
    arguments.extend(bucket.warehouse.flags());
    let error = earthcatalog(arguments).fails(1);
    assert!(
        error.contains("items.ndjson: option 'format' says what is in the file") && error.contains("ingest"),
        "{error}"
    );
}

#[test]
fn items_whose_objects_are_gone_are_removed_and_come_back_with_them() {
    for first in ["ingest", "backfill", "incremental"] {
        let mut bucket = Bucket::new();
        for key in ["a.json", "b.json", "c.json", "d.json"] {
            bucket.put(key, &format!("{key}-1"), 1);
        }
        // Two objects with one Item.
        bucket.put_item("e.json", "shared", "e-1", 2);
        bucket.put_item("copy-of-e.json", "shared", "e-1", 3);
        bucket.ingest(first, &[]);
        bucket.put("a.json", "a-2", 4);
        bucket.ingest("incremental", &[]);
        let ids = |bucket: &Bucket| -> Vec<Value> {
            bucket.warehouse.rows("SELECT id FROM items ORDER BY id").into_iter().map(|row| row["id"].clone()).collect()
        };
        let all = ids(&bucket);
        assert_eq!(all, ["a.json", "b.json", "c.json", "d.json", "shared"], "{first}");
        let reconcile = |bucket: &Bucket, flags: &[&str]| -> Value {
            let flags = [flags, &["--max-removed", "60%", "--output", "json"]].concat();
            serde_json::from_str(&bucket.run("reconcile", &flags).ok()).unwrap()
        };
        // Nothing is gone.
        let report = reconcile(&bucket, &[]);
        assert_eq!((&report["items"], &report["snapshot"]), (&json!(0), &Value::Null), "{first}: {report}");

        let listed = bucket.rows.clone();
        bucket.rows.retain(|row| !["a.json", "b.json", "copy-of-e.json"].contains(&row[1].as_str()));
        let error = bucket.run("reconcile", &[]).fails(1);
        assert!(error.contains("more than 1% of the 7 ingested objects are gone"), "{error}");
        let would = reconcile(&bucket, &["--dry-run"]);
        assert_eq!((&would["deleted"], ids(&bucket)), (&json!(2), all.clone()), "{first}: {would}");
        let items = would["items"].as_array().unwrap();
        let listed_ids: Vec<_> = items.iter().filter_map(|item| item["id"].as_str()).collect();
        assert_eq!((listed_ids, &would["objects"]), (vec!["a.json", "b.json"], &json!(3)), "{first}: {would}");
        let report = reconcile(&bucket, &[]);
        assert_eq!((&report["items"], &report["objects"]), (&json!(2), &json!(3)), "{first}: {report}");
        assert_eq!(ids(&bucket), ["c.json", "d.json", "shared"], "{first}");
        let runs = "SELECT removed FROM runs WHERE kind = 'delete'";
        assert_eq!(bucket.warehouse.value(runs), json!(2));
        // Once: and nothing is fetched again for it.
        assert_eq!(reconcile(&bucket, &[])["items"], json!(0), "{first}");
        assert_eq!(bucket.ingest("incremental", &[]).1, keys(&[]), "{first}");
        bucket.warehouse.compacted(&["--threshold", "1", "--retain", "0s"]);

        // They are there again, as they were: each is ingested once more.
        bucket.rows = listed;
        assert_eq!(bucket.ingest("incremental", &[]).1, keys(&["a.json", "b.json", "copy-of-e.json"]), "{first}");
        assert_eq!(ids(&bucket), all, "{first}");
        assert_eq!(bucket.ingest("incremental", &[]).1, keys(&[]), "{first}");
    }
}

#[test]
fn an_inventory_says_nothing_of_other_buckets_or_prefixes() {
    let mut bucket = Bucket::new();
    for key in ["a.json", "b.json", "x-c.json"] {
        bucket.put(key, "1", 1);
    }
    bucket.ingest("ingest", &[]);
    let count = |bucket: &Bucket| bucket.warehouse.value("SELECT count(*) FROM items");
    let rows = bucket.rows.clone();
    bucket.rows = vec![["other".to_owned(), "z.json".to_owned(), rows[0][2].clone(), "1".to_owned()]];
    bucket.run("reconcile", &["--max-removed", "100%"]).ok();
    assert_eq!(count(&bucket), json!(3));
    bucket.rows = rows[..1].to_vec();
    bucket.run("reconcile", &["--max-removed", "100%", "--prefix", "s3://bucket/x-"]).ok();
    assert_eq!(count(&bucket), json!(2));
    bucket.run("reconcile", &["--max-removed", "1"]).ok();
    assert_eq!(count(&bucket), json!(1));
}

#[test]
fn objects_that_are_gone_are_forgotten_where_their_items_stay() {
    let mut bucket = Bucket::new();
    bucket.put_item("a.json", "shared", "1", 1);
    bucket.put_item("b.json", "shared", "1", 1);
    bucket.ingest("incremental", &[]);
    let listed = bucket.rows.clone();
    bucket.rows.remove(0);
    let gone = bucket.run("reconcile", &["--max-removed", "100%", "--output", "json"]).ok();
    let report: Value = serde_json::from_str(&gone).unwrap();
    assert_eq!((&report["items"], &report["objects"]), (&json!(0), &json!(1)), "{report}");
    assert_eq!(bucket.warehouse.value("SELECT count(*) FROM ingested(items)"), json!(1));
    assert_eq!(bucket.warehouse.value("SELECT count(*) FROM items"), json!(1));
    bucket.rows = listed;
    assert_eq!(bucket.ingest("incremental", &[]).1, keys(&["a.json"]));
}

#[test]
fn items_that_a_listed_file_of_many_may_have_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (source, warehouse) = (folder.path().join("source"), Warehouse::below(folder.path()));
    fs::create_dir(&source).unwrap();
    let lines = |ids: &[&str]| ids.iter().map(|id| format!("{}\n", item(id, 1))).collect::<String>();
    for (name, ids) in [("one.json", &["one"][..]), ("two.json", &["two"]), ("both.ndjson", &["one", "two"])] {
        fs::write(source.join(name), lines(ids)).unwrap();
    }
    let run = |words: &[&str]| {
        let mut arguments: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        arguments.extend(["--inventory".as_ref(), source.as_os_str()]);
        arguments.extend(warehouse.flags());
        earthcatalog(arguments)
    };
    run(&["incremental"]).ok();
    fs::remove_file(source.join("one.json")).unwrap();
    let error = run(&["reconcile", "--max-removed", "100%"]).fails(1);
    assert!(
        error.contains("objects are gone, and nothing was removed") && error.contains("both.ndjson; list objects"),
        "{error}"
    );
    assert_eq!(warehouse.value("SELECT count(*) FROM items"), json!(2));
    // Who says that single objects are all that counts is believed.
    run(&["reconcile", "--max-removed", "100%", "--suffix", ".json"]).ok();
    assert_eq!(warehouse.value("SELECT count(*) FROM items"), json!(1));
}
