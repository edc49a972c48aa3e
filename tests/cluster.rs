//! The same commands on a cluster: the same tables, whoever is killed on the way.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rand::prelude::*;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::backfill::{ALL_ROWS, CHUNK, OBJECTS, Source, chunks_done, ended, expire, files, folder};
use crate::cluster_processes::Cluster;
use crate::program::{Warehouse, accounted, command};
use crate::python;
use crate::server::Server;

/// Questions of all kinds: scans, aggregates, sorts, joins, windows, functions of ours and of space.
const QUESTIONS: [&str; 18] = [
    "SELECT count(*) FROM item_cells",
    "SELECT count(*) FROM items",
    "SELECT count(*) FROM items WHERE id = 'nobody'",
    "SELECT platform, count(*) AS n FROM items GROUP BY platform ORDER BY platform",
    "SELECT id, row_number() OVER (ORDER BY id) AS n FROM items ORDER BY n",
    "SELECT * FROM items ORDER BY id",
    "SELECT grid_partition, count(*) AS n, min(datetime) AS first FROM item_cells GROUP BY grid_partition ORDER BY 1",
    "SELECT id, datetime FROM items WHERE datetime >= '2016-01-01' ORDER BY datetime DESC, id LIMIT 7",
    "SELECT count(DISTINCT id) FROM item_cells WHERE ST_Intersects(geometry, ST_MakeEnvelope(-51, 68, -40, 75))",
    "SELECT a.id FROM items a JOIN items b ON a.id = b.id WHERE a.xmin < -45 ORDER BY 1",
    "SELECT a.id, b.id AS other FROM items a LEFT JOIN items b ON ST_Intersects(a.geometry, b.geometry) AND b.id < 'item-1' ORDER BY 1, 2",
    "SELECT id FROM items a WHERE NOT EXISTS (SELECT 1 FROM item_cells b WHERE b.id = a.id AND b.xmin > 0) ORDER BY 1",
    "SELECT id, row_number() OVER (PARTITION BY platform ORDER BY datetime, id) AS n FROM items ORDER BY id",
    "SELECT stac_item(*) AS item FROM items ORDER BY id LIMIT 3",
    "SELECT kind, count(*) AS n FROM rejects GROUP BY kind ORDER BY kind",
    "SELECT count(*) FROM items WHERE id NOT IN (SELECT id FROM item_cells WHERE xmin > 0)",
    "SELECT change, count(*) AS n FROM changes(items, NULL) GROUP BY change",
    "SELECT platform, round(ST_AreaSpheroid(ST_Union(geometry))) AS a, ST_Area(ST_Collect(DISTINCT geometry)) AS c, ST_AsText(ST_Extent(geometry)) AS e FROM items GROUP BY platform ORDER BY platform",
];

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

fn report(cluster: &Cluster, command: &str, warehouse: &Warehouse, more: &[&str]) -> Value {
    let report = cluster.run(command, warehouse, &[more, &["--output", "json"]].concat()).ok();
    serde_json::from_str(&report).unwrap()
}

/// All rows as text: versions of an Item that differ in nothing else come in any order.
fn all_rows(warehouse: &Warehouse) -> Vec<String> {
    let mut rows: Vec<String> = warehouse.rows("SELECT * FROM item_cells").iter().map(Value::to_string).collect();
    rows.sort();
    rows
}

/// The counts of a report, which do not depend on where it was made.
fn counts(report: &Value, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| report[*name].clone()).collect()
}

const OF_INGEST: [&str; 7] = ["listed", "items", "rejected", "superseded", "skipped", "rows", "cells"];
const OF_COMPACTION: [&str; 7] = [
    "buckets_scanned",
    "buckets_compacted",
    "files_before",
    "files_after",
    "rows_before",
    "rows_after",
    "versions_dropped",
];

/// Asks the cluster of one warehouse, and this process of another with the same rows.
fn ask(cluster: &Cluster, there: &Warehouse, here: &Warehouse) {
    for question in QUESTIONS {
        let asked = cluster.run("sql", there, &[question, "--output", "ndjson"]).ok();
        let expected = here.sql(question).ok();
        assert!(!expected.is_empty() && asked == expected, "{question}\n{asked}\n{expected}");
    }
    // A limit of memory here is none of the plans that the executors run.
    for question in QUESTIONS.into_iter().filter(|question| question.contains("ORDER BY")).take(2) {
        let limited = cluster.run("sql", there, &[question, "--output", "ndjson", "--memory", "200MB"]).ok();
        assert_eq!(limited, here.sql(question).ok(), "{question} within a limit of memory");
    }
}

#[test]
fn on_a_cluster_every_command_ends_with_the_same_table_and_answers() {
    let source = Source::new(OBJECTS, Duration::ZERO);
    let cluster = Cluster::start(2);
    let ((_one, here), (_two, there)) = (folder(), folder());
    let inventory = source.inventory();
    let ingest = ["--inventory", inventory.to_str().unwrap(), "--base", &source.server.url, "--chunk-size", "50"];

    // Backfill, and started again it knows that it has ended.
    let one = source.report(&here, &[]);
    let two = source.report(&there, &cluster.flags());
    assert_eq!(counts(&two, &OF_INGEST), counts(&one, &OF_INGEST));
    assert_eq!((&two["chunks"], accounted(&two)), (&one["chunks"], accounted(&one)));
    assert!(all_rows(&there) == all_rows(&here), "after a backfill");
    let again = source.run(&there, &[&["--scheduler", "ballista"][..], &cluster.flags()].concat()).ok();
    assert!(again.starts_with("nothing to do: this run ended at"), "{again}");
    assert_eq!(files(&there)["_checkpoints"], 1);

    // Ingest: everything is delivered again.
    let one = here.ingested(&inventory, &ingest[2..]);
    let two = report(&cluster, "ingest", &there, &ingest);
    assert_eq!(counts(&two, &OF_INGEST), counts(&one, &OF_INGEST));
    assert!(all_rows(&there) == all_rows(&here), "after an ingest");
    // What is new, into a table of its own.
    let ((_three, new_here), (_four, new_there)) = (folder(), folder());
    let mut incremental = command();
    crate::program::run(incremental.arg("incremental").args(ingest).args(new_here.flags())).ok();
    let new = report(&cluster, "incremental", &new_there, &ingest);
    assert_eq!(new["items"], one["items"]);
    assert!(all_rows(&new_there) == all_rows(&new_here), "after an incremental run");
    // Questions over Items that were delivered once, in several tasks.
    ask(&cluster, &new_there, &new_here);
    // Nothing is new; what was rejected is tried again.
    let mut incremental = command();
    crate::program::run(incremental.arg("incremental").args(ingest).args(here.flags())).ok();
    let none = report(&cluster, "incremental", &there, &ingest);
    assert_eq!((&none["items"], &none["snapshot"]), (&json!(0), &Value::Null), "{none}");

    // Compaction.
    let one = here.compacted(&[]);
    let two = report(&cluster, "compact", &there, &[]);
    assert_eq!(counts(&two, &OF_COMPACTION), counts(&one, &OF_COMPACTION));
    assert!(all_rows(&there) == all_rows(&here), "after a compaction");
    // What the tasks of jobs told each other is gone.
    assert_eq!(files(&there)["_checkpoints"], 1);
    [&here, &there].into_iter().for_each(expire);
    assert_eq!(files(&there), files(&here));

    // Columns that come and go where no file is written: the executors find their values where the files have them.
    for warehouse in [&here, &there] {
        for change in [["remove", "platform"], ["add", "platform VARCHAR"], ["remove", "version"]] {
            let mut column = command();
            crate::program::run(column.arg("column").args(change).args(warehouse.flags())).ok();
        }
    }
    ask(&cluster, &there, &here);
    assert_ne!(here.value("SELECT count(platform) AS n FROM items"), json!(0));

    // Questions over what is compacted, and over what is not.
    ask(&cluster, &there, &here);
    for warehouse in [&here, &there] {
        warehouse.ingested(&inventory, &ingest[2..]);
    }
    ask(&cluster, &there, &here);
    // And where another engine has deleted rows without writing their files again.
    let rows = here.value("SELECT count(*) AS n FROM item_cells");
    for warehouse in [&here, &there] {
        let arguments = [warehouse.catalog.as_os_str(), warehouse.files.as_os_str(), "delete_by_position".as_ref()];
        python::run("other_engine.py", arguments);
    }
    assert_ne!(here.value("SELECT count(*) AS n FROM item_cells"), rows);
    ask(&cluster, &there, &here);
    // A script of one's own.
    let script = there.files.with_file_name("script.sql");
    let text = format!(
        "-- Counts.\n-- $catalog VARCHAR\n-- $warehouse VARCHAR\n
         CREATE EXTERNAL TABLE t STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);
         CREATE EXTERNAL TABLE source STORED AS STAC LOCATION '{}' OPTIONS ('like' 't', 'base' '{}', 'chunk_size' '30');
         SELECT count(*) AS items, count(DISTINCT id) AS ids FROM source;
         INSERT INTO t SELECT * FROM t WHERE xmin > 0;
         SELECT count(*) AS n FROM t;",
        inventory.display(),
        source.server.url
    );
    fs::write(&script, text).unwrap();
    let ran = |cluster: &[&str], warehouse: &Warehouse| {
        let mut run = command();
        run.arg("run").arg(&script).args(warehouse.flags()).args(["--output", "ndjson"]).args(cluster);
        let ran = crate::program::run(&mut run).ok();
        ran.lines().filter(|line| !line.contains("\"run\"")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ran(&cluster.flags(), &there), ran(&[], &here));
    // What is metadata alone is asked here.
    let snapshots = cluster.run("sql", &there, &["SELECT count(*) FROM items$snapshots", "--output", "csv"]);
    assert_eq!(snapshots.code, Some(0), "{}", snapshots.stderr);
    let plan = cluster.run("sql", &there, &["EXPLAIN SELECT count(*) FROM items", "--output", "csv"]).ok();
    assert!(plan.contains(&format!("JobExec: cluster={}", cluster.address)), "{plan}");
}

/// A backfill that is under way on a cluster, and has ended some chunks.
fn in_the_middle(source: &Source, warehouse: &Warehouse, cluster: &Cluster, more: &[&str]) -> Child {
    let mut backfill = source.start(warehouse, &[&cluster.flags()[..], &["--output", "json"], more].concat());
    while chunks_done(warehouse).len() < 3 {
        assert!(backfill.try_wait().unwrap().is_none(), "it ended too soon: {:?}", ended(backfill));
        thread::yield_now();
    }
    backfill
}

#[test]
fn a_backfill_goes_on_when_an_executor_is_killed_and_is_resumed_on_another_cluster_when_all_are() {
    let source = Source::new(OBJECTS, Duration::from_millis(40));
    let (_one, undisturbed) = folder();
    let expected = source.report(&undisturbed, &[]);
    let rows = undisturbed.rows(ALL_ROWS);

    // One of two is killed.
    let (_two, warehouse) = folder();
    let mut cluster = Cluster::start(2);
    let backfill = in_the_middle(&source, &warehouse, &cluster, &[]);
    cluster.executors[0].kill();
    let report: Value = serde_json::from_str(&ended(backfill).ok()).unwrap();
    assert_eq!(counts(&report, &OF_INGEST), counts(&expected, &OF_INGEST));
    assert!(warehouse.rows(ALL_ROWS) == rows, "one of two was killed");
    expire(&warehouse);
    assert_eq!(files(&warehouse), files(&undisturbed));

    // Both are killed: an error that says how long it has waited, and what to do.
    let (_three, warehouse) = folder();
    cluster.add_executor(|_| {});
    let backfill = in_the_middle(&source, &warehouse, &cluster, &[]);
    cluster.executors.iter_mut().for_each(|executor| executor.kill());
    let error = ended(backfill).fails(1);
    assert!(
        error.contains("has had no executor for 5 s") && error.contains("earthcatalog executor --scheduler"),
        "{error}"
    );
    drop(cluster);
    assert!(warehouse.sql("SELECT count(*) FROM items").stdout.contains(":0"), "nothing is visible");

    // The scheduler is killed, too, in another start of the run.
    let mut cluster = Cluster::start(2);
    let mut backfill = source.start(&warehouse, &cluster.flags());
    let done = chunks_done(&warehouse).len();
    while chunks_done(&warehouse).len() < done + 2 {
        assert!(backfill.try_wait().unwrap().is_none(), "it ended too soon");
        thread::yield_now();
    }
    cluster.scheduler().kill();
    let error = ended(backfill).fails(1);
    assert!(error.contains("no longer answers"), "{error}");
    drop(cluster);

    // On a new cluster it goes on.
    let cluster = Cluster::start(2);
    let done = chunks_done(&warehouse).len();
    let fetched = source.server.fetched();
    let report = source.report(&warehouse, &cluster.flags());
    assert!(report["chunks_resumed"].as_u64().unwrap() >= done as u64, "{report}");
    assert_eq!(counts(&report, &OF_INGEST), counts(&expected, &OF_INGEST));
    let again =
        source.server.fetched().iter().filter(|(key, n)| fetched.get(*key).is_some_and(|before| n > &before)).count();
    assert!(again <= OBJECTS - done * CHUNK, "{again} objects of {done} finished chunks were fetched again");
    assert!(warehouse.rows(ALL_ROWS) == rows, "resumed on another cluster");
    expire(&warehouse);
    assert_eq!(files(&warehouse), files(&undisturbed));
}

/// A warehouse with two deliveries of the same Items, whose buckets make several groups: their assets are hard to compress.
fn delivered_twice(folder: &Path) -> Warehouse {
    let mut rng = StdRng::seed_from_u64(1);
    let place = folder.join("place");
    fs::create_dir(&place).unwrap();
    let warehouse = Warehouse::below(&place);
    let lines: Vec<String> = (0..240)
        .map(|n: usize| {
            let href: String = (0..30_000).map(|_| char::from(rng.random_range(b'a'..=b'z'))).collect();
            let item = json!({
                "type": "Feature", "stac_version": "1.0.0", "id": format!("item-{n}"), "links": [],
                "assets": { "data": { "href": href } },
                "geometry": { "type": "Point", "coordinates": [-150 + 30 * (n % 10) as i32, 20] },
                "properties": { "datetime": format!("20{:02}-07-01T00:00:00Z", 10 + n % 7) },
            });
            item.to_string()
        })
        .collect();
    for delivery in 0..2 {
        let path = folder.join(format!("{delivery}.ndjson"));
        fs::write(&path, lines.join("\n")).unwrap();
        warehouse.ingested(&path, &[]);
    }
    warehouse
}

/// The rows of a warehouse, told by a digest of all that they say.
fn digests(warehouse: &Warehouse) -> Vec<String> {
    let rows = warehouse.rows("SELECT id, grid_partition, item_digest(*) AS digest FROM item_cells");
    let mut rows: Vec<String> = rows.iter().map(Value::to_string).collect();
    rows.sort();
    rows
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

/// The tasks of jobs that have ended.
fn tasks_done(warehouse: &Warehouse) -> usize {
    let is_task = |path: &&std::path::PathBuf| path.ends_with("ingest_stats.json");
    warehouse.listing_of("_checkpoints").iter().filter(is_task).count()
}

/// A compaction that is under way, and has ended a task.
fn merging(compact: &mut Command, warehouse: &Warehouse) -> Child {
    let mut compact = compact.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while tasks_done(warehouse) == 0 {
        assert!(compact.try_wait().unwrap().is_none(), "it ended too soon: {:?}", ended(compact));
        thread::yield_now();
    }
    compact
}

#[test]
fn a_compaction_goes_on_when_an_executor_is_killed_and_is_started_again_when_all_are() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = delivered_twice(folder.path());
    let uncompacted = warehouse.files.parent().unwrap().to_owned();
    let of = |name: &str| {
        // The catalog names the files by their place: each round has the same one.
        let round = folder.path().join(name);
        copy(&uncompacted, &round);
        round
    };
    let before = of("before");
    let summary = warehouse.compacted(&["--retain", "7d"]);
    let expected = digests(&warehouse);
    let restore = || {
        fs::remove_dir_all(&uncompacted).unwrap();
        copy(&before, &uncompacted);
    };

    // One of two is killed.
    restore();
    let mut cluster = Cluster::start(2);
    let mut compact = cluster.command("compact", &warehouse, &["--retain", "7d", "--output", "json"]);
    let compact = merging(&mut compact, &warehouse);
    cluster.executors[0].kill();
    let compacted: Value = serde_json::from_str(&ended(compact).ok()).unwrap();
    assert_eq!(counts(&compacted, &OF_COMPACTION), counts(&summary, &OF_COMPACTION));
    assert!(digests(&warehouse) == expected, "one of two was killed");

    // Both are killed: nothing has changed, and the next compaction does all of it.
    restore();
    let original = digests(&warehouse);
    cluster.add_executor(|_| {});
    let mut compact = cluster.command("compact", &warehouse, &["--retain", "7d"]);
    let compact = merging(&mut compact, &warehouse);
    cluster.executors.iter_mut().for_each(|executor| executor.kill());
    let error = ended(compact).fails(1);
    assert!(error.contains("has had no executor for 5 s"), "{error}");
    assert!(digests(&warehouse) == original);
    let cluster = Cluster::start(2);
    let compacted = report(&cluster, "compact", &warehouse, &["--retain", "7d"]);
    assert_eq!(counts(&compacted, &OF_COMPACTION), counts(&summary, &OF_COMPACTION));
    assert!(digests(&warehouse) == expected, "compacted on another cluster");
}

#[test]
fn what_a_cluster_lacks_is_said_and_what_to_do() {
    let source = Source::new(40, Duration::ZERO);
    let (_folder, warehouse) = folder();
    // No scheduler.
    let error = source.run(&warehouse, &["--cluster", "df://127.0.0.1:9"]).fails(1);
    assert!(
        error.contains("there is no scheduler at df://127.0.0.1:9") && error.contains("`earthcatalog scheduler`"),
        "{error}"
    );
    // No executor.
    let cluster = Cluster::start(0);
    let flags = ["--cluster", &cluster.address, "--executor-wait", "1s"];
    let error = source.run(&warehouse, &flags).fails(1);
    assert!(
        error.contains("has had no executor for 1 s") && error.contains("`earthcatalog executor --scheduler"),
        "{error}"
    );
    // Flags that do not go together.
    let error = source.run(&warehouse, &["--scheduler", "ballista"]).fails(2);
    assert!(error.contains("--cluster df://HOST:PORT"), "{error}");
    let error = source.run(&warehouse, &[&["--scheduler", "local"], &flags[..]].concat()).fails(2);
    assert!(error.contains("--scheduler local runs in this process"), "{error}");
    let error = source.run(&warehouse, &["--cluster", "s3://bucket"]).fails(2);
    assert!(error.contains("it must be df://HOST:PORT"), "{error}");
}

#[test]
fn an_error_of_a_task_is_the_error_of_the_command() {
    let source = Source::new(40, Duration::ZERO);
    let (_folder, warehouse) = folder();
    let cluster = Cluster::start(1);
    // An executor that does not reach the objects,
    let inventory = source.inventory();
    let flags = ["--inventory", inventory.to_str().unwrap(), "--base", "http://127.0.0.1:9/"];
    let error = cluster.run("ingest", &warehouse, &flags).fails(1);
    assert!(error.contains("GET http://127.0.0.1:9/items/") && error.contains("is the endpoint right"), "{error}");
    assert!(!error.contains("DataFusionError") && !error.contains("General("), "{error}");
    // and one that does.
    source.report(&warehouse, &cluster.flags());
}

#[test]
fn ctrl_c_cancels_the_job() {
    let source = Source::new(OBJECTS, Duration::from_millis(100));
    let (_folder, warehouse) = folder();
    let cluster = Cluster::start(2);
    let backfill = in_the_middle(&source, &warehouse, &cluster, &["--fetch-concurrency", "8"]);
    signal("-INT", backfill.id());
    let stopped = ended(backfill);
    assert!(stopped.fails(130).contains("the same command continues"));
    // The tasks that were under way end; no others begin.
    let total = || source.server.fetched().values().sum::<u32>();
    let settled = Instant::now();
    let mut before = total();
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = total();
        if now == before {
            break;
        }
        before = now;
        assert!(settled.elapsed() < Duration::from_secs(20), "the executors go on");
    }
    assert!(before < OBJECTS as u32, "all of it was fetched");
    let report = source.report(&warehouse, &cluster.flags());
    assert!(report["chunks_resumed"].as_u64().unwrap() >= 3, "{report}");
}

#[test]
fn an_executor_that_stalls_and_returns_and_a_head_that_is_killed_leave_nothing_twice() {
    let source = Source::new(OBJECTS, Duration::from_millis(30));
    let (_one, undisturbed) = folder();
    let inventory = source.inventory();
    let ingest = ["--inventory", inventory.to_str().unwrap(), "--base", &source.server.url, "--chunk-size", "25"];
    undisturbed.ingested(&inventory, &ingest[2..]);
    let expected = all_rows(&undisturbed);
    let (_two, warehouse) = folder();
    let cluster = Cluster::start(2);

    // Given a head that is killed, whose job goes on without it,
    let mut first = cluster.command("ingest", &warehouse, &ingest).spawn().unwrap();
    while tasks_done(&warehouse) == 0 {
        assert!(first.try_wait().unwrap().is_none(), "it ended too soon");
        thread::yield_now();
    }
    drop(first.kill());
    drop(first.wait());

    // and an executor that does nothing for longer than the scheduler waits, while it has a task of the next run,
    let second = cluster.command("ingest", &warehouse, &[&ingest[..], &["--output", "json"]].concat());
    let second = { second }.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let tasks =
        || warehouse.listing_of("_checkpoints").iter().filter(|path| path.ends_with("ingest_stats.json")).count();
    while tasks() < OBJECTS / CHUNK + 2 {
        thread::yield_now();
    }
    signal("-STOP", cluster.executors[0].id());
    thread::sleep(Duration::from_secs(6));
    signal("-CONT", cluster.executors[0].id());
    let report: Value = serde_json::from_str(&ended(second).ok()).unwrap();

    // then each Item is there once, and after a clean-up nothing else.
    assert_eq!(report["listed"], json!(OBJECTS));
    assert!(all_rows(&warehouse) == expected);
    expire(&warehouse);
    let mut left = files(&warehouse);
    left.remove("_rejects");
    let mut of_undisturbed = files(&undisturbed);
    of_undisturbed.remove("_rejects");
    assert_eq!(left, of_undisturbed);
}

/// Items of some size behind a server.
fn items(folder: &Path, items: usize, bytes: usize, latency: Duration) -> (Server, std::path::PathBuf) {
    let mut inventory = String::new();
    fs::create_dir(folder.join("items")).unwrap();
    for n in 0..items {
        let (west, south) = (-170.0 + (n % 340) as f64, -80.0 + (n % 160) as f64);
        let item = json!({
            "type": "Feature", "stac_version": "1.0.0", "id": format!("item-{n}"), "links": [],
            "assets": { "data": { "href": "x".repeat(bytes) } },
            "geometry": { "type": "Point", "coordinates": [west, south] },
            "properties": { "datetime": "2020-07-01T00:00:00Z" },
        });
        fs::write(folder.join(format!("items/{n}.json")), item.to_string()).unwrap();
        inventory += &format!("bucket,items/{n}.json\n");
    }
    let path = folder.join("inventory.csv");
    fs::write(&path, inventory).unwrap();
    (Server::start(folder, latency), path)
}

#[test]
fn no_item_passes_through_the_head_or_the_scheduler() {
    let folder = TempDir::new().unwrap();
    let (count, size) = (400, 50_000);
    let (server, inventory) = items(folder.path(), count, size, Duration::ZERO);
    let warehouse = Warehouse::below(folder.path());
    let cluster = Cluster::start(2);
    let executors: Vec<u32> = cluster.executors.iter().map(|executor| executor.id()).collect();
    server.watch(&executors);
    let source = ["--inventory", inventory.to_str().unwrap(), "--base", &server.url, "--chunk-size", "20"];
    for (command, more) in [("backfill", &source[..]), ("ingest", &source[..]), ("compact", &[])] {
        report(&cluster, command, &warehouse, more);
    }
    assert_eq!(warehouse.value("SELECT count(*) FROM items"), json!(count));
    // Twice all of the Items were read, and each by an executor,
    assert_eq!(server.fetched().len(), count);
    assert_eq!(server.fetched_by_others(), Vec::<String>::new());
    // while no more than the plans and the records of files went to and from the scheduler, and to the head.
    let of_items = 2 * (count * size) as u64;
    let (scheduler, head) =
        (cluster.to_scheduler.load(Ordering::Relaxed), cluster.from_executors.load(Ordering::Relaxed));
    println!("{of_items} bytes of Items; through the scheduler {scheduler}, from executors {head}");
    assert!(scheduler < of_items / 10 && head < of_items / 10, "{scheduler} {head} of {of_items}");
    assert!(head > 0 && scheduler > 0);
}

#[test]
fn two_executors_share_the_tasks_of_a_run() {
    let folder = TempDir::new().unwrap();
    let (count, chunk) = (240, 10);
    let (server, inventory) = items(folder.path(), count, 100, Duration::from_millis(20));
    let warehouse = Warehouse::below(folder.path());
    let cluster = Cluster::start(2);
    let executors: Vec<u32> = cluster.executors.iter().map(|executor| executor.id()).collect();
    server.watch(&executors);
    let (inventory, chunk_size) = (inventory.to_str().unwrap(), chunk.to_string());
    let source = ["--inventory", inventory, "--base", &server.url, "--chunk-size", &chunk_size];
    let ingested = report(&cluster, "ingest", &warehouse, &[&source[..], &["--fetch-concurrency", "2"]].concat());
    assert_eq!(ingested["items"], count);
    // A task is a chunk: each was done by one of the two, some by each of them.
    let number =
        |path: &String| -> usize { path.trim_start_matches("items/").trim_end_matches(".json").parse().unwrap() };
    let chunks = |executor: &u32| -> BTreeSet<usize> {
        server.fetched_by(*executor).iter().map(|path| number(path) / chunk).collect()
    };
    let (one, two) = (chunks(&executors[0]), chunks(&executors[1]));
    assert!(!one.is_empty() && !two.is_empty() && one.is_disjoint(&two), "{one:?} {two:?}");
    assert_eq!(one.len() + two.len(), count / chunk, "{one:?} {two:?}");
}

#[test]
fn a_cluster_on_this_machine_is_one_command() {
    let source = Source::new(40, Duration::ZERO);
    let (_folder, warehouse) = folder();
    let mut up = command();
    up.args(["cluster", "up", "--workers", "2"]).stdout(Stdio::piped());
    let mut up = up.spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(up.stdout.take().unwrap()));
    let address = lines.next().unwrap().unwrap();
    let processes: Vec<u32> =
        lines.next().unwrap().unwrap().split([' ', ';']).filter_map(|word| word.parse().ok()).collect();
    assert_eq!(processes.len(), 3);
    source.report(&warehouse, &["--cluster", &address]);
    signal("-INT", up.id());
    assert_eq!(up.wait().unwrap().code(), Some(0));
    for process in processes {
        assert!(!Path::new(&format!("/proc/{process}")).exists(), "{process} is alive");
    }
}
