//! `earthcatalog collection`: documents of collections, kept with the table.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use datafusion::parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, Warehouse, command, earthcatalog, run};
use crate::service::Service;

fn item(id: &str, collection: &str, x: f64, cloud: u32) -> Value {
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id, "collection": collection,
        "geometry": {"type": "Point", "coordinates": [x, 60.0]}, "bbox": [x, 60.0, x, 60.0],
        "properties": {"datetime": "2020-05-01T00:00:00Z", "platform": "S1A", "percent_valid_pixels": cloud},
        "links": [], "assets": {},
    })
}

/// A warehouse with two Items of `north` and one of `south`.
fn warehouse() -> (TempDir, Warehouse) {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, items) = (Warehouse::below(folder.path()), folder.path().join("items.ndjson"));
    let lines = [item("a", "north", 1.0, 10), item("b", "north", 2.0, 90), item("c", "south", 3.0, 5)];
    fs::write(&items, lines.iter().map(|item| format!("{item}\n")).collect::<String>()).unwrap();
    warehouse.ingested(&items, &[]);
    (folder, warehouse)
}

fn collection(warehouse: &Warehouse, arguments: &[&str]) -> Ran {
    let mut command = command();
    run(command.arg("collection").args(arguments).args(warehouse.flags()))
}

fn shown(warehouse: &Warehouse, arguments: &[&str]) -> Value {
    let text = collection(warehouse, &[&["show"], arguments].concat()).ok();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn write(folder: &Path, name: &str, json: &Value) -> String {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, json.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn given(id: &str) -> Value {
    json!({
        "type": "Collection", "stac_version": "1.1.0", "id": id, "title": format!("The {id}"), "license": "CC-BY-4.0",
        "description": "Velocities", "keywords": ["ice"],
        "extent": {"spatial": {"bbox": [[-180, 50, 180, 90]]}, "temporal": {"interval": [["1982-01-01T00:00:00Z", null]]}},
        "links": [{"rel": "license", "href": "https://example.com/licence"}, {"rel": "root", "href": "../catalog.json"}],
    })
}

#[tokio::test]
async fn a_document_is_kept_with_the_table_and_is_what_clients_see() {
    let (folder, warehouse) = warehouse();
    let service = Service::over(&warehouse, &["--refresh", "20ms"]);
    let derived = service.get("/collections/north").await.ok();
    assert_eq!(derived["license"], "various");

    let file = write(folder.path(), "north.json", &given("north"));
    assert_eq!(collection(&warehouse, &["add", &file]).ok(), "added       north\n");
    // Whatever is done to the table, the document stays.
    let more = folder.path().join("more.ndjson");
    fs::write(&more, item("d", "north", 4.0, 20).to_string()).unwrap();
    warehouse.ingested(&more, &[]);
    warehouse.compacted(&[]);
    earthcatalog(["expire", "--retain", "0s"].iter().map(AsRef::as_ref).chain(warehouse.flags())).ok();

    let document = shown(&warehouse, &["north"]);
    for member in ["title", "license", "description", "keywords", "extent", "stac_version"] {
        assert_eq!(document[member], given("north")[member], "{member}");
    }
    assert_eq!(document["links"], json!([{"rel": "license", "href": "https://example.com/licence"}]));
    assert_eq!(document["table:primary_geometry"], "geometry");
    assert!(document["assets"]["items"]["href"].as_str().unwrap().ends_with("/grid_partition=*/year=*/*.parquet"));
    let metadata = document["assets"]["iceberg"]["href"].as_str().unwrap();
    assert!(Path::new(metadata.trim_start_matches("file://")).exists(), "{metadata}");

    let from_items = shown(&warehouse, &["north", "--from-items"]);
    assert_eq!(from_items["extent"]["spatial"]["bbox"], json!([[1.0, 60.0, 4.0, 60.0]]));
    assert_eq!(from_items["stats:items"], json!({"count": 3}));
    assert_eq!(from_items["summaries"]["platform"], json!(["S1A"]));
    assert_eq!(from_items["summaries"]["percent_valid_pixels"], json!({"minimum": 10, "maximum": 90}));

    let seen = loop {
        let seen = service.get("/collections/north").await.ok();
        if seen["license"] != "various" {
            break seen;
        }
    };
    assert_eq!((&seen["license"], &seen["keywords"]), (&json!("CC-BY-4.0"), &json!(["ice"])));
    let rels: Vec<_> = seen["links"].as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap()).collect();
    assert!(rels.contains(&"license") && rels.iter().filter(|rel| **rel == "root").count() == 1, "{rels:?}");
    let landing = service.get("/").await.ok();
    assert!(landing["links"].as_array().unwrap().iter().any(|link| link["title"] == "The north"));

    let sql = "SELECT id, document IS NOT NULL AS given, items, xmin FROM collections ORDER BY id";
    assert_eq!(
        warehouse.rows(sql),
        [
            json!({"id": "north", "given": true, "items": 3, "xmin": 1.0}),
            json!({"id": "south", "given": false, "items": 1, "xmin": 3.0})
        ]
    );
    assert_eq!(collection(&warehouse, &["remove", "north"]).ok(), "removed     north\n");
    assert_eq!(shown(&warehouse, &["north"])["license"], "various");
}

#[test]
fn an_export_has_the_documents_of_its_items() {
    let (folder, warehouse) = warehouse();
    let file =
        write(folder.path(), "all.json", &json!({"collections": [given("north"), given("south"), given("empty")]}));
    collection(&warehouse, &["add", &file]).ok();
    let exported = folder.path().join("south.parquet");
    let mut export = command();
    export.args(["search", "--collections", "south", "--out"]).arg(&exported).args(warehouse.flags());
    run(&mut export).ok();
    let reader = SerializedFileReader::new(File::open(exported).unwrap()).unwrap();
    let entries = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let entry = entries.iter().find(|entry| entry.key == "stac-geoparquet").unwrap();
    let metadata: Value = serde_json::from_str(entry.value.as_ref().unwrap()).unwrap();
    assert_eq!(metadata["version"], "1.1.0");
    let collections = metadata["collections"].as_object().unwrap();
    assert_eq!(collections.keys().collect::<Vec<_>>(), ["south"]);
    assert_eq!(collections["south"]["title"], "The south");
}

#[test]
fn documents_come_from_folders_lists_and_standard_input() {
    let (folder, warehouse) = warehouse();
    for id in ["north", "south"] {
        write(folder.path(), &format!("stac/{id}/collection.json"), &given(id));
    }
    write(folder.path(), "stac/catalog.json", &json!({"type": "Catalog", "id": "all"}));
    let stac = folder.path().join("stac");
    let report = collection(&warehouse, &["add", stac.to_str().unwrap(), "--output", "json"]).ok();
    assert_eq!(report.trim(), r#"{"added":["north","south"]}"#);
    let listed = collection(&warehouse, &["list"]).ok();
    let words: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[1], ["north", "2", "2020-05-01/2020-05-01", "The", "north"], "{listed}");

    let mut add = command();
    let input = write(folder.path(), "other.json", &json!([given("other")]));
    add.args(["collection", "add", "-"]).args(warehouse.flags()).stdin(Stdio::from(File::open(input).unwrap()));
    run(&mut add).ok();
    let listed: Value = serde_json::from_str(&collection(&warehouse, &["list", "--output", "json"]).ok()).unwrap();
    assert_eq!(
        listed[1],
        json!({"id": "other", "title": "The other", "items": 0, "bbox": null, "first": null,
        "last": null, "has_document": true})
    );
}

#[test]
fn what_is_not_a_collection_changes_nothing_and_is_named() {
    let (folder, warehouse) = warehouse();
    let good = write(folder.path(), "good.json", &given("north"));
    let catalog = write(folder.path(), "catalog.json", &json!({"type": "Catalog", "id": "x"}));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for (files, words) in [
        (vec![good.as_str(), &catalog], "catalog.json: it is not a STAC Collection: its type is \"Catalog\""),
        (vec![&good, "nowhere.json"], "nowhere.json"),
        (vec![&good, empty.to_str().unwrap()], "empty: there is no file collection.json in it"),
        (vec![&good, &good], "collection north is given twice"),
    ] {
        let said = collection(&warehouse, &[&["add"], &files[..]].concat()).fails(1);
        assert!(said.contains(words), "{files:?}: {said}");
    }
    assert_eq!(warehouse.value("SELECT count(*) FROM \"items$collections\""), json!(0));
    for arguments in [["show", "nothing"], ["remove", "north"]] {
        let said = collection(&warehouse, &arguments).fails(1);
        assert!(said.contains("there is no collection") && said.contains("collection list"), "{said}");
    }
}
