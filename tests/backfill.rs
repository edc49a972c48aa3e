//! Backfills from outside: killed and started again, two at a time, and beside an ingest.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rand::prelude::*;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, Warehouse, accounted, command, earthcatalog};
use crate::server::Server;

pub const OBJECTS: usize = 400;
pub const CHUNK: usize = 25;

/// An inventory of objects below a server: Items of which some are delivered twice, some are broken, and some are gone.
pub struct Source {
    folder: TempDir,
    pub server: Server,
    keys: Vec<String>,
}

impl Source {
    pub fn new(objects: usize, latency: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = StdRng::seed_from_u64(objects as u64);
        let mut rows = String::new();
        let keys: Vec<String> = (0..objects).map(|n| format!("items/{n:06}.json")).collect();
        fs::create_dir(folder.path().join("items")).unwrap();
        for (n, key) in keys.iter().enumerate() {
            rows += &format!("bucket,{key},{},2025-09-01T00:00:{:02}.000Z\n", 400 + n, n % 60);
            let path = folder.path().join(key);
            match n % 37 {
                5 => continue,
                6 => fs::write(path, "{\"type\": \"Feature\", ").unwrap(),
                _ => fs::write(path, item(&mut rng, n).to_string()).unwrap(),
            }
        }
        fs::write(folder.path().join("inventory.csv"), rows).unwrap();
        let server = Server::start(folder.path(), latency);
        Self { folder, server, keys }
    }

    pub fn inventory(&self) -> PathBuf {
        self.folder.path().join("inventory.csv")
    }

    pub fn start(&self, warehouse: &Warehouse, flags: &[&str]) -> Child {
        let mut backfill = self.command(warehouse, flags);
        backfill.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn run(&self, warehouse: &Warehouse, flags: &[&str]) -> Ran {
        ended(self.start(warehouse, flags))
    }

    pub fn report(&self, warehouse: &Warehouse, flags: &[&str]) -> Value {
        let report = self.run(warehouse, &[flags, &["--output", "json"]].concat()).ok();
        serde_json::from_str(&report).unwrap()
    }

    pub fn command(&self, warehouse: &Warehouse, flags: &[&str]) -> std::process::Command {
        let chunk = CHUNK.to_string();
        let mut backfill = command();
        backfill.arg("backfill").arg("--inventory").arg(self.inventory()).args(warehouse.flags());
        backfill.args(["--base", &self.server.url, "--workers", "2"]).args(flags);
        if !flags.contains(&"--chunk-size") {
            backfill.args(["--chunk-size", &chunk]);
        }
        backfill
    }
}

/// Half of the Items have a namesake of another time, in another place as often as not.
fn item(rng: &mut StdRng, n: usize) -> Value {
    let id = if n.is_multiple_of(2) { n } else { rng.random_range(0..n) };
    let [west, south] = *[[-50., 69.], [-48., 69.], [10., 80.], [170., -75.]].choose(rng).unwrap();
    let ring = [[0., 0.], [4., 0.], [4., 4.], [0., 4.], [0., 0.]].map(|[x, y]| [west + x, south + y]);
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": format!("item-{id}"), "links": [], "assets": {},
        "geometry": { "type": "Polygon", "coordinates": [ring] },
        "properties": {
            "datetime": format!("{}-07-01T00:00:00Z", 2015 + rng.random_range(0..3)),
            "updated": format!("2025-01-{:02}T00:00:00Z", rng.random_range(1..28)),
            "platform": "L8",
        },
    })
}

pub fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}

const ALL_ITEMS: &str = "SELECT * FROM items ORDER BY id";

pub const ALL_ROWS: &str = "SELECT * FROM item_cells ORDER BY id, grid_partition, datetime";

pub fn folder() -> (TempDir, Warehouse) {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    (folder, warehouse)
}

/// Files below the warehouse that are not metadata, by their top folder.
pub fn files(warehouse: &Warehouse) -> HashMap<String, usize> {
    let mut files = HashMap::new();
    for path in warehouse.listing().keys() {
        let below = path.strip_prefix(&warehouse.files).unwrap();
        let top = below.iter().next().unwrap().to_str().unwrap();
        let top = if top.starts_with("grid_partition=") { "data" } else { top };
        *files.entry(top.to_owned()).or_default() += 1;
    }
    files.remove("metadata");
    files
}

pub fn expire(warehouse: &Warehouse) {
    let flags = warehouse.flags();
    earthcatalog(["expire", "--retain", "0s"].iter().map(OsStr::new).chain(flags)).ok();
}

/// The chunks of the only run that have a checkpoint.
pub fn chunks_done(warehouse: &Warehouse) -> Vec<usize> {
    let Some(run) = fs::read_dir(warehouse.files.join("_checkpoints")).ok().and_then(|mut runs| runs.next()) else {
        return vec![];
    };
    let tasks = fs::read_dir(run.unwrap().path()).into_iter().flatten().flatten();
    let done = tasks.filter(|task| task.path().join("ingest_stats.json").exists());
    done.filter_map(|task| task.file_name().to_str()?.strip_prefix("chunk-")?.parse().ok()).collect()
}

#[test]
fn a_backfill_is_an_ingest_and_a_compaction_in_one_snapshot() {
    let source = Source::new(OBJECTS, Duration::ZERO);
    let (_one, backfilled) = folder();
    let report = source.report(&backfilled, &[]);
    let (_two, ingested) = folder();
    ingested.ingested(&source.inventory(), &["--base", &source.server.url, "--chunk-size", "1000"]);
    ingested.compacted(&["--threshold", "1"]);

    let (listed, counted) = accounted(&report);
    assert_eq!((listed, counted), (OBJECTS as u64, OBJECTS as u64));
    assert_eq!((&report["chunks"], &report["chunks_resumed"]), (&json!(OBJECTS / CHUNK), &json!(0)));
    assert!(report["versions_dropped"].as_u64().unwrap() > 0, "{report}");
    assert!(backfilled.rows(ALL_ITEMS) == ingested.rows(ALL_ITEMS), "the same Items");
    let of_run = format!("SELECT count(*) FROM rejects WHERE run = '{}'", report["run"].as_str().unwrap());
    assert_eq!(backfilled.value(&of_run), 22);
    let (files, rejects) = (files(&backfilled), report["rejected"].as_object().unwrap().len());
    assert_eq!((files["_checkpoints"], files["data"], rejects), (1, report["files"].as_u64().unwrap() as usize, 2));

    // Started again, it does nothing, and says so.
    let listing = backfilled.listing();
    let again = source.run(&backfilled, &[]).ok();
    assert!(again.starts_with("nothing to do: this run ended at"), "{again}");
    assert_eq!(backfilled.listing(), listing);
    let statistics = fs::read_to_string(backfilled.catalog.with_file_name("ingest_stats.json")).unwrap();
    let statistics: Vec<Value> = statistics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(statistics.len(), 1);
    assert_eq!((&statistics[0]["listed"], &statistics[0]["snapshot"]), (&report["listed"], &report["snapshot"]));
    // From the start, it is another run, with the same Items.
    let items = backfilled.rows(ALL_ITEMS);
    let restarted = source.report(&backfilled, &["--restart"]);
    assert_eq!((&restarted["items"], &restarted["chunks_resumed"]), (&report["items"], &json!(0)));
    assert!(backfilled.rows(ALL_ITEMS) == items);
    // What has moved within the run goes with a compaction.
    backfilled.compacted(&[]);
    assert!(backfilled.rows(ALL_ITEMS) == items);
    assert!(backfilled.rows(ALL_ROWS) == ingested.rows(ALL_ROWS), "the same rows");
}

#[test]
fn a_backfill_that_is_killed_again_and_again_ends_as_if_it_never_was_and_fetches_no_finished_chunk_twice() {
    let kills: usize = std::env::var("EARTHCATALOG_KILLS").map_or(8, |n| n.parse().unwrap());
    let source = Source::new(OBJECTS, Duration::from_millis(5));
    let (_folder, undisturbed) = folder();
    let started = Instant::now();
    let expected = source.report(&undisturbed, &[]);
    let (took, rows) = (started.elapsed(), undisturbed.rows(ALL_ROWS));

    let mut rng = StdRng::seed_from_u64(1);
    let (mut killed, mut committed) = (0, 0);
    while killed < kills {
        let (_folder, warehouse) = folder();
        let report = loop {
            let finished: Vec<&String> =
                chunks_done(&warehouse).into_iter().flat_map(|n| &source.keys[n * CHUNK..(n + 1) * CHUNK]).collect();
            let before = source.server.fetched();
            let mut child = source.start(&warehouse, &["--output", "json"]);
            thread::sleep(took.mul_f64(rng.random_range(0.0..1.1)));
            let is_killed = child.try_wait().unwrap().is_none();
            drop(child.kill());
            let ran = ended(child);
            let after = source.server.fetched();
            let again = finished.iter().find(|key| before.get(**key) != after.get(**key));
            assert!(again.is_none(), "{again:?} of a finished chunk was fetched again");
            if !is_killed {
                break serde_json::from_str::<Value>(&ran.ok()).unwrap();
            }
            killed += 1;
            // Nothing is visible, or everything.
            let visible = warehouse.sql("SELECT count(*) AS n FROM item_cells");
            if visible.code == Some(0) && !visible.stdout.contains("\"n\":0") {
                committed += 1;
                assert!(warehouse.rows(ALL_ROWS) == rows, "kill {killed}");
            }
        };
        for count in ["listed", "items", "rejected", "rows", "files", "chunks"] {
            assert_eq!(report[count], expected[count], "{count}");
        }
        assert!(warehouse.rows(ALL_ROWS) == rows, "after {killed} kills");
        assert_eq!(warehouse.value("SELECT count(*) FROM rejects"), 22);
        expire(&warehouse);
        assert_eq!(files(&warehouse), files(&undisturbed), "files that nothing names, after {killed} kills");
    }
    println!("{killed} kills, {committed} of them after the commit");
}

#[test]
fn two_backfills_of_one_inventory_at_once_are_one() {
    let source = Source::new(OBJECTS, Duration::from_millis(2));
    let (_folder, alone) = folder();
    source.report(&alone, &[]);
    for _ in 0..3 {
        let (_folder, warehouse) = folder();
        let both = [(); 2].map(|()| source.start(&warehouse, &["--output", "json"]));
        let reports = both.map(|child| serde_json::from_str::<Value>(&ended(child).ok()).unwrap());
        assert_eq!(reports[0]["snapshot"], reports[1]["snapshot"]);
        assert_eq!(accounted(&reports[0]), accounted(&reports[1]));
        assert!(warehouse.rows(ALL_ROWS) == alone.rows(ALL_ROWS));
        expire(&warehouse);
        assert_eq!(files(&warehouse), files(&alone));
        let statistics = fs::read_to_string(warehouse.catalog.with_file_name("ingest_stats.json")).unwrap();
        assert!((1..=2).contains(&statistics.lines().count()));
    }
}

#[test]
fn checkpoints_of_other_options_are_not_used_and_runs_are_listed_and_discarded() {
    let source = Source::new(100, Duration::from_millis(20));
    let folder_of_reports = tempfile::tempdir().unwrap();
    let (_folder, warehouse) = folder();
    // Given a run that was killed in the middle,
    let mut child = source.start(&warehouse, &["--scheduler", "synchronous", "--fetch-concurrency", "1"]);
    while chunks_done(&warehouse).len() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
        thread::yield_now();
    }
    // So that it is still at work, however long the others take.
    let stopped = std::process::Command::new("sh").args(["-c", &format!("kill -STOP {}", child.id())]).status();
    assert!(stopped.unwrap().success());
    let restart = source.run(&warehouse, &["--restart"]).fails(1);
    assert!(restart.contains("is at work in another process"), "{restart}");
    let runs = |flags: &[&str]| {
        let mut arguments: Vec<&OsStr> = vec!["runs".as_ref()];
        arguments.extend(warehouse.flags());
        arguments.extend(flags.iter().map(OsStr::new));
        earthcatalog(arguments)
    };
    let listed: Value = serde_json::from_str(&runs(&["--output", "json"]).ok()).unwrap();
    assert_eq!(listed[0]["state"], "running");
    let discard = runs(&["--discard", listed[0]["run"].as_str().unwrap()]).fails(1);
    assert!(discard.contains("is still at work; end its process"), "{discard}");
    child.kill().unwrap();
    child.wait().unwrap();
    let listed: Value = serde_json::from_str(&runs(&["--output", "json"]).ok()).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["chunks"], &listed[0]["snapshot"]), (&json!(4), &Value::Null));
    assert!(["interrupted", "running"].contains(&listed[0]["state"].as_str().unwrap()), "{listed}");

    // when it is started under another option, that is another run,
    let other = source.report(&warehouse, &["--chunk-size", "20"]);
    assert_eq!((&other["chunks_resumed"], &other["listed"]), (&json!(0), &json!(100)));
    let beside = other["not_resumed"][0].as_str().unwrap();
    assert!(beside.contains("chunk_size was 25, is 20"), "{beside}");
    // and under the same ones it goes on.
    let reports = folder_of_reports.path().to_str().unwrap();
    let resumed = source.report(&warehouse, &["--report-location", reports]);
    let statistics = fs::read_to_string(folder_of_reports.path().join("ingest_stats.json")).unwrap();
    let statistics: Value = serde_json::from_str(&statistics).unwrap();
    assert_eq!((&statistics["kind"], &statistics["run"]), (&json!("backfill"), &resumed["run"]));
    let fan_out = statistics["fan_out"].as_object().unwrap();
    let items: u64 = fan_out.values().map(|n| n.as_u64().unwrap()).sum();
    assert!(items > 0 && items <= resumed["items"].as_u64().unwrap(), "{statistics}");
    assert!(resumed["chunks_resumed"].as_u64().unwrap() >= 2, "{resumed}");
    let text = runs(&[]).ok();
    assert_eq!(text.matches("finished").count(), 2, "{text}");

    let run = resumed["run"].as_str().unwrap();
    let rejects = || warehouse.value(&format!("SELECT count(*) FROM rejects WHERE run = '{run}'")).as_u64().unwrap();
    let rejected = rejects();
    assert!(rejected > 0);
    let discarded = runs(&["--discard", run]).ok();
    assert!(discarded.contains(&format!("snapshot {} and its rejects stay", resumed["snapshot"])), "{discarded}");
    assert_eq!(rejects(), rejected, "they belong to what is committed");
    // Table `runs` calls it as before.
    let listed = warehouse.rows(&format!("SELECT kind, state, snapshot_id FROM runs WHERE run = '{run}'"));
    assert_eq!(listed, [json!({ "kind": "backfill", "state": "finished", "snapshot_id": resumed["snapshot"] })]);
    assert_eq!(runs(&[]).ok().matches("finished").count(), 1);
    let error = runs(&["--discard", run]).fails(1);
    assert!(error.contains(&format!("there is no run {run}")), "{error}");
}

/// What is staged is of the contents that a joined table had then: with others, the run is another one.
#[test]
fn what_was_staged_with_other_contents_of_a_joined_table_is_not_committed() {
    let source = Source::new(4, Duration::ZERO);
    for chosen in [
        "CREATE EXTERNAL TABLE chosen STORED AS CSV LOCATION '{file}' OPTIONS ('format.has_header' 'true')",
        "CREATE EXTERNAL TABLE given STORED AS CSV LOCATION '{file}' OPTIONS ('format.has_header' 'true'); CREATE TABLE chosen AS SELECT * FROM given",
    ] {
        let (folder, warehouse) = folder();
        let (script, chosen_ids) = (folder.path().join("script.sql"), folder.path().join("chosen.csv"));
        let run = |id: &str, end: &str| {
            fs::write(&chosen_ids, format!("id\n{id}\n")).unwrap();
            let (catalog, files, inventory) = (&warehouse.catalog, &warehouse.files, source.inventory());
            let (catalog, files, inventory) = (catalog.display(), files.display(), inventory.display());
            let chosen = chosen.replace("{file}", chosen_ids.to_str().unwrap());
            let text = format!(
                "CREATE EXTERNAL TABLE IF NOT EXISTS items (platform VARCHAR) STORED AS ICEBERG LOCATION '{files}' OPTIONS ('catalog' '{catalog}', 'h3_resolution' '1');
                 CREATE EXTERNAL TABLE source STORED AS STAC LOCATION '{inventory}' OPTIONS ('like' 'items', 'chunk_size' '2', 'base' '{}');
                 CREATE EXTERNAL TABLE staged STORED AS CHECKPOINTS LOCATION '{files}' OPTIONS ('of' 'items');
                 {chosen};
                 CREATE VIEW some AS SELECT source.* FROM source LEFT SEMI JOIN chosen ON source.id = chosen.id;
                 INSERT INTO staged SELECT * FROM h3_fanout(some, 1);
                 {end}",
                source.server.url
            );
            fs::write(&script, text).unwrap();
            earthcatalog([Path::new("run"), &script]).ok();
        };
        // A first start ends between its levels; then the table has other rows, of as many bytes.
        run("item-0", "");
        run("item-2", "INSERT INTO items SELECT * EXCEPT (year, sequence) FROM buckets(staged, 1)");
        assert_eq!(warehouse.rows("SELECT id FROM items"), [json!({ "id": "item-2" })], "{chosen}");
    }
}

#[test]
fn what_cannot_be_resumed_is_refused_in_the_words_of_the_statement() {
    let (folder, warehouse) = folder();
    let source = Source::new(40, Duration::ZERO);
    let script = |insert: &str| {
        let path = folder.path().join("script.sql");
        let (catalog, files) = (warehouse.catalog.display(), warehouse.files.display());
        let inventory = source.inventory();
        let text = format!(
            "CREATE EXTERNAL TABLE IF NOT EXISTS items (platform VARCHAR) STORED AS ICEBERG LOCATION '{files}' OPTIONS ('catalog' '{catalog}', 'h3_resolution' '1');
             CREATE EXTERNAL TABLE source STORED AS STAC LOCATION '{}' OPTIONS ('like' 'items', 'chunk_size' '10', 'base' '{}');
             CREATE EXTERNAL TABLE staged STORED AS CHECKPOINTS LOCATION '{files}' OPTIONS ('of' 'items');
             {insert}",
            inventory.display(), source.server.url
        );
        fs::write(&path, text).unwrap();
        earthcatalog([Path::new("run"), &path])
    };
    for (insert, words) in [
        ("INSERT INTO staged SELECT * FROM h3_fanout(source, 1) LIMIT 3", "must come chunk by chunk"),
        ("INSERT OVERWRITE staged SELECT * FROM h3_fanout(source, 1)", "staged rows are inserted, and not changed"),
        ("SELECT * FROM staged", "select from buckets(staged, 1)"),
        ("INSERT INTO items SELECT * EXCEPT (year, sequence) FROM buckets(staged, 1)", "nothing is staged yet"),
    ] {
        let error = script(insert).fails(1);
        assert!(error.contains(words), "{insert}: {error}");
    }
    let files = warehouse.files.display();
    let inventory = source.inventory();
    for (create, words) in [
        (
            format!("STORED AS CHECKPOINTS LOCATION '{files}' OPTIONS ('restart' 'true')"),
            "needs OPTIONS ('of' 'items')",
        ),
        (format!("STORED AS CHECKPOINTS LOCATION '{files}' OPTIONS ('of' 'nothing')"), "there is no table nothing"),
        (format!("STORED AS CHECKPOINTS LOCATION '{files}' OPTIONS ('of' 'source')"), "table source is no warehouse"),
        (
            format!("STORED AS CHECKPOINTS LOCATION '{files}' OPTIONS ('of' 'items', 'restart' 'maybe')"),
            "neither true nor false",
        ),
        (
            format!("STORED AS CHECKPOINTS LOCATION '{files}' OPTIONS ('of' 'items', 'again' '1')"),
            "no option \"again\"",
        ),
        (format!("STORED AS CHECKPOINTS LOCATION '{files}/other' OPTIONS ('of' 'items')"), "name that folder"),
        (
            format!("STORED AS INVENTORY LOCATION '{}' OPTIONS ('since' 'last')", inventory.display()),
            "there is no option 'of'",
        ),
        (format!("(a INT) STORED AS INVENTORY LOCATION '{}'", inventory.display()), "takes no columns"),
        (
            format!("STORED AS STAC LOCATION '{}' OPTIONS ('objects' 'nothing')", inventory.display()),
            "option 'objects': there is no table nothing",
        ),
        (
            format!("STORED AS STAC LOCATION '{}' OPTIONS ('objects' 'items')", inventory.display()),
            "it has no column with the keys of the objects",
        ),
    ] {
        let error = script(&format!("CREATE EXTERNAL TABLE t {create}; SELECT count(*) FROM t")).fails(1);
        assert!(error.contains(words), "{create}: {error}");
    }
    // A filter keeps chunks apart.
    let report = script(
        "INSERT INTO staged SELECT * FROM h3_fanout(source, 1) WHERE platform = 'L8';
         INSERT INTO items SELECT * EXCEPT (year, sequence) FROM buckets(staged, 1);",
    );
    assert!(report.ok().contains("committed of 40 listed"));
}
