//! Another engine on the same table: it changes schema, partitioning, rows, refs and files; every command of ours is then right,
//! or refuses with the reason.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, Warehouse, earthcatalog};
use crate::python;

/// A row as PyIceberg reads it, without what is null.
type Row = BTreeMap<String, Value>;

struct Shared {
    warehouse: Warehouse,
    folder: TempDir,
}

fn item(id: &str, west: f64, updated: &str) -> Value {
    let (east, south, north) = (west + 1.0, 40.0, 41.0);
    let ring = json!([[west, south], [east, south], [east, north], [west, north], [west, south]]);
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id, "collection": "c",
        "geometry": { "type": "Polygon", "coordinates": [ring] }, "bbox": [west, south, east, north],
        "properties": {
            "datetime": "2020-05-01T00:00:00Z", "updated": updated, "platform": format!("platform of {id}"),
            "percent_valid_pixels": 7, "latitude": 40.5, "scene_1_id": format!("first {id}"),
            "scene_2_id": format!("second {id}"), "other": { "of": id },
        },
        "links": [], "assets": {},
    })
}

impl Shared {
    /// A table of ours with the Items a, b and c, of which a has an older version, too, in two snapshots and several files.
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let warehouse = Warehouse::below(folder.path());
        let shared = Self { warehouse, folder };
        let old = "2021-01-01T00:00:00Z";
        shared.ingest("first", &[item("a", 10.0, old), item("b", 10.2, old)]).ok();
        shared.ingest("second", &[item("a", 10.0, "2022-01-01T00:00:00Z"), item("c", 100.0, old)]).ok();
        shared
    }

    fn items(&self, name: &str, items: &[Value]) -> PathBuf {
        let path = self.folder.path().join(format!("{name}.ndjson"));
        fs::write(&path, items.iter().map(|item| format!("{item}\n")).collect::<String>()).unwrap();
        path
    }

    fn ingest(&self, name: &str, items: &[Value]) -> Ran {
        self.warehouse.ingest(&self.items(name, items), &[])
    }

    /// Has PyIceberg do these steps.
    fn engine(&self, steps: &[&str]) -> String {
        let mut arguments: Vec<OsString> =
            vec![self.warehouse.catalog.clone().into(), self.warehouse.files.clone().into()];
        arguments.extend(steps.iter().map(OsString::from));
        python::run("other_engine.py", arguments)
    }

    /// The rows as PyIceberg reads them, the newest version of each Item, by id.
    fn rows(&self) -> BTreeMap<String, Row> {
        newest(serde_json::from_str(self.engine(&["read"]).trim()).unwrap())
    }

    /// The rows as we read them, by id.
    fn ours(&self, columns: &[String]) -> BTreeMap<String, Row> {
        let columns: Vec<_> = columns.iter().map(|column| format!("\"{column}\"")).collect();
        newest(self.warehouse.rows(&format!("SELECT {} FROM item_cells", columns.join(", "))))
    }

    fn command(&self, arguments: &[&str]) -> Ran {
        let arguments = arguments.iter().map(OsString::from);
        earthcatalog(arguments.chain(self.warehouse.flags().map(OsString::from)))
    }

    /// `verify` finds no damage. What another engine has written is no finding but for its Items that it wrote in a part of
    /// their cells.
    fn is_whole(&self, steps: &[&str]) {
        for flags in [&[][..], &["--deep"]] {
            let report = self.command(&[&["verify", "--output", "json"], flags].concat());
            let report: Value = serde_json::from_str(&report.ok()).unwrap();
            let found = report["findings"].as_array().unwrap();
            let expected = |check: &str| ["foreign_cover", "orphan", "unchecked"].contains(&check);
            assert!(found.iter().all(|f| expected(f["check"].as_str().unwrap())), "{steps:?}: {report:#}");
        }
    }

    /// The STAC Items, by id.
    fn exported(&self) -> BTreeMap<String, Value> {
        let out = self.folder.path().join("out.ndjson");
        self.command(&["export", "--out", out.to_str().unwrap()]).ok();
        let items = fs::read_to_string(&out).unwrap();
        let item = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        items.lines().map(item).map(|item| (item["id"].as_str().unwrap().to_owned(), item)).collect()
    }
}

/// The newest version of each Item, without nulls, and times in one way to write them.
fn newest(rows: Vec<Value>) -> BTreeMap<String, Row> {
    let mut newest = BTreeMap::<String, Row>::new();
    for row in rows {
        let Value::Object(row) = row else { panic!("{row}") };
        let plain = |value: Value| match value.as_str() {
            Some(text) if text.starts_with("20") => json!(text.replace("+00:00", "Z").replace(' ', "T")),
            _ => value,
        };
        let row: Row = row.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, plain(v))).collect();
        let id = row.get("id").unwrap_or_else(|| panic!("{row:?}")).as_str().unwrap().to_owned();
        // Of the rows of several cells, one answers for the Item.
        let order = |row: &Row| ["updated", "grid_partition"].map(|name| row.get(name).map(ToString::to_string));
        if newest.get(&id).is_none_or(|other| order(other) < order(&row)) {
            newest.insert(id, row);
        }
    }
    newest
}

/// After `steps` of the other engine, our reading is the engine's; and after an ingest, a compaction and an expiry of ours the
/// engine reads every value that was there, and one Item more.
fn nothing_is_lost_after(steps: &[&str]) -> Shared {
    let shared = Shared::new();
    shared.engine(steps);
    let truth = shared.rows();
    let columns: std::collections::BTreeSet<String> = truth.values().flat_map(|row| row.keys().cloned()).collect();
    let columns: Vec<_> = columns.into_iter().collect();
    assert_eq!(shared.ours(&columns), truth, "{steps:?}: what we read");
    shared.is_whole(steps);

    shared.ingest("third", &[item("d", 10.4, "2021-01-01T00:00:00Z")]).ok();
    let mut after = shared.rows();
    let added = after.remove("d").unwrap_or_else(|| panic!("{steps:?}: the Item that was ingested"));
    assert_eq!(after, truth, "{steps:?}: after an ingest");

    shared.command(&["compact", "--retain", "0s"]).ok();
    let mut after = shared.rows();
    assert_eq!(after.remove("d").as_ref(), Some(&added), "{steps:?}: the Item that was ingested, compacted");
    assert_eq!(after, truth, "{steps:?}: after a compaction");
    let ours = shared.ours(&columns);
    assert_eq!(ours.len(), truth.len() + 1, "{steps:?}");
    assert!(truth.iter().all(|(id, row)| ours[id] == *row), "{steps:?}: what we read, compacted");
    shared.is_whole(steps);
    shared
}

#[test]
fn columns_that_another_engine_adds_and_fills_stay_with_their_rows() {
    let shared = nothing_is_lost_after(&["add_and_fill"]);
    // They say nothing of the Item.
    assert!(shared.exported().values().all(|item| item["properties"].get("quality").is_none()));
    // They can be asked for, by the Item, too.
    let remark = "SELECT remark FROM items WHERE quality = 1 ORDER BY remark LIMIT 1";
    assert_eq!(shared.warehouse.value(remark), json!("about a"));
}

#[test]
fn a_column_keeps_its_values_and_its_property_under_another_name() {
    let shared = nothing_is_lost_after(&["rename"]);
    for (id, item) in shared.exported() {
        assert_eq!(item["properties"]["platform"], json!(format!("platform of {id}")));
        assert!(item["properties"].get("mission").is_none());
    }
    let pruned = "SELECT count(*) FROM items WHERE mission = 'platform of d'";
    assert_eq!(shared.warehouse.value(pruned), json!(1));
}

#[test]
fn columns_whose_names_are_swapped_keep_their_values() {
    let shared = nothing_is_lost_after(&["swap_names"]);
    let swapped = "SELECT scene_1_id FROM items WHERE id = 'b'";
    assert_eq!(shared.warehouse.value(swapped), json!("second b"));
    assert_eq!(shared.exported()["b"]["properties"]["scene_1_id"], json!("first b"));
}

#[test]
fn a_column_of_a_wider_type_is_read_from_files_with_the_narrow_one() {
    let shared = nothing_is_lost_after(&["widen"]);
    assert_eq!(shared.warehouse.value("SELECT count(*) FROM items WHERE percent_valid_pixels > 6"), json!(4));
    assert_eq!(shared.exported()["a"]["properties"]["percent_valid_pixels"], json!(7));
}

#[test]
fn no_item_loses_the_property_of_a_dropped_column_and_a_new_one_of_its_name_is_another() {
    for steps in [&["drop"][..], &["drop_and_add"]] {
        let shared = Shared::new();
        let before = shared.exported();
        assert!(before.values().any(|item| item["properties"].get("scene_2_id").is_some()));
        shared.engine(steps);
        assert_eq!(shared.exported(), before);
        shared.ingest("third", &[item("d", 10.4, "2021-01-01T00:00:00Z")]).ok();
        shared.command(&["compact", "--retain", "0s"]).ok();
        let rows = shared.rows();
        assert_eq!(rows.keys().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert!(rows.values().all(|row| !row.contains_key("scene_2_id")), "{rows:?}");
        let mut exported = shared.exported();
        let new = exported.remove("d").unwrap();
        assert!(new["properties"].get("scene_2_id").is_some(), "{new}");
        assert_eq!(exported, before);
    }
}

#[test]
fn a_property_that_gets_a_column_later_is_in_it_for_every_engine_after_a_compaction() {
    let shared = Shared::new();
    let before = shared.exported();
    let columns = |shared: &Shared| shared.command(&["column", "list", "--output", "json"]).ok();
    let listed = columns(&shared);
    let dry = shared.command(&["column", "remove", "scene_2_id", "--dry-run"]).ok();
    assert_eq!(dry.trim(), "removed  scene_2_id  scene_2_id  VARCHAR");
    assert_eq!(columns(&shared), listed);

    shared.command(&["column", "remove", "scene_2_id"]).ok();
    assert!(!columns(&shared).contains("scene_2_id") && listed.contains("scene_2_id"));
    assert_eq!(shared.exported(), before);
    shared.ingest("third", &[item("d", 10.4, "2021-01-01T00:00:00Z")]).ok();
    let before = shared.exported();
    assert_eq!(before["d"]["properties"]["scene_2_id"], json!("second d"));

    let added = shared.command(&["column", "add", "scene_2_id VARCHAR, no:where INT", "--output", "json"]).ok();
    let added: Value = serde_json::from_str(&added).unwrap();
    assert_eq!(added[1], json!({"change": "added", "property": "no:where", "column": "no_where", "type": "INT"}));
    let refused = shared.command(&["column", "add", "an:other INT, scene_2_id VARCHAR"]).fails(1);
    assert!(!columns(&shared).contains("an:other"));
    assert!(refused.contains("it has column scene_2_id already"), "{refused}");
    let found = |rows: BTreeMap<String, Row>| rows.into_iter().map(|(id, row)| (id, row.get("scene_2_id").cloned()));
    let all = ["a", "b", "c", "d"].map(|id| (id.to_owned(), Some(json!(format!("second {id}")))));
    let wanted = ["id", "updated", "scene_2_id"].map(str::to_owned);
    assert_eq!(found(shared.ours(&wanted)).collect::<Vec<_>>(), all);
    assert_eq!(shared.exported(), before);

    shared.command(&["compact", "--threshold", "1", "--retain", "0s"]).ok();
    assert_eq!(found(shared.rows()).collect::<Vec<_>>(), all);
    assert_eq!(shared.exported(), before);
    shared.is_whole(&["column"]);
}

#[test]
fn what_our_files_cannot_hold_is_refused_before_it_is_lost() {
    let shared = Shared::new();
    shared.engine(&["add_a_date"]);
    let truth = shared.rows();
    shared.ingest("third", &[item("d", 10.4, "2021-01-01T00:00:00Z")]).ok();
    let refused = shared.command(&["compact"]).fails(1);
    assert!(refused.contains("checked (date)") && refused.contains("drop"), "{refused}");
    let mut rows = shared.rows();
    rows.remove("d");
    assert_eq!(rows, truth);
    shared.engine(&["drop_checked"]);
    shared.command(&["compact", "--retain", "0s"]).ok();
    assert_eq!(shared.rows().len(), 4);

    shared.engine(&["add_a_sequence"]);
    let refused = shared.command(&["compact"]).fails(1);
    assert!(refused.contains("sequence (a name that earthcatalog uses)"), "{refused}");
    // A column of every Item is missing: nothing is as it should be, and nothing is done.
    shared.engine(&["rename_id"]);
    for arguments in [&["compact"][..], &["expire"], &["sql", "SELECT count(*) FROM items"]] {
        let refused = shared.command(arguments).fails(1);
        assert!(refused.contains("column id is missing"), "{refused}");
    }
}

#[test]
fn rows_of_another_partitioning_are_read_and_none_are_written() {
    let shared = Shared::new();
    shared.engine(&["by_month", "append"]);
    let count = |filter: &str| shared.warehouse.value(&format!("SELECT count(*) FROM items WHERE {filter}"));
    for filter in ["true", "datetime >= '2020-01-01' AND datetime < '2021-01-01'", "datetime IS NOT NULL", "xmin > 0"] {
        assert_eq!(count(filter), json!(4), "{filter}");
    }
    let cell = "grid_partition = (SELECT min(grid_partition) FROM item_cells WHERE id = 'appended')";
    let found = format!("SELECT count(*) FROM item_cells WHERE {cell} AND id = 'appended'");
    assert_eq!(shared.warehouse.value(&found), json!(1));
    let truth = shared.rows();
    shared.is_whole(&["by_month", "append"]);
    for refused in [
        shared.ingest("third", &[item("d", 10.4, "2021-01-01T00:00:00Z")]).fails(1),
        shared.command(&["compact"]).fails(1),
    ] {
        assert!(refused.contains("grid_partition, month") && refused.contains("changes it back"), "{refused}");
    }
    assert_eq!(shared.rows(), truth);
    // As it was before, all is well again, and what was written meanwhile stays.
    shared.engine(&["by_year"]);
    shared.ingest("third", &[item("d", 10.4, "2021-01-01T00:00:00Z")]).ok();
    shared.command(&["compact", "--retain", "0s"]).ok();
    let mut rows = shared.rows();
    assert!(rows.remove("d").is_some());
    assert_eq!(rows, truth);
    assert_eq!(count("datetime >= '2020-01-01' AND datetime < '2021-01-01'"), json!(5));
}

#[test]
fn rows_that_another_engine_adds_and_deletes_are_those_that_there_are() {
    nothing_is_lost_after(&["append"]);
    let shared = nothing_is_lost_after(&["delete"]);
    assert!(!shared.rows().contains_key("b"));
    nothing_is_lost_after(&["append", "roll_back"]);
    nothing_is_lost_after(&["tag_and_branch", "append"]);
}

/// Whether in files of ours, of a table that was partitioned otherwise for a while, or of a file that has only such rows.
#[test]
fn rows_that_another_engine_deletes_by_their_position_are_gone_until_a_compaction_and_after_it() {
    let shared = nothing_is_lost_after(&["delete_by_position"]);
    assert!(!shared.rows().contains_key("b"));
    let shared = nothing_is_lost_after(&["delete_by_position", "append", "add_and_fill"]);
    assert!(!shared.rows().contains_key("b"));

    let shared = Shared::new();
    shared.engine(&["by_month", "append", "append_another", "delete_by_position", "by_year"]);
    let left: Vec<String> = shared.rows().into_keys().collect();
    assert_eq!(left, ["a", "appended", "c"]);
    let ids = "SELECT string_agg(id, ' ' ORDER BY id) FROM items";
    assert_eq!(shared.warehouse.value(ids), json!("a appended c"));
    // Rows of Items that come again later are there.
    shared.ingest("fourth", &[item("b", 10.2, "2023-01-01T00:00:00Z")]).ok();
    assert_eq!(shared.warehouse.value(ids), json!("a appended b c"));
    let explained = shared.command(&["sql", "EXPLAIN SELECT id FROM item_cells", "--output", "csv"]).ok();
    assert!(explained.contains("BucketScanExec") && explained.contains("deleted_rows="), "{explained}");
    let info = shared.command(&["info"]).ok();
    assert!(info.contains("of another engine, whose rows are counted above until `earthcatalog compact`"), "{info}");
    let paths = shared.command(&["paths", "--geometry", "5,35,20,45"]);
    assert!(paths.stderr.contains("another engine has deleted rows"), "{}", paths.stderr);
    shared.command(&["compact"]).ok();
    assert_eq!(shared.rows().into_keys().collect::<Vec<_>>(), ["a", "appended", "b", "c"]);
    // The file of the month stays as it is, and so does what is deleted of it; every bucket is done.
    let explained = shared.command(&["sql", "EXPLAIN SELECT id FROM item_cells", "--output", "csv"]).ok();
    assert!(explained.contains("files=2, groups=") && explained.contains("deleted_rows=1"), "{explained}");
    let again: Value = serde_json::from_str(&shared.command(&["compact", "--output", "json"]).ok()).unwrap();
    assert_eq!(again["buckets_compacted"], json!(0), "{again}");
    assert_eq!(shared.rows().into_keys().collect::<Vec<_>>(), ["a", "appended", "b", "c"]);
}

/// A deletion leaves the rest as it was, whatever another engine has added; and that engine reads what is left.
#[test]
fn deleted_items_are_gone_for_every_engine_and_the_rest_is_as_it_was() {
    let condition = "id = 'a' OR scene_1_id = 'first d'";
    let shared = Shared::new();
    shared.engine(&["add_and_fill"]);
    let before = shared.rows();
    let flags = ["delete", "--where", condition, "--output", "json"];
    let dry: Value = serde_json::from_str(&shared.command(&[&flags[..], &["--dry-run"]].concat()).ok()).unwrap();
    assert_eq!((&dry["deleted"], shared.rows()), (&json!(1), before.clone()), "{dry}");
    let summary: Value = serde_json::from_str(&shared.command(&flags).ok()).unwrap();
    assert_eq!(summary["items"], json!(1), "{summary}");
    assert!(summary["rows_after"].as_u64() < summary["rows_before"].as_u64(), "{summary}");
    let mut left = before;
    left.remove("a").unwrap();
    let columns: std::collections::BTreeSet<String> = left.values().flat_map(|row| row.keys().cloned()).collect();
    let columns: Vec<_> = columns.into_iter().collect();
    assert_eq!((shared.rows(), shared.ours(&columns)), (left.clone(), left));
    let older = "SELECT count(*) FROM item_cells WHERE id = 'a'";
    assert_eq!(shared.warehouse.value(older), json!(0), "not an older version, either");

    let none: Value = serde_json::from_str(&shared.command(&flags).ok()).unwrap();
    assert_eq!((&none["items"], &none["snapshot"]), (&json!(0), &Value::Null));
    for (wrong, words) in [
        ("id = ", "$where is no condition"),
        ("true); SELECT (1", "$where is no condition"),
        ("nothing = 1", "nothing"),
        ("grid_partition = 'x'", "an Item has no column grid_partition"),
    ] {
        let error = shared.command(&["delete", "--where", wrong]).fails(1);
        assert!(error.contains(words), "{wrong}: {error}");
    }
    assert!(shared.command(&["delete"]).fails(2).contains("--where"));
}

#[test]
fn clean_ups_of_another_engine_leave_every_command_working() {
    let shared = nothing_is_lost_after(&["append", "expire", "remove_orphans"]);
    shared.engine(&["append", "expire", "remove_orphans"]);
    let again = self::item("e", 10.4, "2021-01-01T00:00:00Z");
    shared.ingest("fourth", &[again]).ok();
    shared.command(&["expire", "--retain", "0s"]).ok();
    shared.command(&["compact", "--retain", "0s"]).ok();
    assert_eq!(shared.warehouse.value("SELECT count(*) FROM items"), json!(6));
}

/// Objects that were ingested are not ingested again because another engine has committed. Once it has expired every snapshot
/// of ours, what was ingested is unknown: then they are, and no answer changes.
#[test]
fn the_record_of_ingested_objects_outlives_other_commits_and_heals_where_it_is_lost() {
    let shared = Shared::new();
    let objects = shared.folder.path().join("objects");
    fs::create_dir(&objects).unwrap();
    for id in ["x", "y"] {
        fs::write(objects.join(format!("{id}.json")), item(id, 50.0, "2021-01-01T00:00:00Z").to_string()).unwrap();
    }
    let incremental = || {
        let ran = shared.command(&["incremental", "--inventory", path(&objects), "--output", "json"]);
        serde_json::from_str::<Value>(&ran.ok()).unwrap()["items"].clone()
    };
    assert_eq!(incremental(), json!(2));
    shared.engine(&["append"]);
    shared.command(&["expire", "--retain", "0s"]).ok();
    assert_eq!(incremental(), json!(0), "after an append of another engine, and our expiry");
    shared.engine(&["remove_orphans"]);
    assert_eq!(incremental(), json!(0), "after the other engine's clean-up");

    let count = || shared.warehouse.value("SELECT count(*) FROM items");
    let before = (count(), shared.rows());
    shared.engine(&["append", "expire", "remove_orphans"]);
    assert_eq!(incremental(), json!(2), "after the other engine's expiry");
    assert_eq!((count(), shared.rows()), before);
    shared.command(&["compact", "--retain", "0s"]).ok();
    assert_eq!(incremental(), json!(0), "after a compaction");
    assert_eq!((count(), shared.rows()), before);
    let rows = "SELECT max(n) FROM (SELECT count(*) AS n FROM item_cells GROUP BY id, grid_partition)";
    assert_eq!(shared.warehouse.value(rows), json!(1));
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
