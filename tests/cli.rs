//! What a user sees who types something wrong, or stops a run.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::program::{Warehouse, command, earthcatalog};

#[test]
fn an_inventory_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Warehouse::below(folder.path()).ingest("no/such/inventory.csv".as_ref(), &[]).fails(2);
    assert_eq!(error, "error: --inventory no/such/inventory.csv: there is no such file or folder\n");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made");
}

#[test]
fn a_store_that_there_is_not_is_named_with_its_flag() {
    let folder = tempfile::tempdir().unwrap();
    let error = Warehouse::below(folder.path()).ingest("ftp://host/inventory.csv".as_ref(), &[]).fails(2);
    let schemes = "use file, s3, gs, az, http, https or memory";
    assert_eq!(
        error,
        format!("error: --inventory ftp://host/inventory.csv: no object store for scheme ftp; {schemes}\n")
    );
    let inventory = inventory(folder.path(), 0);
    let warehouse = Warehouse { files: "gopher://x/".into(), ..Warehouse::below(folder.path()) };
    assert!(
        warehouse
            .ingest(&inventory, &[])
            .fails(2)
            .contains("--warehouse gopher://x/: no object store for scheme gopher")
    );
}

#[test]
fn a_catalog_in_a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = inventory(folder.path(), 0);
    let error = Warehouse::below(&folder.path().join("missing")).ingest(&inventory, &[]).fails(2);
    assert!(error.contains("--catalog") && error.contains("missing does not exist; make it"), "{error}");
}

#[test]
fn a_bad_value_says_what_the_flag_takes() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = inventory(folder.path(), 0);
    for (flags, wanted) in [
        (["--h3-resolution", "16"], "0..=15"),
        (["--chunk-size", "0"], "--chunk-size <N>"),
        (
            ["--since", "last week"],
            "it must be a date (2025-01-31, midnight UTC), a month (2025-01), a year (2025) or a time",
        ),
        (["--max-rejects", "150%"], "a share of the inventory between 0% and 100%"),
        (["--output", "xml"], "possible values: text, json"),
    ] {
        let error = Warehouse::below(folder.path()).ingest(&inventory, &flags).fails(2);
        assert!(error.contains(flags[0]) && error.contains(wanted), "{error}");
    }
    assert!(!folder.path().join("catalog.db").exists());
}

#[test]
fn help_has_the_pipelines_parameters_and_defaults() {
    let help = earthcatalog(["ingest", "--help"]).ok();
    assert!(help.contains("--chunk-size <N>") && help.contains("[default: 10000]"), "{help}");
    assert!(help.contains("env: EARTHCATALOG_CATALOG"), "{help}");
}

#[test]
fn a_question_to_a_catalog_that_is_not_there_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let error = Warehouse::below(folder.path()).sql("SELECT 1").fails(1);
    assert!(error.contains("there is no catalog at") && error.contains("catalog.db"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn another_resolution_on_the_second_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = inventory(folder.path(), 3);
    let warehouse = Warehouse::below(folder.path());
    assert_eq!(warehouse.ingested(&inventory, &["--h3-resolution", "2"])["items"], 3);
    let error = warehouse.ingest(&inventory, &["--h3-resolution", "3"]).fails(1);
    assert!(error.contains("H3 resolution 2, not 3") && error.contains("set with --h3-resolution"), "{error}");
    assert_eq!(warehouse.value("SELECT count(*) FROM items"), 3);
}

#[test]
fn a_wrong_question_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = inventory(folder.path(), 1);
    let warehouse = Warehouse::below(folder.path());
    warehouse.ingest(&inventory, &[]).ok();
    let error = warehouse.sql("SELECT platfrom FROM items").fails(1);
    assert!(error.contains("platfrom"), "{error}");
    assert_eq!(error.lines().next().unwrap().matches("error").count(), 1, "one prefix: {error}");
    let error = warehouse.sql("SELEC 1").fails(1);
    assert!(error.contains("Expected: an SQL statement, found: SELEC"), "{error}");
}

#[test]
fn too_many_rejects_stop_a_run_if_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = inventory(folder.path(), 9);
    fs::write(folder.path().join("0.json"), "no Item").unwrap();
    let warehouse = Warehouse::below(folder.path());
    for limit in ["0", "10%"] {
        let error = warehouse.ingest(&inventory, &["--max-rejects", limit]).fails(1);
        assert!(error.contains("--max-rejects") && error.contains("1 of 9"), "{error}");
    }
    let report = warehouse.ingested(&inventory, &["--max-rejects", "12%"]);
    assert_eq!((&report["items"], &report["rejected"]["malformed_json"]), (&8.into(), &1.into()));
    assert_eq!(warehouse.value("SELECT count(*) FROM items"), 8, "the refused runs committed nothing");
}

#[test]
fn a_run_that_is_stopped_by_ctrl_c_or_sigterm_commits_nothing_and_says_so() {
    for signal in ["-INT", "-TERM"] {
        stopped_by(signal);
    }
}

fn stopped_by(signal: &str) {
    let folder = tempfile::tempdir().unwrap();
    // A server that takes requests and never answers.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let inventory = folder.path().join("inventory.csv");
    fs::write(&inventory, format!("bucket,key\n,http://{}/item.json\n", server.local_addr().unwrap())).unwrap();
    let warehouse = Warehouse::below(folder.path());
    let mut child = command()
        .args(["ingest", "--inventory"])
        .arg(&inventory)
        .arg("--catalog")
        .arg(&warehouse.catalog)
        .arg("--warehouse")
        .arg(&warehouse.files)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let connection = server.accept().unwrap();
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}: {error}");
    assert!(error.contains("interrupted; nothing was committed"), "{error}");
    drop(connection);
    assert_eq!(warehouse.value("SELECT count(*) FROM item_cells"), 0);
}

/// `items` Items, `0.json` and on, and the inventory that lists them.
fn inventory(folder: &std::path::Path, items: usize) -> std::path::PathBuf {
    let mut lines = "bucket,key\n".to_owned();
    for n in 0..items {
        let item = serde_json::json!({
            "type": "Feature", "stac_version": "1.1.0", "id": format!("item-{n}"),
            "geometry": {"type": "Point", "coordinates": [n, 60]}, "bbox": [n, 60, n, 60],
            "properties": {"datetime": "2020-01-01T00:00:00Z", "platform": "LC08"}, "links": [], "assets": {},
        });
        fs::write(folder.join(format!("{n}.json")), item.to_string()).unwrap();
        lines.push_str(&format!(",{n}.json\n"));
    }
    let inventory = folder.join("inventory.csv");
    fs::write(&inventory, lines).unwrap();
    inventory
}

#[test]
fn the_pipelines_are_listed_with_their_parameters() {
    let list = earthcatalog(["pipelines"]).ok();
    assert_eq!(earthcatalog(["plans"]).ok(), list, "the name that it had");
    assert!(!earthcatalog(["--help"]).ok().contains("\n  plans"), "the old name is hidden");
    assert!(
        list.contains("compact     Compact a warehouse") && list.contains("ingest      Ingest an inventory"),
        "{list}"
    );
    let parameters = earthcatalog(["pipelines", "compact"]).ok();
    assert!(parameters.contains("$threshold           INT      2          compact the buckets"), "{parameters}");
}

#[test]
fn a_script_of_ones_own_is_run_with_its_parameters_and_prints_what_it_selects() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let inventory = inventory(folder.path(), 3);
    // Given a copy of the pipeline that keeps some Items, computes a column, and asks a question,
    let script = folder.path().join("mine.sql");
    fs::write(
        &script,
        "-- Ingest some Items.
         -- $catalog   VARCHAR
         -- $warehouse VARCHAR
         -- $inventory VARCHAR
         -- $north     DOUBLE DEFAULT 0 -- degrees
         CREATE EXTERNAL TABLE items (platform VARCHAR) STORED AS ICEBERG LOCATION $warehouse
         OPTIONS ('catalog' $catalog, 'h3_resolution' '1');
         CREATE EXTERNAL TABLE source STORED AS STAC LOCATION $inventory OPTIONS ('like' 'items');
         INSERT INTO items SELECT * REPLACE (lower(platform) AS platform) FROM h3_fanout(source, 1) WHERE xmin > $north;
         SELECT id, platform FROM items ORDER BY id;",
    )
    .unwrap();
    let set = format!("inventory={}", inventory.display());
    let run = |set: &[&str]| {
        let mut arguments: Vec<&std::ffi::OsStr> =
            vec!["run".as_ref(), script.as_ref(), "--output".as_ref(), "ndjson".as_ref()];
        arguments.extend(warehouse.flags());
        arguments.extend(set.iter().flat_map(|set| ["--set".as_ref(), std::ffi::OsStr::new(*set)]));
        earthcatalog(arguments)
    };
    let lines = run(&[&set, "north=1.5"]).ok();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["rows"], &lines[1]), (&1.into(), &serde_json::json!({ "id": "item-2", "platform": "lc08" })));

    let error = run(&[&set, "south=1"]).fails(1);
    assert!(error.contains("has no parameter $south; it declares $catalog, $warehouse, $inventory, $north"), "{error}");
    let error = earthcatalog(["run", "no-such.sql"]).fails(1);
    assert!(error.contains("no-such.sql is not the name of a pipeline, and not a script"), "{error}");
}

#[test]
fn the_version_names_the_commit_and_the_engines() {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    let short = earthcatalog(["-V"]).ok();
    assert!(short.starts_with(concat!("earthcatalog ", env!("CARGO_PKG_VERSION"), " (")), "{short}");
    assert_eq!(short.lines().count(), 1, "{short}");
    let long = earthcatalog(["--version"]).ok();
    assert_eq!(long.lines().count(), 5, "{long}");
    for (name, package) in [("DataFusion", "datafusion"), ("Ballista", "ballista"), ("Iceberg", "iceberg")] {
        let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \"")).unwrap();
        let version = rest.split('"').next().unwrap();
        assert!(short.contains(&format!("{name} {version}")), "{short}");
        let line = long.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.ends_with(&format!(" {version}")), "{line}");
    }
    let git = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output();
    if let Some(git) = git.ok().filter(|git| git.status.success()) {
        let commit = String::from_utf8(git.stdout).unwrap();
        assert!(short.contains(&format!("({}, ", commit.trim())), "{short} is not of commit {commit}");
    }
}

#[test]
fn shells_get_completions_of_all_commands_and_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = earthcatalog(["completions", shell]).ok();
        for word in ["incremental", "h3-resolution", "executor-wait"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
    let error = earthcatalog(["completions", "csh"]).fails(2);
    assert!(error.contains("possible values: bash"), "{error}");
}

#[test]
fn each_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    earthcatalog(["man".as_ref(), pages.as_os_str()]).ok();
    assert!(fs::read_to_string(pages.join("earthcatalog.1")).unwrap().contains("earthcatalog\\-ingest"));
    let page = fs::read_to_string(pages.join("earthcatalog-ingest.1")).unwrap();
    assert!(page.contains("h3\\-resolution") && page.contains("Items per chunk"), "{page}");
    let error = earthcatalog(["man", "/dev/null/man"]).fails(1);
    assert!(error.contains("cannot write manual pages to /dev/null/man"), "{error}");
}
