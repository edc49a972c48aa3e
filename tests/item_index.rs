//! `earthcatalog index`: a question about an id opens few files, and finds what it found without.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Warehouse, command, run};

fn item(i: usize, version: usize) -> Value {
    // Every tenth Item moves with its next version.
    let x = (i * 37 % 340) as f64 - 170.0 + if i.is_multiple_of(10) { version as f64 * 20.0 } else { 0.0 };
    let y = (i * 53 % 150) as f64 - 75.0;
    let ring = json!([[x, y], [x + 8.0, y], [x + 8.0, y + 8.0], [x, y + 8.0], [x, y]]);
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": format!("item {i:04} ü"), "collection": "c",
        "geometry": {"type": "Polygon", "coordinates": [ring]}, "bbox": [x, y, x + 8.0, y + 8.0],
        "properties": {"datetime": format!("20{:02}-05-01T00:00:00Z", i % 7), "updated": format!("2021-01-{version:02}T00:00:00Z"),
            "platform": format!("v{version}")},
        "links": [], "assets": {},
    })
}

struct Indexed {
    folder: TempDir,
    warehouse: Warehouse,
}

impl Indexed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::below(folder.path());
        Self { warehouse, folder }
    }

    fn deliver(&self, items: impl Iterator<Item = usize>, version: usize) {
        let file = self.folder.path().join("items.ndjson");
        fs::write(&file, items.map(|i| format!("{}\n", item(i, version))).collect::<String>()).unwrap();
        self.warehouse.ingested(&file, &[]);
    }

    fn index(&self) -> Value {
        let mut index = command();
        let report = run(index.args(["index", "--output", "json"]).args(self.warehouse.flags())).ok();
        serde_json::from_str(&report).unwrap()
    }

    /// Files that a question opens, of how many.
    fn opened(&self, condition: &str) -> (u64, u64) {
        let mut sql = command();
        let question = format!("SELECT id FROM item_cells WHERE {condition}");
        let ran = run(sql.args(["sql", "--stats", "--output", "ndjson", &question]).args(self.warehouse.flags()));
        let line = ran.stderr.lines().find(|line| line.starts_with("scan: files")).unwrap_or_else(|| panic!("{ran:?}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.replace(',', "").parse().unwrap();
        (number(words[2]), number(words[4]))
    }

    /// The version of each Item that there is, asked for one by one and in lists.
    fn check(&self, expected: impl Fn(usize) -> Option<usize>) {
        let platform = |i: usize| expected(i).map(|version| format!("v{version}"));
        for i in [0, 7, 10, 33, 130, 250, 299, 301, 360, 999] {
            for table in ["items", "item_cells"] {
                let sql = format!("SELECT DISTINCT platform FROM {table} WHERE id = 'item {i:04} ü'");
                let rows = self.warehouse.rows(&sql);
                let newest = rows.iter().filter_map(|row| row["platform"].as_str()).max().map(str::to_owned);
                assert_eq!(newest, platform(i), "{i} in {table}");
            }
        }
        let list: Vec<String> = (0..400).step_by(3).map(|i| format!("'item {i:04} ü'")).collect();
        let sql = format!("SELECT id, platform FROM items WHERE id IN ({}) ORDER BY id", list.join(", "));
        let found: Vec<_> =
            self.warehouse.rows(&sql).iter().map(|row| row["platform"].as_str().unwrap().to_owned()).collect();
        let expected: Vec<_> = (0..400).step_by(3).filter_map(platform).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_question_about_an_id_opens_its_files_and_finds_its_newest_version() {
    let indexed = Indexed::new();
    indexed.deliver(0..300, 1);
    let one = "id = 'item 0033 ü'";
    let (before, all) = indexed.opened(one);
    assert!(before > 10 && all > 200, "{before} of {all}");
    let report = indexed.index();
    assert!(report["entries"].as_u64().unwrap() >= 300, "{report}");
    let opened = |condition: &str| indexed.opened(condition).0;
    assert!((1..10).contains(&opened(one)), "{}", opened(one));
    assert!(opened("id IN ('item 0033 ü', 'item 0034 ü', 'nothing')") < 20);
    assert_eq!(indexed.index()["index"], Value::Null, "there is nothing new");
    indexed.check(|i| (i < 300).then_some(1));

    // New Items and new versions are found, in files that came since.
    indexed.deliver(250..350, 2);
    indexed.check(|i| if (250..350).contains(&i) { Some(2) } else { (i < 300).then_some(1) });
    let files_since = 1 + indexed.opened("true").1 - all;
    assert!(opened(one) <= 10 + files_since);
    // A compaction of what is not all indexed: its files are new.
    indexed.warehouse.compacted(&[]);
    indexed.check(|i| if (250..350).contains(&i) { Some(2) } else { (i < 300).then_some(1) });
    indexed.index();
    assert!(opened(one) < 10);
    // One of what is all indexed: the index holds.
    indexed.warehouse.compacted(&["--threshold", "1"]);
    assert!(opened(one) < 10);
    indexed.check(|i| if (250..350).contains(&i) { Some(2) } else { (i < 300).then_some(1) });
}

#[test]
fn an_index_that_is_gone_or_of_another_line_of_snapshots_is_not_used() {
    let indexed = Indexed::new();
    indexed.deliver(0..200, 1);
    let first = indexed.warehouse.value("SELECT max(snapshot_id) FROM \"items$snapshots\"");
    indexed.deliver(0..200, 2);
    let report = indexed.index();
    // As of before, the index says nothing.
    let sql = format!("SELECT platform FROM items_at({first}) WHERE id = 'item 0010 ü'");
    assert_eq!(indexed.warehouse.value(&sql), json!("v1"));
    let path = report["index"].as_str().unwrap().trim_start_matches("file://").to_owned();
    // The clean-up keeps what is named.
    let mut expire = command();
    run(expire.args(["expire", "--retain", "0s"]).args(indexed.warehouse.flags())).ok();
    assert!(fs::metadata(&path).is_ok());
    indexed.check(|i| (i < 200).then_some(2));
    fs::write(&path, "no index").unwrap();
    let sql = "SELECT id FROM items WHERE id = 'item 0010 ü'";
    let said = indexed.warehouse.sql(sql).fails(1);
    assert!(said.contains(&path) && said.contains("earthcatalog index"), "{said}");
    fs::remove_file(&path).unwrap();
    indexed.check(|i| (i < 200).then_some(2));
}
