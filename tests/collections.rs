//! Collections that use the same ids: an Item is told by its collection and its id.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Warehouse, command, earthcatalog, run};

const COLLECTIONS: [Option<&str>; 3] = [Some("north"), Some("south"), None];
const IDS: [&str; 3] = ["one", "two", "three"];

/// An Item whose footprint lies in several cells, `west` degrees to the east.
fn item(collection: Option<&str>, id: &str, west: f64, updated: &str, platform: &str) -> Value {
    let (east, south, north) = (west + 12.0, 40.0, 49.0);
    let ring = json!([[west, south], [east, south], [east, north], [west, north], [west, south]]);
    let mut item = json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id,
        "geometry": { "type": "Polygon", "coordinates": [ring] },
        "bbox": [west, south, east, north],
        "properties": { "datetime": "2020-05-01T00:00:00Z", "updated": updated, "platform": platform },
        "links": [], "assets": {},
    });
    if let Some(collection) = collection {
        item["collection"] = collection.into();
    }
    item
}

fn write(folder: &Path, name: &str, items: &[Value]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, items.iter().map(|item| format!("{item}\n")).collect::<String>()).unwrap();
    path
}

/// Every id in every collection, all at one place.
fn same_ids(folder: &Path) -> PathBuf {
    let items = COLLECTIONS.iter().flat_map(|collection| {
        IDS.map(|id| item(*collection, id, 0.0, "2021-01-01T00:00:00Z", collection.unwrap_or("none")))
    });
    write(folder, "items.ndjson", &items.collect::<Vec<_>>())
}

/// What the table says of each Item, as one that compares all versions says, too.
fn platforms(warehouse: &Warehouse) -> Vec<[Value; 3]> {
    let sql = "SELECT collection, id, platform FROM items ORDER BY collection NULLS LAST, id";
    let all_versions = format!("SET earthcatalog.spatial_pruning = false; {sql}");
    let rows = |sql: &str| -> Vec<_> {
        let column = |row: &Value, name: &str| row.get(name).cloned().unwrap_or_default();
        let rows = warehouse.rows(sql);
        rows.iter().map(|row| ["collection", "id", "platform"].map(|name| column(row, name))).collect()
    };
    let answer = rows(sql);
    assert_eq!(answer, rows(&all_versions));
    assert_eq!(warehouse.value("SELECT count(*) FROM items"), json!(answer.len()));
    answer
}

fn expected(newer: Option<&str>) -> Vec<[Value; 3]> {
    let mut ids = IDS;
    ids.sort_unstable();
    let row = |collection: Option<&str>, id: &str| {
        let moved = newer.filter(|_| (collection, id) == (Some("north"), "one"));
        [json!(collection), json!(id), json!(moved.or(collection).unwrap_or("none"))]
    };
    COLLECTIONS.iter().flat_map(|collection| ids.map(|id| row(*collection, id))).collect()
}

#[test]
fn items_of_different_collections_with_one_id_are_different_items() {
    let folder = TempDir::new().unwrap();
    let items = same_ids(folder.path());
    let newer = item(Some("north"), "one", 100.0, "2022-01-01T00:00:00Z", "newer");
    let newer = write(folder.path(), "newer.ndjson", &[newer]);

    // Given every id in every collection, by an ingest and by a backfill,
    let ingested = Warehouse::below(&folder.path().join("ingested"));
    let backfilled = Warehouse::below(&folder.path().join("backfilled"));
    for name in ["ingested", "backfilled"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    ingested.ingest(&items, &[]).ok();
    run(command().args(["backfill", "--inventory"]).arg(&items).args(backfilled.flags())).ok();
    for warehouse in [&ingested, &backfilled] {
        assert_eq!(platforms(warehouse), expected(None));
        // when one of them gets a newer version elsewhere, it alone changes,
        warehouse.ingest(&newer, &[]).ok();
        assert_eq!(platforms(warehouse), expected(Some("newer")));
        // also when the older version and all copies are compacted away.
        warehouse.compacted(&["--retain", "0s"]);
        assert_eq!(platforms(warehouse), expected(Some("newer")));
        let rows = "SELECT count(*) FROM (SELECT DISTINCT collection, id FROM item_cells)";
        assert_eq!(warehouse.value(rows), json!(9));
        // The rows left behind are gone: each Item lies at one place.
        let places = "SELECT max(n) FROM (SELECT count(DISTINCT xmin) AS n FROM item_cells GROUP BY collection, id)";
        assert_eq!(warehouse.value(places), json!(1));
        let out = folder.path().join("out.ndjson");
        let flags = warehouse.flags();
        let export = ["export".as_ref(), "--out".as_ref(), out.as_os_str()].into_iter().chain(flags);
        earthcatalog(export).ok();
        assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 9);
    }
}
