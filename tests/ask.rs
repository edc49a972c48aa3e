//! How people ask a warehouse and get answers: statements, outputs, settings, exports.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::demo::TOUR;
use crate::program::{Ran, Warehouse, command, earthcatalog, run};
use crate::python;

/// The tour's warehouse, asked with `arguments`.
fn ask(arguments: &[&str]) -> Ran {
    let warehouse = TOUR.warehouse();
    run(command().args(arguments).args(warehouse.flags()))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_has_several_statements_and_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("questions.sql");
    let text = "-- Two questions.\n-- $platform VARCHAR\nCREATE VIEW chosen AS SELECT * FROM items WHERE platform = $platform;\n\
                SELECT count(*) > 0 AS found FROM chosen;\nSELECT DISTINCT platform FROM chosen;\n";
    fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let answers = ask(&["sql", "-f", path, "--set", "platform=LC08", "--output", "ndjson"]).ok();
    assert_eq!(answers, "{\"found\":true}\n{\"platform\":\"LC08\"}\n");

    fs::write(&file, "SELECT 1;\n\nSELECT id\n  FORM items;\n").unwrap();
    let error = ask(&["sql", "-f", path]).fails(1);
    assert!(error.contains(&format!("--> {path}:4:8")) && error.contains("4 |   FORM items;"), "{error}");
    fs::write(&file, "SELECT count(*) FROM items;\nSELECT nothing FROM items;\n").unwrap();
    let ran = ask(&["sql", "-f", path, "--output", "csv"]);
    assert!(ran.stdout.starts_with("count(*)\n"), "what was asked before is answered: {}", ran.stdout);
    assert!(ran.fails(1).contains(&format!("--> {path}:2:1")));
    let error = ask(&["sql", "-f", "no/such.sql"]).fails(2);
    assert!(error.starts_with("error: cannot read no/such.sql: "), "{error}");
}

#[test]
fn without_a_terminal_and_a_statement_standard_input_is_read() {
    let warehouse = TOUR.warehouse();
    for arguments in [&["sql", "-"][..], &["sql"], &["sql", "-f", "-"]] {
        let mut child = command()
            .args(arguments)
            .args(["--output", "csv"])
            .args(warehouse.flags())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"SELECT 1 AS n;\nSELECT 2 AS m").unwrap();
        assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), "n\n1\nm\n2\n");
    }
    let error = ask(&["sql"]).fails(2);
    assert!(error.contains("there is no statement to run: give one, give -f FILE, or give -"), "{error}");
}

#[test]
fn rows_of_items_are_stac_items_in_geojson_and_others_features() {
    let text = ask(&["sql", "SELECT * FROM items ORDER BY id", "--output", "geojson"]).ok();
    let collection: Value = serde_json::from_str(&text).unwrap();
    let expected: Vec<Value> = TOUR
        .warehouse()
        .rows("SELECT stac_item(*) AS item FROM items ORDER BY id")
        .iter()
        .map(|row| serde_json::from_str(row["item"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(collection["type"], "FeatureCollection");
    assert!(!expected.is_empty());
    assert_eq!(collection["features"].as_array().unwrap(), &expected);

    let sql =
        "SELECT id, platform, ST_Centroid(geometry) AS geometry FROM items WHERE xmax - xmin < 5 ORDER BY id LIMIT 1";
    let text = ask(&["sql", sql, "--output", "geojson"]).ok();
    let feature = &serde_json::from_str::<Value>(&text).unwrap()["features"][0];
    assert_eq!(feature["geometry"]["type"], "Point");
    assert_eq!(feature["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), ["platform"]);
    let error = ask(&["sql", "SELECT id FROM items", "--output", "geojson"]).fails(1);
    assert!(error.contains("GeoJSON needs a column named geometry, and the result has no such column"), "{error}");
}

#[test]
fn files_of_answers_are_read_by_others_and_appear_when_they_are_complete() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name).display().to_string();
    let sql = "SELECT * FROM items WHERE geometry IS NOT NULL ORDER BY id";
    for name in ["items.parquet", "items.geoparquet", "items.geojson"] {
        assert_eq!(ask(&["sql", sql, "--out", &out(name)]).ok(), "");
    }
    let rows = TOUR.warehouse().value("SELECT count(*) FROM items WHERE geometry IS NOT NULL").to_string();
    python::run("answers.py", [folder.path().to_str().unwrap(), &rows]);

    // A query that fails on its way leaves what was there before.
    let fails =
        "SELECT 1 / (xmin - xmin) FROM items WHERE xmin IS NOT NULL UNION ALL SELECT n / 0 FROM (SELECT 1 AS n)";
    let before = fs::read(folder.path().join("items.parquet")).unwrap();
    for name in ["items.parquet", "other.csv"] {
        ask(&["sql", fails, "--out", &out(name)]).fails(1);
    }
    assert_eq!(fs::read(folder.path().join("items.parquet")).unwrap(), before);
    assert_eq!(names(folder.path()), ["items.geojson", "items.geoparquet", "items.parquet"]);
    let error = ask(&["sql", "SELECT 1; SELECT 2", "--out", &out("two.csv")]).fails(1);
    assert!(error.contains("SQL:1:11") && error.contains("two.csv holds one result"), "{error}");
    let error = ask(&["sql", "SELECT 1", "--out", "no/such/folder/a.csv"]).fails(2);
    assert!(error.contains("--out no/such/folder/a.csv: its folder"), "{error}");
    assert_eq!(names(folder.path()).len(), 3);
}

#[test]
fn a_table_is_cut_where_asked_and_what_was_read_is_told_on_standard_error() {
    let ran = ask(&["sql", "SELECT id FROM items ORDER BY id", "--max-rows", "3"]);
    assert!(ran.stderr.contains("the table ends after 3 rows; --max-rows 0 shows all rows"), "{}", ran.stderr);
    assert!(ran.ok().ends_with("first 3 rows\n"));
    let one = "SELECT count(*) AS n FROM item_cells WHERE date_part('year', datetime) IS NULL OR xmin > 179.9";
    let ran =
        ask(&["sql", "--stats", "-q", "SELECT count(id) AS n FROM item_cells WHERE xmin > 100", "--output", "csv"]);
    assert!(
        ran.stderr.starts_with("scan: files ") && ran.stderr.contains(" by bounds), row groups "),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("B of ") && ran.stderr.ends_with(" rows\n"), "{}", ran.stderr);
    assert_eq!(ran.ok().lines().count(), 2);
    assert!(ask(&["sql", "-q", one]).ok().ends_with("+\n"), "no count of rows");
    let plan = ask(&["sql", "EXPLAIN SELECT id FROM item_cells"]).ok();
    assert!(plan.starts_with("logical_plan\n  TableScan: item_cells"), "{plan}");
}

#[test]
fn sql_asks_and_does_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let at = Warehouse::below(folder.path());
    let script = format!(
        "CREATE EXTERNAL TABLE mine STORED AS ICEBERG LOCATION '{}' OPTIONS ('catalog' '{}', 'h3_resolution' '1')",
        at.files.display(),
        at.catalog.display()
    );
    for statement in ["INSERT INTO mine SELECT * FROM mine", "CALL expire_snapshots(mine, '0s')"] {
        let error = ask(&["sql", &format!("{script};\n{statement}")]).fails(1);
        assert!(
            error.contains("SQL:2:") && error.contains("`earthcatalog run FILE` runs scripts that write"),
            "{error}"
        );
    }
}

#[test]
fn flags_beat_variables_which_beat_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = TOUR.warehouse();
    let text = format!(
        "catalog:\n  db_path: {}\n  warehouse: {}\ngrid:\n  type: h3\n  resolution: 2\ningest:\n  chunk_size: 7\n  max_workers: 1\n",
        warehouse.catalog.display(),
        warehouse.files.display()
    );
    fs::write(folder.path().join("earthcatalog.yaml"), &text).unwrap();
    let here = |arguments: &[&str], variables: &[(&str, &str)]| {
        run(command().args(arguments).envs(variables.iter().copied()).current_dir(folder.path()))
    };
    let count = here(&["sql", "SELECT count(*) AS n FROM items", "--output", "csv"], &[]).ok();
    assert_eq!(count, format!("n\n{}\n", warehouse.value("SELECT count(*) FROM items")));

    let settings = |arguments: &[&str], variables: &[(&str, &str)]| -> Value {
        let text = here(&[&["config", "--output", "json"], arguments].concat(), variables).ok();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let secret = ("AWS_SECRET_ACCESS_KEY", "hunter2");
    let all = settings(&[], &[secret, ("EARTHCATALOG_WAREHOUSE", "of-variable")]);
    let of = |key: &str, all: &Value| {
        let setting = &all["settings"][key];
        (setting["value"].as_str().unwrap_or("-").to_owned(), setting["from"].as_str().unwrap().to_owned())
    };
    let file = "earthcatalog.yaml".to_owned();
    assert_eq!(of("catalog.db_path", &all), (warehouse.catalog.display().to_string(), file.clone()));
    assert_eq!(of("catalog.warehouse", &all), ("of-variable".into(), "EARTHCATALOG_WAREHOUSE".into()));
    assert_eq!(of("grid.resolution", &all), ("2".into(), file.clone()));
    assert_eq!(of("ingest.max_workers", &all), ("1".into(), file));
    assert_eq!(of("ingest.fetch_concurrency", &all), ("64".into(), "default".into()));
    assert!(all["store_variables"].as_array().unwrap().contains(&"AWS_SECRET_ACCESS_KEY".into()), "{all}");
    assert!(!all.to_string().contains("hunter2"), "{all}");
    let all = settings(&["--chunk-size", "9"], &[("EARTHCATALOG_WORKERS", "3")]);
    assert_eq!(of("ingest.chunk_size", &all), ("9".into(), "--chunk-size".into()));
    assert_eq!(of("ingest.max_workers", &all), ("3".into(), "EARTHCATALOG_WORKERS".into()));
    let text = here(&["config"], &[secret]).ok();
    assert!(text.contains("grid.resolution            2  ") && !text.contains("hunter2"), "{text}");

    // Another file, and none.
    let other = folder.path().join("other.toml");
    fs::write(&other, "[catalog]\ndb_pth = 'x'\n").unwrap();
    let error = here(&["info"], &[("EARTHCATALOG_CONFIG", "other.toml")]).fails(2);
    assert_eq!(
        error,
        "error: other.toml: there is no key catalog.db_pth; the nearest is catalog.db_path, and `earthcatalog config` lists all\n"
    );
    fs::write(&other, "[ingest]\nchunk_size = 'many'\n").unwrap();
    let error = here(&["info", "--config", "other.toml"], &[]).fails(2);
    assert!(error.contains("other.toml: ingest.chunk_size: invalid value 'many' for '--chunk-size"), "{error}");
    fs::write(&other, "").unwrap();
    let error = here(&["info", "--config", "other.toml"], &[]).fails(2);
    for way in ["--catalog", "variable EARTHCATALOG_CATALOG", "catalog.db_path in earthcatalog.toml"] {
        assert!(error.contains(way), "{error}");
    }
}

#[test]
fn a_run_takes_from_the_file_what_its_script_has_parameters_for() {
    let folder = tempfile::tempdir().unwrap();
    let items: String = (0..3)
        .map(|n| {
            format!(
                r#"{{"type":"Feature","id":"i{n}","geometry":{{"type":"Point","coordinates":[{n},50]}},"properties":{{"datetime":"2020-01-01T00:00:00Z"}}}}"#
            ) + "\n"
        })
        .collect();
    fs::write(folder.path().join("items.ndjson"), items).unwrap();
    let config = "[catalog]\ndb_path = 'catalog.db'\nwarehouse = 'warehouse'\n[grid]\nresolution = 3\n";
    fs::write(folder.path().join("earthcatalog.toml"), config).unwrap();
    let here = |arguments: &[&str]| run(command().args(arguments).current_dir(folder.path()));
    here(&["run", "ingest", "--set", "inventory=items.ndjson"]).ok();
    let info: Value = serde_json::from_str(&here(&["info", "--output", "json"]).ok()).unwrap();
    assert_eq!((&info["h3_resolution"], &info["rows"]), (&3.into(), &3.into()));
}

#[test]
fn exported_items_are_whole_and_each_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = TOUR.warehouse();
    let sql = "SELECT stac_item(*) AS item FROM items ORDER BY id";
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let expected: Vec<_> = warehouse.rows(sql).iter().map(|row| json(row["item"].as_str().unwrap())).collect();
    let lines = ask(&["export"]).ok();
    assert_eq!(lines.lines().map(json).collect::<Vec<_>>(), expected);
    let file = folder.path().join("items.json").display().to_string();
    assert_eq!(ask(&["export", "--out", &file]).ok(), "");
    assert_eq!(json(&fs::read_to_string(&file).unwrap())["features"].as_array().unwrap(), &expected);
    assert_eq!(ask(&["export"]).ok(), lines, "the same Items make the same bytes");

    let place = "POLYGON((-140 59, -130 59, -130 65, -140 65, -140 59))";
    let flags = ["export", "--geometry", place, "--start", "2010-01-01", "--end", "2020-12-31"];
    let count = format!(
        "SELECT count(*) FROM items WHERE ST_Intersects(geometry, ST_GeomFromText('{place}'))
         AND datetime >= '2010-01-01' AND datetime < '2021-01-01'"
    );
    assert_eq!(ask(&flags).ok().lines().count() as u64, warehouse.value(&count).as_u64().unwrap());
    let query = "SELECT * FROM items WHERE platform = 'LC08' ORDER BY datetime LIMIT 2";
    assert_eq!(ask(&["export", "--query", query]).ok().lines().count(), 2);
    for (query, words) in [
        ("SELECT id, geometry FROM items", "the rows have no column collection, "),
        ("SELECT *, 1 AS one FROM items", "column one is computed, and no column of an Item"),
        ("SELECT * FROM items; SELECT 1", "--query takes one statement, and 2 were given"),
    ] {
        let error = ask(&["export", "--query", query]);
        assert!(error.stderr.contains(words) && error.code != Some(0), "{error:?}");
    }
    let error = ask(&["export", "--geometry", "Paris"]).fails(2);
    assert!(error.contains("--geometry Paris: it is not WKT"), "{error}");
}

#[test]
fn an_exported_stac_geoparquet_file_ingests_to_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = TOUR.warehouse();
    let file = folder.path().join("items.parquet");
    // Items that the format can hold: without members that stand beside those of STAC, and explicit nulls.
    let sql = "SELECT * FROM items WHERE extra IS NULL ORDER BY id";
    ask(&["export", "--query", sql, "--out", file.to_str().unwrap()]).ok();
    let copy = Warehouse::below(folder.path());
    let report = copy.ingested(&file, &[]);
    let rows = warehouse.rows(sql);
    assert!(rows.len() > 100);
    assert_eq!(report["items"], rows.len(), "{report}");
    // The file knows the values of JSON texts, not how they were written.
    let read = |mut row: Value| {
        for name in ["assets", "links", "properties", "extra"] {
            let value = row[name].as_str().map(|text| serde_json::from_str(text).unwrap());
            row[name] = value.unwrap_or(Value::Null);
        }
        row
    };
    let copied = copy.rows("SELECT * FROM items ORDER BY id");
    assert_eq!(copied.len(), rows.len());
    for (copied, row) in copied.into_iter().zip(rows) {
        assert_eq!(read(copied), read(row));
    }
}

#[test]
fn help_lists_the_commands() {
    let help = earthcatalog(["--help"]).ok();
    for command in ["sql", "export", "config"] {
        assert!(help.contains(&format!("  {command} ")), "{help}");
    }
    let help = earthcatalog(["export", "--help"]).ok();
    assert!(help.contains("--query <SQL>") && help.contains("stac-geoparquet"), "{help}");
}
