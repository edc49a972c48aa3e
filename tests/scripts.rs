//! Scripts as their users write them: copies of the pipelines with something changed, plans without a run, dry runs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{Ran, Warehouse, accounted, earthcatalog};

/// Four Items and a broken object, an inventory of them, and a table to join.
struct Source(tempfile::TempDir);

impl Source {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut inventory = "bucket,key,last_modified_date\n".to_owned();
        for (n, platform) in ["LC08", "LC09", "S1A", "S1A"].into_iter().enumerate() {
            let item = json!({
                "type": "Feature", "id": format!("item-{n}"), "geometry": {"type": "Point", "coordinates": [n, 60]},
                "properties": {"datetime": "2020-01-01T00:00:00Z", "platform": platform, "gsd": 10 * n,
                               "updated": format!("2025-01-0{}T00:00:00Z", n + 1)},
                "links": [], "assets": {},
            });
            fs::write(folder.path().join(format!("{n}.json")), item.to_string()).unwrap();
            inventory += &format!(",{n}.json,2025-03-01T00:00:00Z\n");
        }
        fs::write(folder.path().join("4.json"), "no Item").unwrap();
        fs::write(folder.path().join("inventory.csv"), inventory + ",4.json,2025-03-01T00:00:00Z\n").unwrap();
        fs::write(folder.path().join("missions.csv"), "platform,mission\nLC08,landsat\nLC09,landsat\n").unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn inventory(&self) -> String {
        format!("inventory={}", self.path("inventory.csv").display())
    }

    fn warehouse(&self) -> Warehouse {
        Warehouse::below(self.0.path())
    }

    /// A copy of a pipeline with other words.
    fn copy(&self, pipeline: &str, changes: &[(&str, &str)]) -> PathBuf {
        let text = fs::read_to_string(Path::new("sql").join(pipeline)).unwrap();
        let changed = changes.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{pipeline} has no {from}");
            text.replace(from, to)
        });
        let copy = self.path(&format!("my {pipeline}"));
        fs::write(&copy, changed).unwrap();
        copy
    }

    /// A command about a script, with the place of the warehouse and `flags`.
    fn command(&self, command: &str, script: impl AsRef<OsStr>, flags: &[&str]) -> Ran {
        let warehouse = self.warehouse();
        let mut arguments: Vec<&OsStr> = vec![command.as_ref(), script.as_ref()];
        arguments.extend(warehouse.flags());
        arguments.extend(flags.iter().map(OsStr::new));
        earthcatalog(arguments)
    }

    /// What a script that must work prints, as JSON.
    fn run(&self, script: impl AsRef<OsStr>, set: &[&str]) -> Vec<Value> {
        let mut flags = vec!["--output", "ndjson"];
        set.iter().for_each(|set| flags.extend(["--set", set]));
        let lines = self.command("run", script, &flags).ok();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Names in the folder.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Other promoted columns, of which one is joined and one computed; and a filter.
const CHANGES: [(&str, &str); 2] = [
    (
        "    percent_valid_pixels INT,\n",
        "    gsd INT, mission VARCHAR, \"my:age\" DOUBLE,\n    percent_valid_pixels INT,\n",
    ),
    (
        "SELECT * FROM h3_fanout(source, items)",
        "SELECT f.* REPLACE (m.mission AS mission, CAST(gsd AS DOUBLE) / 10 AS my_age)
         FROM h3_fanout(source, items) AS f LEFT JOIN missions AS m ON m.platform = f.platform
         WHERE f.id <> 'item-0'",
    ),
];

/// Where the table to join is declared.
fn with_missions(source: &Source, before: &str) -> (String, String) {
    let missions = source.path("missions.csv");
    let declared = format!(
        "CREATE EXTERNAL TABLE missions STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true');\n\n{before}",
        missions.display()
    );
    (before.to_owned(), declared)
}

#[test]
fn a_copy_of_each_pipeline_promotes_filters_computes_and_joins() {
    for (pipeline, insert) in [
        ("ingest.sql", "INSERT INTO items"),
        ("incremental.sql", "INSERT INTO items"),
        ("backfill.sql", "INSERT INTO staged"),
    ] {
        let source = Source::new();
        let (before, declared) = with_missions(&source, insert);
        let script = source.copy(pipeline, &[&CHANGES[..], &[(before.as_str(), declared.as_str())]].concat());

        let reports = source.run(&script, &[&source.inventory(), "chunk_size=2"]);

        let report = reports.last().unwrap();
        assert_eq!((&report["items"], &report["skipped"]["filtered"]), (&3.into(), &1.into()), "{pipeline}: {report}");
        assert_eq!(accounted(report), (5, 5), "{pipeline}: {report}");
        let rows = source.warehouse().rows("SELECT id, mission, my_age, gsd FROM items ORDER BY id");
        assert_eq!(
            rows,
            [
                json!({"id": "item-1", "mission": "landsat", "my_age": 1.0, "gsd": 10}),
                json!({"id": "item-2", "mission": null, "my_age": 2.0, "gsd": 20}),
                json!({"id": "item-3", "mission": null, "my_age": 3.0, "gsd": 30}),
            ],
            "{pipeline}"
        );
        let run = &source.warehouse().rows("SELECT * FROM runs")[0];
        assert_eq!((&run["listed"], &run["items"], &run["state"]), (&5.into(), &3.into(), &"finished".into()), "{run}");
    }
}

#[test]
fn a_query_that_loses_chunks_is_run_and_says_that_it_counts_nothing() {
    let source = Source::new();
    let (before, declared) = with_missions(&source, "INSERT INTO items");
    let script = source.copy(
        "ingest.sql",
        &[
            (before.as_str(), declared.as_str()),
            ("(source, items);\n", "(source, items) WHERE platform NOT IN (SELECT platform FROM missions);\n"),
        ],
    );
    let report = &source.run(&script, &[&source.inventory()])[0];
    assert_eq!((&report["uncounted"], &report["rows"]), (&true.into(), &2.into()), "{report}");
    let text = source.command("run", &script, &["--set", &source.inventory()]).ok();
    assert!(text.starts_with("Items       are not counted, and their rejects are not listed"), "{text}");
}

#[test]
fn a_copy_of_compact_keeps_other_versions_and_copies_of_the_others_run_as_they_are() {
    let source = Source::new();
    for _ in 0..2 {
        source.run("ingest", &[&source.inventory()]);
    }
    let script = source.copy("compact.sql", &[("WHERE age_rank = 1;", "WHERE age_rank = 1 AND id <> 'item-3';")]);
    let summary = &source.run(&script, &[])[0];
    assert_eq!((&summary["rows_before"], &summary["rows_after"]), (&8.into(), &3.into()), "{summary}");

    let dry = source.run(source.copy("expire.sql", &[]), &["retain=0s", "dry_run=true"]);
    let done = source.run(source.copy("expire.sql", &[]), &["retain=0s"]);
    assert_eq!((&dry[1]["snapshots_removed"], &dry[1]), (&2.into(), &done[1]));
    let info = source.run(source.copy("info.sql", &[]), &[]);
    assert_eq!((&info[0]["h3_resolution"], &info[1]["rows"]), (&1.into(), &3.into()));
    let delta = source.run(source.copy("delta.sql", &[]), &[&source.inventory()]);
    assert_eq!(delta.len(), 1, "the reject is tried again: {delta:?}");
}

#[test]
fn explain_shows_the_plans_of_what_reads_and_writes_and_makes_nothing() {
    let source = Source::new();
    let names = source.names();
    let set = ["--set", &source.inventory()];
    for (pipeline, shown) in [
        ("ingest", vec!["ingest.sql:63:1  INSERT INTO items", "  CommitExec: table=earthcatalog.items", "StacExec"]),
        ("backfill", vec!["CommitExec: table=earthcatalog.items, stages chunks", "appends what is staged"]),
        ("incremental", vec!["incremental.sql:83:1  INSERT INTO items", "chunks=1"]),
    ] {
        let text = source.command("explain", pipeline, &set).ok();
        assert!(shown.iter().all(|part| text.contains(part)), "{text}");
        assert_eq!(source.names(), names, "{pipeline} made something");
    }
    source.run("ingest", &[&source.inventory()]);
    let listing = source.warehouse().listing();
    for (pipeline, shown) in [
        ("expire", "CallExec: expire_snapshots, table=earthcatalog.items, retain=the table's, dry_run=false"),
        ("info", "CREATE TABLE buckets AS SELECT"),
        ("compact", "replaces buckets"),
    ] {
        let text = source.command("explain", pipeline, &[]).ok();
        assert!(text.contains(shown) && text.contains("physical plan"), "{text}");
    }
    let text = source.command("explain", "delta", &set).ok();
    assert!(text.contains("delta.sql:"), "{text}");
    assert_eq!(source.warehouse().listing(), listing);
}

#[test]
fn a_dry_run_counts_what_it_can_and_writes_nothing() {
    let source = Source::new();
    let names = source.names();
    let inventory = source.path("inventory.csv");
    let dry = |command: &str| -> Value {
        // Nobody listens there: a dry run does not look for the cluster.
        let flags = ["--dry-run", "--chunk-size", "2", "--output", "json", "--cluster", "df://127.0.0.1:9"];
        let warehouse = source.warehouse();
        let mut arguments: Vec<&OsStr> = vec![command.as_ref(), "--inventory".as_ref(), inventory.as_ref()];
        arguments.extend(warehouse.flags());
        arguments.extend(flags.iter().map(OsStr::new));
        serde_json::from_str(&earthcatalog(arguments).ok()).unwrap()
    };
    for command in ["ingest", "backfill", "incremental"] {
        let would = dry(command);
        assert_eq!((&would["creates_table"], &would["source"]["items"]), (&true.into(), &5.into()), "{would}");
        assert_eq!(would["source"]["chunks"], 3);
        assert_eq!(source.names(), names, "{command} made something");
    }
    let run = source.command("run", "ingest", &["--dry-run", "--set", &source.inventory()]).ok();
    assert!(run.contains("would be created") && run.contains("nothing was written"), "{run}");
    assert_eq!(source.names(), names);

    for _ in 0..2 {
        source.run("ingest", &[&source.inventory()]);
    }
    let listing = source.warehouse().listing();
    let would = dry("incremental");
    assert_eq!((&would["creates_table"], &would["source"]["items"]), (&false.into(), &1.into()), "{would}");
    assert_eq!(would["source"]["skipped"]["ingested"], 4);
    let compact = source.command("run", "compact", &["--dry-run"]).ok();
    assert!(compact.contains("1 to merge, with 2 files, 8 rows"), "{compact}");
    let script = source.path("copy.sql");
    fs::write(
        &script,
        "-- Copies.\n-- $catalog VARCHAR\n-- $warehouse VARCHAR\n-- $to VARCHAR\n
         CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);
         COPY (SELECT id FROM items) TO 'ids.csv';\nCALL expire_snapshots(items, '0s');\nSELECT count(*) AS n FROM items;",
    )
    .unwrap();
    let ran = source.command("run", &script, &["--dry-run", "--set", "to=x", "--output", "ndjson"]).ok();
    let lines: Vec<Value> = ran.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines[0]["not_run"].as_str().unwrap().ends_with("copy.sql:7:10  COPY (SELECT id FROM items) TO 'ids.csv';")
    );
    assert_eq!((&lines[1]["snapshots_removed"], &lines[2]["n"]), (&1.into(), &8.into()));
    assert_eq!(source.warehouse().listing(), listing);
}

#[test]
fn what_goes_wrong_is_quoted_with_its_place_wherever_it_does() {
    let source = Source::new();
    source.run("ingest", &[&source.inventory()]);
    let head = "-- Fails.\n-- $catalog   VARCHAR\n-- $warehouse VARCHAR\n-- $n INT DEFAULT 1 -- how many\n
CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);\n";
    let fails = |statement: &str, set: &[&str]| {
        let script = source.path("fails.sql");
        fs::write(&script, format!("{head}{statement}")).unwrap();
        let set: Vec<_> = set.iter().flat_map(|set| ["--set", set]).collect();
        source.command("run", &script, &set).fails(1).replace(source.0.path().to_str().unwrap(), "")
    };
    for (statement, set, first, rest) in [
        ("SELECT\n  nothing FROM items;", &[][..], "there is no column nothing", "fails.sql:7:1\n     7 | SELECT"),
        (
            "SELECT 1;\n\n  CALL expire(items);",
            &[],
            "there is no procedure expire",
            "fails.sql:9:3\n     9 |   CALL expire(items);",
        ),
        ("CALL expire_snapshots(items, $n);", &[], "retain is 1, no duration", "fails.sql:7:1\n     7 | CALL"),
        ("SELECT 1 / (xmin - xmin)::INT FROM items;", &[], "Divide by zero", "fails.sql:7:1\n     7 | SELECT 1 /"),
        ("SELECT $n FORM items;", &[], "Expected: ", "fails.sql:7:16\n     7 | SELECT $n FORM items;"),
        (
            "SELECT 1;",
            &["n=many"],
            "$n takes INT, and \"many\" is not one",
            "fails.sql:4:1\n     4 | -- $n INT DEFAULT 1 -- how many",
        ),
        (
            "CREATE EXTERNAL TABLE s STORED AS STAC LOCATION 'x/' OPTIONS ('like' 'items', 'chunk_size' $n);",
            &["n=0"],
            "chunk_size",
            "fails.sql:7:1\n     7 | CREATE EXTERNAL TABLE s",
        ),
        (
            "CREATE EXTERNAL TABLE s STORED AS STAC LOCATION 'missing.ndjson' OPTIONS ('like' 'items');\nSELECT * FROM s;",
            &[],
            "missing.ndjson",
            "fails.sql:8:1\n     8 | SELECT * FROM s;",
        ),
        (
            "INSERT INTO items (id, grid_partition) VALUES ('a', 'nowhere');",
            &[],
            "nowhere",
            "fails.sql:7:1\n     7 | INSERT INTO items",
        ),
    ] {
        let error = fails(statement, set);
        assert!(error.lines().next().unwrap().contains(first), "{statement}: {error}");
        assert!(error.contains(&format!("\n   --> /{rest}")), "{statement}: {error}");
    }
    let error = source.command("run", "ingest", &[]).fails(1);
    assert!(error.starts_with("error: $inventory needs a value: inventory of S3, Google or Azure"), "{error}");
    assert!(error.contains("--> ingest.sql:3:1"), "{error}");
}

#[test]
fn a_new_table_gets_the_columns_that_are_asked_for_and_keeps_them_whatever_command_comes_next() {
    let source = Source::new();
    let folder = source.0.path();
    let item = |id: &str, clouds: f64| {
        json!({"type": "Feature", "stac_version": "1.0.0", "id": id, "links": [], "assets": {},
            "geometry": {"type": "Point", "coordinates": [10.0, 40.0]},
            "properties": {"datetime": "2020-07-01T00:00:00Z", "eo:cloud_cover": clouds, "platform": "s2a"}})
    };
    let deliver = |id: &str, clouds: f64| {
        fs::write(folder.join(format!("{id}.json")), item(id, clouds).to_string()).unwrap();
        let inventory = folder.join(format!("{id}.csv"));
        fs::write(&inventory, format!("bucket,key\n,{id}.json\n")).unwrap();
        inventory.to_str().unwrap().to_owned()
    };
    fs::write(
        folder.join("s2.toml"),
        "[grid]\nresolution = 3\n[table]\ncolumns = \"platform VARCHAR, eo:cloud_cover DOUBLE\"\n",
    )
    .unwrap();
    let [catalog, files, config] =
        ["s2.db", "s2", "s2.toml"].map(|name| folder.join(name).to_str().unwrap().to_owned());
    let run = |command: &str, inventory: &str, flags: &[&str]| {
        let words = [command, "--inventory", inventory, "--catalog", &catalog, "--warehouse", &files];
        earthcatalog(words.iter().chain(flags))
    };
    run("ingest", &deliver("a", 1.5), &["--config", &config]).ok();
    // What the table knows need not be said again; where it is said, it must be so.
    run("incremental", &deliver("b", 2.5), &[]).ok();
    run("backfill", &deliver("c", 3.5), &["--config", &config]).ok();
    run("backfill", &deliver("d", 4.5), &[]).ok();
    for (flags, words) in [
        (["--columns", "platform VARCHAR"], "the columns"),
        (["--columns", "platform"], "write them as in"),
        (["--columns", "id VARCHAR"], "a column that every table of Items has"),
        (["--h3-resolution", "1"], "H3 resolution 3, not 1"),
    ] {
        let error = run("ingest", &deliver("e", 5.5), &flags).fails(1);
        assert!(error.contains(words), "{flags:?}: {error}");
    }
    let rows = Warehouse { catalog: catalog.into(), files: files.into() }
        .rows("SELECT id, eo_cloud_cover FROM items WHERE eo_cloud_cover > 2 ORDER BY id");
    let expected = ["b", "c", "d"].into_iter().zip([2.5, 3.5, 4.5]);
    assert_eq!(rows, expected.map(|(id, clouds)| json!({"id": id, "eo_cloud_cover": clouds})).collect::<Vec<_>>());
}
