//! Items as other programs write them, and as we write them for others.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::demo::TOUR;
use crate::program::{Warehouse, accounted, earthcatalog};
use crate::python;

/// The Items of a warehouse as `export` writes them, each line a value.
fn exported(warehouse: &Warehouse, folder: &Path) -> Vec<Value> {
    let file = folder.join("exported.ndjson");
    let out = file.to_str().unwrap();
    let arguments = ["export", "--out", out].map(OsStr::new);
    earthcatalog(arguments.into_iter().chain(warehouse.flags())).ok();
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Items by their canonical text.
fn texts(items: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(members) => {
                let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(members.into_iter().collect())
            }
            Value::Array(values) => values.into_iter().map(sorted).collect(),
            Value::Number(number) => json!(number.as_f64()),
            other => other,
        }
    }
    items.into_iter().map(|item| sorted(item).to_string()).collect()
}

#[test]
fn files_of_other_writers_become_the_items_that_are_in_them() {
    let folder = tempfile::tempdir().unwrap();
    python::run("odd_sources.py", [folder.path()]);
    let mut files = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|end| end != "parquet") {
            continue;
        }
        files += 1;
        let own = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::below(own.path());
        let report = warehouse.ingested(&file, &[]);
        assert_eq!(report["rejected"], json!({}), "{}: {report}", file.display());
        let expected = fs::read_to_string(file.with_extension("expected")).unwrap();
        let expected = texts(expected.lines().map(|line| serde_json::from_str(line).unwrap()));
        assert_eq!(texts(exported(&warehouse, own.path())), expected, "{}", file.display());
    }
    assert_eq!(files, 6);
}

/// The Items of the demo in warehouses as the Python earthcatalog writes them: their folder, how many Items and rows are in each,
/// and the Items that are left in them.
fn reference_warehouse(folder: &Path) -> (PathBuf, Vec<u64>, BTreeSet<String>) {
    let (items, reference) = (folder.join("items.ndjson"), folder.join("reference"));
    let lines: Vec<String> = exported(&TOUR.warehouse(), folder).iter().map(Value::to_string).collect();
    fs::write(&items, lines.join("\n")).unwrap();
    let counts = python::run("reference_warehouse.py", [&items, &reference]);
    let counts = counts.split_whitespace().map(|count| count.parse().unwrap()).collect();
    let expected = fs::read_to_string(reference.join("expected.ndjson")).unwrap();
    let expected = texts(expected.lines().map(|line| serde_json::from_str(line).unwrap()));
    (reference, counts, expected)
}

/// A row for each Item and cell, and times in milliseconds: what the Python earthcatalog has kept comes over, each Item once.
#[test]
fn a_warehouse_of_the_python_earthcatalog_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (reference, counts, expected) = reference_warehouse(folder.path());
    assert!(counts[0] as usize == expected.len() && counts[1] > counts[0], "{counts:?}");
    // One as a folder, the other as the list of files that a table names.
    let list = reference.join("files.csv");
    fn files(folder: &Path, list: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => files(&path, list),
                false => *list += &format!("{}\n", path.display()),
            }
        }
    }
    let mut listed = "key\n".to_owned();
    files(&reference.join("2"), &mut listed);
    fs::write(&list, listed).unwrap();
    for (layout, inventory) in [("1", reference.join("1")), ("2", list)] {
        let own = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::below(own.path());
        let words = ["backfill", "--suffix", ".parquet", "--output", "json", "--inventory"].map(OsStr::new);
        let report = earthcatalog(words.into_iter().chain([inventory.as_os_str()]).chain(warehouse.flags())).ok();
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!((&report["listed"], &report["rejected"]), (&json!(counts[1]), &json!({})), "{report}");
        assert_eq!(texts(exported(&warehouse, own.path())), expected, "layout {layout}");
        let again = ["incremental", "--suffix", ".parquet", "--inventory"].map(OsStr::new);
        let again = earthcatalog(again.into_iter().chain([inventory.as_os_str()]).chain(warehouse.flags())).ok();
        assert!(again.starts_with("Items       0 committed of "), "{again}");
        // In the cells that their footprints touch, once each.
        let cells = "SELECT count(*) FROM (SELECT DISTINCT collection, id, grid_partition FROM item_cells)";
        let (rows, cells) = (warehouse.value("SELECT count(*) FROM item_cells"), warehouse.value(cells));
        assert_eq!((&rows, &report["rows"]), (&cells, &rows));
    }
}

/// What its table names, and not what else lies in its folder, unless that is asked for.
#[test]
fn the_table_of_the_python_earthcatalog_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let (reference, _, expected) = reference_warehouse(folder.path());
    let base = reference.join("3");
    let mut metadata: Vec<_> = fs::read_dir(base.join("warehouse/earthcatalog/stac_items/metadata"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(".metadata.json"))
        .collect();
    metadata.sort();
    let migrated = |from: &Path, own: &Path| {
        let warehouse = Warehouse::below(own);
        let words = ["migrate", "--output", "json", "--from"].map(OsStr::new);
        let report = earthcatalog(words.into_iter().chain([from.as_os_str()]).chain(warehouse.flags())).ok();
        (warehouse, serde_json::from_str::<Value>(&report).unwrap())
    };
    for from in [&base, &base.join("earthcatalog.db"), metadata.last().unwrap()] {
        let own = tempfile::tempdir().unwrap();
        let (warehouse, report) = migrated(from, own.path());
        assert_eq!(report["rejected"], json!({}), "{report}");
        assert_eq!(texts(exported(&warehouse, own.path())), expected, "{}", from.display());
        // What has come over once does not come again, also where the table is followed.
        let (_, again) = migrated(from, own.path());
        assert!(again["ended_before"].is_string(), "{again}");
        if from != &base {
            let words = ["incremental", "--inventory"].map(OsStr::new);
            let again = earthcatalog(words.into_iter().chain([from.as_os_str()]).chain(warehouse.flags())).ok();
            assert!(again.starts_with("Items       0 committed of "), "{again}");
        }
    }
    let own = tempfile::tempdir().unwrap();
    let (warehouse, _) = migrated(&base.join("warehouse"), own.path());
    let ids = texts(exported(&warehouse, own.path()).iter().map(|item| item["id"].clone()));
    assert_eq!((ids.len(), ids.contains("\"dropped\"")), (expected.len() + 1, true));

    // What cannot be taken over is named, and nothing is made.
    let own = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(own.path());
    let refused = |from: &Path, code: i32| {
        let words = ["migrate", "--from"].map(OsStr::new);
        earthcatalog(words.into_iter().chain([from.as_os_str()]).chain(warehouse.flags())).fails(code)
    };
    let error = refused(&base.join("no-such.db"), 2);
    assert!(error.contains("no-such.db: there is no such file or folder"), "{error}");
    fs::write(base.join("text.db"), "no database").unwrap();
    let error = refused(&base.join("text.db"), 1);
    assert!(error.contains("text.db cannot be read") && error.contains("not a database"), "{error}");
    let lost = base.join("warehouse/part_000001.parquet");
    fs::rename(&lost, base.join("elsewhere")).unwrap();
    let error = refused(&base, 1);
    assert!(
        error.contains("part_000001.parquet") && error.contains("name the folder of those that are left"),
        "{error}"
    );
    fs::rename(base.join("elsewhere"), &lost).unwrap();
    // Another name for the same is another table.
    let second = "import sqlite3, sys
catalog = sqlite3.connect(sys.argv[1])
catalog.execute(\"INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location) SELECT catalog_name, table_namespace, 'second', metadata_location FROM iceberg_tables\")
catalog.commit()";
    let mut python = python::interpreter();
    assert!(python.args(["-c", second]).arg(base.join("earthcatalog.db")).status().unwrap().success());
    let error = refused(&base, 1);
    assert!(error.contains("several tables") && error.contains("earthcatalog.second ("), "{error}");
}

#[test]
fn a_warehouse_can_be_made_of_the_part_files_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (TOUR.warehouse(), Warehouse::below(folder.path()));
    to.ingested(&from.files, &["--suffix", ".parquet"]);
    // The other files of a warehouse have no Items.
    let rejects = to.value("SELECT count(*) FROM rejects WHERE object LIKE '%grid_partition=%'");
    assert_eq!(rejects, json!(0));
    let (expected, found) = (exported(&from, folder.path()), exported(&to, folder.path()));
    assert_eq!(found.len(), expected.len());
    assert_eq!(texts(found), texts(expected));
}

/// Items whose boxes are absent, wrong, over the antimeridian or of three dimensions.
fn boxed(with_all: bool) -> Vec<Value> {
    let item = |id: &str, x: f64, bbox: Value| {
        let square = json!([[[x, 0.0], [x + 4.0, 0.0], [x + 4.0, 4.0], [x, 4.0], [x, 0.0]]]);
        json!({
            "type": "Feature", "stac_version": "1.1.0", "id": id, "links": [], "assets": {}, "bbox": bbox,
            "geometry": {"type": "Polygon", "coordinates": square},
            "properties": {"datetime": "2020-01-01T00:00:00Z"},
        })
    };
    let mut items =
        vec![item("right", 0.0, json!([0.0, 0.0, 4.0, 4.0])), item("wide", 10.0, json!([5.0, -1.0, 20.0, 5.0]))];
    if with_all {
        items.push(item("wrong", 20.0, json!([50.0, 50.0, 51.0, 51.0])));
        items.push(item("crossed", 30.0, json!([34.0, 0.0, 30.0, 4.0])));
        items.push(item("high", 40.0, json!([40.0, 0.0, -9.0, 44.0, 4.0, 9.0])));
        let mut absent = item("absent", 50.0, json!(null));
        absent.as_object_mut().unwrap().remove("bbox");
        items.push(absent);
        let mut nowhere = item("nowhere", 60.0, json!([60.0, 0.0, 64.0, 4.0]));
        nowhere["geometry"] = Value::Null;
        items.push(nowhere);
    }
    items
}

fn ndjson(folder: &Path, items: &[Value]) -> std::path::PathBuf {
    let file = folder.join("items.ndjson");
    fs::write(&file, items.iter().map(|item| format!("{item}\n")).collect::<String>()).unwrap();
    file
}

/// Writes the Items of a warehouse as stac-geoparquet; what the command says of it.
fn export_parquet(warehouse: &Warehouse, file: &Path) -> String {
    let arguments = ["export", "--out", file.to_str().unwrap()].map(OsStr::new);
    let ran = earthcatalog(arguments.into_iter().chain(warehouse.flags()));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stderr
}

#[test]
fn the_covering_of_an_export_has_every_geometry_whatever_its_bbox_says() {
    for with_all in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let items = boxed(with_all);
        let warehouse = Warehouse::below(folder.path());
        warehouse.ingested(&ndjson(folder.path(), &items), &[]);
        let file = folder.path().join("items.parquet");
        assert_eq!(export_parquet(&warehouse, &file), "");
        python::run("covering_geopandas.py", [file.to_str().unwrap(), &items.len().to_string()]);
        // And what was added for it is no property of an Item.
        let again = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::below(again.path());
        warehouse.ingested(&file, &[]);
        assert_eq!(texts(exported(&warehouse, again.path())), texts(items));
    }
}

#[test]
fn an_export_ends_at_no_item_and_says_which_it_cannot_hold() {
    let folder = tempfile::tempdir().unwrap();
    let line = |id: &str, properties: &str| {
        format!(
            "{{\"type\":\"Feature\",\"id\":\"{id}\",\"geometry\":{{\"type\":\"Point\",\"coordinates\":[1,2]}},\"properties\":{{\"datetime\":null,{properties}}}}}\n"
        )
    };
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let lines = [
        line("a", "\"n\":1,\"t\":\"x\""),
        line("half", "\"t\":\"\\ud83e\""),
        line("deep", &format!("\"d\":{deep}")),
        line("long", "\"n\":18446744073709551615"),
        line("exact", "\"n\":0.5"),
        line("huge", "\"n\":1e400"),
        line("fine", "\"n\":0.1000000000000000055511151231257827"),
        line("odd", "\"m\":\"x\""),
        line("even", "\"m\":[1]"),
    ];
    let file = folder.path().join("items.ndjson");
    fs::write(&file, lines.concat()).unwrap();
    let warehouse = Warehouse::below(folder.path());
    let report = warehouse.ingested(&file, &[]);
    assert_eq!(accounted(&report), (9, 9), "{report}");
    let out = folder.path().join("items.parquet");
    let said = export_parquet(&warehouse, &out);
    assert!(
        said.contains("9 Items in ")
            && said.contains("; stac-geoparquet cannot hold all members of 7 of them exactly (m, n)"),
        "{said}"
    );
    assert!(said.contains("these are JSON text, because their values are of several types: m"), "{said}");
    let again = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(again.path());
    assert_eq!(warehouse.ingested(&out, &[])["items"], 9);
    let items = exported(&warehouse, again.path());
    let of = |id: &str| &items.iter().find(|item| item["id"] == id).unwrap()["properties"];
    assert_eq!((of("half")["t"].as_str(), of("odd")["m"].as_str()), (Some("\u{fffd}"), Some("\"x\"")));
    assert_eq!(of("exact")["n"].as_f64(), Some(0.5));
}

#[test]
fn an_incremental_run_takes_files_of_many_items_once() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    let items = boxed(true);
    fs::rename(ndjson(folder.path(), &items[..3]), source.join("a.ndjson")).unwrap();
    fs::write(source.join("b.json"), items[3].to_string()).unwrap();
    fs::write(source.join("catalog.json"), r#"{"type":"Catalog","id":"c"}"#).unwrap();
    let warehouse = Warehouse::below(folder.path());
    let run = |inventory: &Path| -> Value {
        let arguments = ["incremental", "--output", "json", "--inventory", inventory.to_str().unwrap()];
        let arguments = arguments.map(OsStr::new);
        serde_json::from_str(&earthcatalog(arguments.into_iter().chain(warehouse.flags())).ok()).unwrap()
    };
    let first = run(&source);
    assert_eq!((&first["items"], &first["skipped"]), (&json!(4), &json!({"catalog": 1})), "{first}");
    // Nothing is read twice, neither as a part of the folder nor by name.
    for inventory in [&source, &source.join("a.ndjson")] {
        let again = run(inventory);
        assert_eq!((&again["items"], &again["rejected"]), (&json!(0), &json!({})), "{again}");
    }
    fs::rename(ndjson(folder.path(), &items[4..]), source.join("c.ndjson")).unwrap();
    let more = run(&source);
    assert_eq!((&more["items"], &more["skipped"]), (&json!(3), &json!({"ingested": 3})), "{more}");
}
