//! What a command needs to be told, and what it makes of what it is told.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::demo::TOUR;
use crate::program::{Ran, Warehouse, command, earthcatalog};
use crate::python;

/// Runs a command with the demo's catalog, and nothing about where its files are.
fn ask(words: &[&str]) -> Ran {
    let catalog = TOUR.warehouse().catalog;
    let catalog = ["--catalog", catalog.to_str().unwrap()];
    earthcatalog(words.iter().chain(&catalog))
}

fn item(id: &str, collection: &str, x: f64, valid: u64) -> Value {
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id, "collection": collection, "links": [], "assets": {},
        "geometry": {"type": "Point", "coordinates": [x, 60.0]},
        "properties": {"datetime": "2020-01-01T00:00:00Z", "platform": "S2A", "percent_valid_pixels": valid},
    })
}

/// A file of Items: three at 1, 2 and 3 degrees east, of two collections.
fn items(folder: &Path) -> std::path::PathBuf {
    let file = folder.join("items.ndjson");
    let items = [item("a", "one", 1.0, 10), item("b", "one", 2.0, 20), item("c", "two", 3.0, 30)];
    fs::write(&file, items.map(|item| item.to_string()).join("\n")).unwrap();
    file
}

/// The ids in a text of Items, one a line.
fn ids(text: &str) -> Vec<String> {
    let id = |line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
    text.lines().map(id).collect()
}

#[test]
fn a_table_that_exists_knows_where_its_files_are() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = items(folder.path());
    let inventory = inventory.to_str().unwrap();
    let warehouse = Warehouse::below(folder.path());
    let catalog = warehouse.catalog.to_str().unwrap();
    let commands: [&[&str]; 19] = [
        &["ingest", "--inventory", inventory],
        &["backfill", "--inventory", inventory],
        &["incremental", "--inventory", inventory],
        &["delta", inventory],
        &["changes"],
        &["sql", "SELECT count(*) FROM items"],
        &["search", "--count"],
        &["export"],
        &["paths", "--geometry", "1,59,2,61"],
        &["info"],
        &["runs"],
        &["compact", "--dry-run"],
        &["compact"],
        &["index"],
        &["expire"],
        &["verify"],
        &["map", "--out", "-"],
        &["collection", "list"],
        &["run", "info"],
    ];
    let with = |words: &[&str], more: &[&str]| earthcatalog(words.iter().chain(&["--catalog", catalog]).chain(more));
    // Nothing says where a new table is to be, and nothing is made.
    for words in &commands[..3] {
        let error = with(words, &[]).fails(1);
        assert!(error.contains("catalog.db has no table yet") && error.contains("with --warehouse"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{words:?}");
    }
    warehouse.ingest(inventory.as_ref(), &[]).ok();
    let elsewhere = folder.path().join("elsewhere");
    for words in commands {
        with(words, &[]).ok();
        let error = with(words, &["--warehouse", elsewhere.to_str().unwrap()]).fails(1);
        for named in ["catalog.db", "/warehouse", "/elsewhere"] {
            assert!(error.contains(named), "{words:?}: {error}");
        }
        assert!(!elsewhere.exists(), "{words:?}");
        with(words, &["--warehouse", warehouse.files.to_str().unwrap()]).ok();
    }
    assert_eq!(warehouse.value("SELECT count(*) FROM items"), 3);
}

#[test]
fn a_question_that_needs_no_warehouse_needs_no_catalog() {
    assert_eq!(earthcatalog(["sql", "SELECT 1 AS n", "--output", "csv"]).ok(), "n\n1\n");
    let with_variable = |sql: &str| {
        let mut command = command();
        command.env("EARTHCATALOG_WAREHOUSE", "anywhere").args(["sql", sql, "--output", "csv"]);
        crate::program::run(&mut command)
    };
    assert_eq!(with_variable("SELECT 1 AS n").ok(), "n\n1\n");
    let error = earthcatalog(["sql", "SELECT * FROM items"]).fails(1);
    assert!(
        error.starts_with("error: there is no table items, nor any other one; `earthcatalog sql --catalog"),
        "{error}"
    );
}

#[test]
fn a_file_is_compressed_as_its_name_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let sql = "SELECT id, platform FROM items ORDER BY id";
    for ending in ["csv", "json", "ndjson", "jsonl", "geojson", "txt"] {
        let sql = if ending == "geojson" { "SELECT id, geometry FROM items ORDER BY id" } else { sql };
        let [plain, gzip] = [path(&format!("a.{ending}")), path(&format!("a.{ending}.gz"))];
        ask(&["sql", sql, "--out", &plain]).ok();
        ask(&["sql", sql, "--out", &gzip]).ok();
        let mut text = String::new();
        GzDecoder::new(fs::File::open(&gzip).unwrap()).read_to_string(&mut text).unwrap();
        assert!(text == fs::read_to_string(&plain).unwrap() && text.len() > 10_000, "{ending}");
    }
    let gzip = path("items.ndjson.gz");
    ask(&["export", "--out", &gzip]).ok();
    let warehouse = Warehouse::below(folder.path());
    assert_eq!(warehouse.ingested(gzip.as_ref(), &[])["items"], TOUR.warehouse().value("SELECT count(*) FROM items"));
    ask(&["export", "--out", &path("items.geojson.zst")]).ok();
    assert_eq!(fs::read(path("items.geojson.zst")).unwrap()[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    ask(&["search", "--limit", "3", "--out", &path("found.ndjson.gz")]).ok();
    ask(&["sql", sql, "--output", "csv", "--out", &path("a.dat.gz")]).ok();
    assert_eq!(fs::read(path("a.dat.gz")).unwrap()[..2], [0x1f, 0x8b]);
}

#[test]
fn a_name_that_tells_no_format_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for (command, name, words) in [
        (
            vec!["sql", "SELECT 1"],
            "a.gpkg",
            "end it with .txt, .json, .ndjson, .jsonl, .csv, .geojson, .parquet, .geoparquet",
        ),
        (vec!["sql", "SELECT 1"], "a.gz", "or name the format with --output"),
        (vec!["sql", "SELECT 1"], "a", "its ending tells no format"),
        (vec!["sql", "SELECT 1"], "a.parquet.gz", "Parquet files are compressed inside; leave .gz out"),
        (vec!["export"], "a.csv", "end it with .ndjson, .jsonl, .json, .geojson, .parquet, .geoparquet"),
        (vec!["export"], "a.xyz", "or name the format with --format"),
        (vec!["search"], "a.xyz", "or name the format with --output"),
    ] {
        let path = folder.path().join(name);
        let error = ask(&[&command[..], &["--out", path.to_str().unwrap()]].concat()).fails(2);
        assert!(error.contains(name) && error.contains(words), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    // Lines of text may be called anything.
    ask(&["search", "--count", "--out", folder.path().join("n").to_str().unwrap()]).ok();
}

#[test]
fn rows_with_geometries_are_geoparquet() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [plain, other, two] = [path("a.parquet"), path("b.parquet"), path("c.geoparquet")];
    ask(&["sql", "SELECT id, geometry FROM items LIMIT 5", "--out", &plain]).ok();
    ask(&["sql", "SELECT id, ST_Centroid(geometry) AS centre FROM items LIMIT 4", "--out", &other]).ok();
    let sql = "SELECT ST_Centroid(geometry) AS centre, max(geometry) AS geometry FROM items GROUP BY 1 LIMIT 3";
    ask(&["sql", sql, "--out", &two]).ok();
    let read = python::run("rows_geopandas.py", [&plain, &other, &two]);
    assert_eq!(read, "OGC:CRS84 geometry 5\nOGC:CRS84 centre 4\nOGC:CRS84 geometry 3\n");
    let error = ask(&["sql", "SELECT 1 AS n", "--output", "geoparquet", "--out", &path("d.parquet")]).fails(1);
    assert!(error.contains("GeoParquet needs a column of geometries"), "{error}");
}

#[test]
fn geometries_are_wkt_for_people_and_in_csv() {
    let sql = "SELECT ST_Point(1, 2.5) AS p, NULL AS nothing, ST_AsBinary(ST_Point(1, 2)) IS NULL";
    assert_eq!(earthcatalog(["sql", sql, "--output", "csv"]).ok().lines().nth(1).unwrap(), "POINT(1 2.5),,false");
    let table = earthcatalog(["sql", sql]).ok();
    assert!(table.contains("| POINT(1 2.5) | NULL    |"), "{table}");
    let expanded = earthcatalog(["sql", sql, "--output", "expanded"]).ok();
    assert!(
        expanded.contains("\np ") && expanded.contains(" | POINT(1 2.5)\n") && expanded.ends_with("1 row\n"),
        "{expanded}"
    );
}

#[test]
fn a_place_may_be_the_features_of_a_collection() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    warehouse.ingest(&items(folder.path()), &[]).ok();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let square = |x: f64| {
        let ring = [[x, 59.0], [x + 0.5, 59.0], [x + 0.5, 61.0], [x, 61.0], [x, 59.0]];
        json!({"type": "Feature", "properties": {"name": "é"}, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    };
    let nowhere = json!({"type": "Feature", "properties": null, "geometry": null});
    let collection =
        |features: Value| json!({"type": "FeatureCollection", "name": "drawn", "features": features}).to_string();
    // Two that overlap, one elsewhere, and one without a place.
    fs::write(path("places.geojson"), collection(json!([square(0.75), nowhere, square(0.9), square(2.75)]))).unwrap();
    fs::write(path("feature.geojson"), square(1.75).to_string()).unwrap();
    fs::write(path("none.geojson"), collection(json!([nowhere]))).unwrap();
    fs::write(path("wrong.geojson"), json!({"type": "FeatureCollection"}).to_string()).unwrap();
    let catalog = warehouse.catalog.to_str().unwrap();
    let with = |command: &str, flag: &str, name: &str| {
        earthcatalog([command, flag, &path(name), "--catalog", catalog, "--quiet"])
    };
    for (command, flag) in [("export", "--geometry"), ("search", "--intersects")] {
        let found = |name: &str| ids(&with(command, flag, name).ok()).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(found("places.geojson"), ["a".to_owned(), "c".to_owned()].into());
        assert_eq!(found("feature.geojson"), ["b".to_owned()].into());
        let error = with(command, flag, "none.geojson").fails(2);
        assert!(error.contains(flag) && error.contains("no feature in it has a geometry"), "{error}");
        let error = with(command, flag, "wrong.geojson").fails(2);
        assert!(error.contains("the FeatureCollection has no list of features"), "{error}");
    }
    let files = earthcatalog(["paths", "--geometry", &path("places.geojson"), "--catalog", catalog]).ok();
    assert!(files.lines().count() >= 1, "{files}");
    let error = earthcatalog(["export", "--geometry", "POLYGON((0 0, 5 0, 5 5))", "--catalog", catalog]).fails(2);
    assert!(error.contains("it is not WKT: a ring must end where it begins"), "{error}");
}

#[test]
fn an_export_takes_conditions_together() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(folder.path());
    warehouse.ingest(&items(folder.path()), &[]).ok();
    let list = folder.path().join("ids.txt");
    fs::write(&list, "c\nb\n\nnone\n").unwrap();
    let list = format!("@{}", list.display());
    let catalog = warehouse.catalog.to_str().unwrap();
    let export = |flags: &[&str]| earthcatalog(["export", "--catalog", catalog].iter().chain(flags));
    for (flags, found) in [
        (&["--ids", "a,c"][..], &["a", "c"][..]),
        (&["--ids", &list], &["b", "c"]),
        (&["--collection", "one"], &["a", "b"]),
        (&["--collections", "one,two"], &["a", "b", "c"]),
        (&["--where", "percent_valid_pixels >= 20"], &["b", "c"]),
        (&["--where", "percent_valid_pixels = 10 OR id = 'c' -- either", "--collection", "two"], &["c"]),
        (
            &["--where", "percent_valid_pixels > 10", "--ids", "a,b", "--geometry", "0,50,9,70", "--start", "2020"],
            &["b"],
        ),
        (&["--ids", "a", "--end", "2019"], &[]),
        (&["--where", "properties ->> 'nothing' IS NULL"], &["a", "b", "c"]),
    ] {
        assert_eq!(ids(&export(flags).ok()), found, "{flags:?}");
    }
    let mut child = command();
    child.args(["export", "--catalog", catalog, "--ids", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a\nb\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(ids(std::str::from_utf8(&output.stdout).unwrap()), ["a", "b"]);
    for (flags, code, words) in [
        (&["--ids", ","][..], 2, "--ids: there is nothing in the list"),
        (&["--ids", "@no/such"], 2, "--ids: cannot read no/such: "),
        (&["--where", "a = 1) OR (b = 2"], 2, "--where takes one condition: "),
        (
            &["--where", "percent_valid_pixel > 1"],
            1,
            "there is no column percent_valid_pixel; did you mean items.percent_valid_pixels?\n   --> --where:1:1",
        ),
        (&["--where", "true", "--query", "SELECT * FROM items"], 2, "--query"),
    ] {
        let error = export(flags).fails(code);
        assert!(error.contains(words), "{flags:?}: {error}");
    }
}

#[test]
fn nothing_is_made_before_the_input_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("people.csv"), "name,age\nAda,36\n").unwrap();
    fs::write(path("images.csv"), "bucket,key\n,a.tif\n,b.tif\n").unwrap();
    fs::write(path("notes.doc"), "what we did").unwrap();
    let warehouse = Warehouse::below(folder.path());
    let [catalog, files] = [&warehouse.catalog, &warehouse.files].map(|path| path.to_str().unwrap());
    let before = || fs::read_dir(folder.path()).unwrap().count();
    for (name, words) in [
        ("people.csv", "none is an Item by its name"),
        ("images.csv", "none is an Item by its name"),
        ("notes.doc", "the name does not tell what the file holds"),
    ] {
        for command in ["ingest", "backfill", "incremental"] {
            let inventory = path(name);
            let inventory = inventory.to_str().unwrap();
            let at = ["--catalog", catalog, "--warehouse", files];
            let error = earthcatalog([command, "--inventory", inventory].iter().chain(&at)).fails(1);
            assert!(error.contains(words), "{command} {name}: {error}");
            let set = format!("inventory={inventory}");
            earthcatalog(["run", command, "--set", &set].iter().chain(&at)).fails(1);
            assert_eq!(before(), 3, "{command} {name}");
        }
    }
}

#[test]
fn what_would_write_is_refused_in_our_words() {
    let warehouse = TOUR.warehouse();
    for (sql, words) in [
        ("INSERT INTO items SELECT * FROM items", "INSERT would add rows to items, a table of the warehouse"),
        ("DELETE FROM item_cells WHERE true", "DELETE would remove rows of item_cells"),
        ("UPDATE items SET platform = 'x'", "UPDATE would change rows of items"),
        ("DROP TABLE items", "DROP would remove items"),
        ("drop view rejects", "DROP would remove rejects"),
        ("DROP TABLE \"items$files\"", "DROP would remove items$files"),
        ("TRUNCATE TABLE items", "TRUNCATE would remove the rows of items"),
        ("ALTER TABLE items ADD COLUMN x INT", "ALTER TABLE would change items"),
    ] {
        let error = warehouse.sql(sql).fails(1);
        assert!(error.starts_with(&format!("error: SQL:1:1: {words}")) && error.contains("only reads; "), "{error}");
    }
    let own = "CREATE TABLE t AS SELECT 1 AS n; INSERT INTO t SELECT 2; SELECT count(*) AS n FROM t; DROP TABLE t";
    assert_eq!(warehouse.sql(own).ok(), "{\"count\":1}\n{\"n\":2}\n");
}
