//! Everything on an object store: inventory, Items, warehouse and catalog, by the binary against an S3-compatible server.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Ran, accounted, run};
use crate::python;
use crate::s3_server::{BUCKET, PUBLIC, WEST, server};

fn item(id: &str, lon: u32, title: &str) -> String {
    format!(
        r#"{{"type":"Feature","id":"{id}","geometry":{{"type":"Point","coordinates":[{lon},50]}},"properties":{{"datetime":"2020-01-01T00:00:00Z","title":"{title}","updated":"{title}"}}}}"#
    )
}

/// A prefix of a bucket, with an inventory of Items: ten good ones, one that is none, one that is missing.
struct Place {
    bucket: &'static str,
    prefix: &'static str,
}

impl Place {
    fn with_items(bucket: &'static str, prefix: &'static str) -> Self {
        let place = Self { bucket, prefix };
        place.deliver("2020-01-01T00:00:00Z");
        server().put(&place.path("items/no.json"), b"{}");
        let mut inventory = "bucket,key\n".to_owned();
        for name in (0..10).map(|n| format!("{n} é+%")).chain(["no".into(), "missing".into()]) {
            inventory += &format!("{bucket},{prefix}/items/{name}.json\n");
        }
        server().put(&place.path("inventory.csv"), inventory.as_bytes());
        place
    }

    /// Puts a version of each Item.
    fn deliver(&self, updated: &str) {
        for n in 0..10 {
            let path = self.path(&format!("items/{n}%20%C3%A9%2B%25.json"));
            server().put(&path, item(&format!("i{n}"), n * 10, updated).as_bytes());
        }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.bucket, self.prefix)
    }

    fn url(&self, name: &str) -> String {
        format!("s3://{}", self.path(name))
    }

    /// Runs a command on the warehouse.
    fn run(&self, command: &[&str], environment: &[(&str, &str)]) -> Ran {
        let (catalog, files) = (self.url("catalog.db"), self.url("wh"));
        let at = ["--catalog", &catalog, "--warehouse", &files];
        let mut program = server().command();
        program.args(command).args(at).envs(environment.iter().copied());
        run(&mut program)
    }

    fn report(&self, command: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[command, &["--output", "json"]].concat(), &[]).ok()).unwrap()
    }

    fn value(&self, query: &str) -> Value {
        let row = self.run(&["sql", query, "--output", "ndjson"], &[]).ok();
        let row: Value = serde_json::from_str(&row).unwrap();
        row.as_object().unwrap().values().next().unwrap().clone()
    }

    /// Names of the files of the warehouse, by their first folder.
    fn files(&self, folder: &str) -> Vec<String> {
        server().list(self.bucket, &format!("{}/wh/{folder}", self.prefix))
    }
}

#[test]
fn a_warehouse_and_its_catalog_live_on_an_object_store_from_the_first_step_to_the_last() {
    let place = Place::with_items(BUCKET, "whole");
    let inventory = place.url("inventory.csv");

    let first = place.report(&["ingest", "--inventory", &inventory]);
    let (listed, accounted) = accounted(&first);
    assert_eq!((listed, accounted, &first["items"]), (12, 12, &10.into()));
    assert_eq!((&first["rejected"]["missing"], &first["rejected"]["not_a_feature"]), (&1.into(), &1.into()));
    assert_eq!(place.value("SELECT count(*) FROM rejects"), 2);
    assert_eq!(place.value("SELECT count(*) FROM items"), 10);

    place.deliver("2021-01-01T00:00:00Z");
    place.report(&["ingest", "--inventory", &inventory]);
    assert_eq!(place.value("SELECT count(*) FROM item_cells"), 20);

    let planned = place.report(&["compact", "--dry-run"]);
    let compacted = place.report(&["compact", "--use-lock", "--retain", "0s"]);
    assert_eq!((&compacted["versions_dropped"], &compacted["files_before"]), (&10.into(), &planned["files"]));
    let expired = place.report(&["expire", "--retain", "0s"]);
    assert_eq!(expired["data_files_removed"], 0, "the compaction has cleaned already");
    assert_eq!(place.value("SELECT count(*) FROM item_cells"), 10);
    assert_eq!(place.value("SELECT min(updated)::varchar FROM items"), "2021-01-01T00:00:00Z");

    // Nothing is left over: no lease, no lock, no file of the past.
    assert_eq!(place.files("_runs/"), Vec::<String>::new());
    assert_eq!(server().list(BUCKET, "whole/catalog.db"), ["whole/catalog.db"]);
    assert_eq!(place.files("grid_partition=").len() as u64, compacted["files_after"].as_u64().unwrap());
    let metadata = place.files("metadata/");
    assert_eq!(metadata.iter().filter(|name| name.ends_with(".metadata.json")).count(), 1, "{metadata:?}");
    assert_eq!(metadata.iter().filter(|name| name.contains("/snap-")).count(), 1, "{metadata:?}");

    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("catalog.db");
    std::fs::write(&copy, server().get(&place.path("catalog.db"))).unwrap();
    let seen = python::run("object_store_pyiceberg.py", [copy.to_str().unwrap(), &place.url("wh"), &server().url]);
    assert_eq!(seen.trim(), "10 rows, 10 ids, 1 snapshots");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the file alone is the catalog");
}

#[test]
fn commits_of_several_processes_on_one_catalog_are_all_kept() {
    let place = Place { bucket: BUCKET, prefix: "race" };
    const RUNS: u32 = 5;
    for process in 0..4 {
        for n in 0..RUNS {
            let name = format!("{process}-{n}");
            server().put(
                &place.path(&format!("{name}.ndjson")),
                item(&name, process * 10, "2020-01-01T00:00:00Z").as_bytes(),
            );
        }
    }
    thread::scope(|scope| {
        for process in 0..4 {
            let place = &place;
            scope.spawn(move || {
                for n in 0..RUNS {
                    place.report(&["ingest", "--inventory", &place.url(&format!("{process}-{n}.ndjson"))]);
                }
            });
        }
    });
    assert_eq!(place.value("SELECT count(DISTINCT id) FROM items"), 4 * RUNS);
    assert_eq!(place.value("SELECT count(*) FROM item_cells"), 4 * RUNS);
}

#[test]
fn a_public_bucket_is_read_without_credentials() {
    let place = Place::with_items(PUBLIC, "open");
    let inventory = place.url("inventory.csv");
    let folder = tempfile::tempdir().unwrap();
    let (catalog, files) = (folder.path().join("catalog.db"), folder.path().join("wh"));
    let mut program = server().command();
    program.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY").env("AWS_SKIP_SIGNATURE", "true");
    program.args(["ingest", "--inventory", &inventory, "--output", "json"]);
    program.arg("--catalog").arg(&catalog).arg("--warehouse").arg(&files);
    let report: Value = serde_json::from_str(&run(&mut program).ok()).unwrap();
    assert_eq!((&report["items"], accounted(&report)), (&10.into(), (12, 12)));
    let keys = server().requests("open/items").into_iter().filter(|[method, ..]| method == "GET").map(|[.., key]| key);
    assert!(keys.clone().count() >= 12 && keys.clone().all(|key| key == "-"), "{:?}", keys.collect::<Vec<_>>());
}

#[test]
fn region_payer_and_session_token_go_with_the_requests() {
    let west = Place::with_items(WEST, "w");
    let ingest = ["ingest", "--inventory", &west.url("inventory.csv")];
    let error = west.run(&ingest, &[]).fails(1);
    assert!(error.contains("set AWS_REGION to the region of the bucket"), "{error}");
    let settings = [("AWS_REGION", "us-west-2"), ("AWS_REQUEST_PAYER", "true"), ("AWS_SESSION_TOKEN", "t")];
    west.run(&ingest, &settings).ok();
    let requests = server().requests("w/items/");
    let ours: Vec<_> =
        requests.iter().filter(|[method, ..]| method == "GET").map(|[_, _, payer, key]| (payer, key)).collect();
    assert!(ours.len() >= 12 && ours.iter().all(|seen| *seen == (&"requester".into(), &"test/t".into())), "{ours:?}");
}

#[test]
fn what_is_wrong_with_the_store_is_said_in_seconds_and_with_what_to_set() {
    let place = Place { bucket: BUCKET, prefix: "errors" };
    let nowhere = Place { bucket: "no-such-bucket", prefix: "x" };
    let credentials = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    let refused = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let cases: [(_, &[_], _); 6] = [
        (&place, &[], ["there is no catalog at s3://bucket/errors/catalog.db", "an ingest creates it"]),
        (&nowhere, &[], ["s3://no-such-bucket/x/catalog.db", "NoSuchBucket"]),
        (&place, &[("AWS_ACCESS_KEY_ID", "other")], ["InvalidAccessKeyId", credentials]),
        (&place, &[("AWS_SKIP_SIGNATURE", "true")], ["AccessDenied", credentials]),
        (&place, &refused, ["s3://bucket/errors/catalog.db", "is AWS_ENDPOINT_URL right"]),
        (&place, &[("AWS_ALLOW_HTTP", "false")], ["s3://bucket/errors/catalog.db", "set AWS_ALLOW_HTTP=true"]),
    ];
    for (place, environment, words) in cases {
        let start = Instant::now();
        let error = place.run(&["sql", "SELECT count(*) FROM items"], environment).fails(1);
        assert!(words.iter().all(|word| error.contains(word)), "{environment:?}: {error}");
        assert!(!error.contains("<Error>"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(30), "{environment:?}: {:?}", start.elapsed());
    }
    let query = ["sql", "SELECT 1", "--catalog", "s3://bucket/c.db", "--warehouse", "s3://bucket/wh"];
    let mut program = server().command();
    program.args(query).env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let error = run(&mut program).fails(2);
    assert!(error.contains("s3://bucket/wh: there are no credentials") && error.contains(credentials), "{error}");
    let error = run(server().command().args(query).env("AWS_ENDPOINT_URL", "localhost")).fails(2);
    assert!(error.contains("AWS_ENDPOINT_URL is \"localhost\", which is no URL"), "{error}");
}

#[test]
fn a_store_of_which_every_fifth_request_fails_ends_with_the_same_table_and_nothing_astray() {
    for seed in 0..2 {
        let place = Place::with_items(BUCKET, ["faulty-0", "faulty-1"][seed]);
        let faults = format!("seed={seed},rate=0.2");
        let failing = [("EARTHCATALOG_FAULTS", faults.as_str())];
        // What stops with an error is started again.
        let again = |command: &[&str]| -> Value {
            for _ in 0..5 {
                let ran = place.run(&[command, &["--output", "json"]].concat(), &failing);
                if ran.code == Some(0) {
                    return serde_json::from_str(&ran.stdout).unwrap();
                }
                assert!(ran.stderr.contains("injected") || ran.stderr.contains("broke off"), "{}", ran.stderr);
            }
            panic!("{command:?} never ends");
        };
        let inventory = place.url("inventory.csv");
        let report = again(&["ingest", "--inventory", &inventory]);
        assert_eq!((accounted(&report), &report["items"]), ((12, 12), &10.into()));
        place.deliver("2021-01-01T00:00:00Z");
        again(&["ingest", "--inventory", &inventory]);
        again(&["compact", "--use-lock", "--retain", "0s"]);
        again(&["expire", "--retain", "0s"]);
        assert_eq!(place.value("SELECT count(*) FROM item_cells WHERE updated = '2021-01-01T00:00:00'"), 10);
        assert_eq!(place.value("SELECT count(*) FROM item_cells"), 10);
        place.report(&["expire", "--retain", "0s"]);
        assert_eq!(place.files("_runs/"), Vec::<String>::new());
        assert_eq!(
            place.files("grid_partition=").len() as u64,
            place.value("SELECT count(DISTINCT grid_partition) FROM item_cells").as_u64().unwrap()
        );
        let metadata = place.files("metadata/");
        assert_eq!(metadata.iter().filter(|name| name.ends_with(".metadata.json")).count(), 1, "{metadata:?}");
    }
}
