//! Names for states of a table, and ways back to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, Warehouse, earthcatalog};
use crate::python;

/// A warehouse, and the objects that it is made from.
struct History {
    warehouse: Warehouse,
    folder: TempDir,
}

impl History {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self { warehouse: Warehouse::below(folder.path()), folder }
    }

    /// An inventory of objects with an Item each.
    fn inventory(&self, name: &str, ids: &[String]) -> PathBuf {
        let mut inventory = "bucket,key,last_modified_date,e_tag\n".to_owned();
        for id in ids {
            let item = json!({
                "type": "Feature", "stac_version": "1.0.0", "id": id, "links": [], "assets": {},
                "geometry": { "type": "Point", "coordinates": [10.0, 80.0] },
                "properties": { "datetime": "2020-07-01T00:00:00Z" },
            });
            fs::write(self.folder.path().join(format!("{id}.json")), item.to_string()).unwrap();
            inventory += &format!(",{id}.json,2025-09-01T00:00:00Z,{id}\n");
        }
        let path = self.folder.path().join(format!("{name}.csv"));
        fs::write(&path, inventory).unwrap();
        path
    }

    fn run(&self, words: &[&str]) -> Ran {
        let catalog = self.warehouse.catalog.to_str().unwrap();
        earthcatalog(words.iter().copied().chain(["--catalog", catalog]))
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[words, &["--output", "json"]].concat()).ok()).unwrap()
    }

    fn incremental(&self, inventory: &Path) -> Value {
        let files = self.warehouse.files.to_str().unwrap();
        self.json(&["incremental", "--inventory", inventory.to_str().unwrap(), "--warehouse", files])
    }

    fn ids(&self, table: &str) -> BTreeSet<String> {
        let rows = self.warehouse.rows(&format!("SELECT id FROM {table}"));
        let found: Vec<String> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        let ids: BTreeSet<String> = found.iter().cloned().collect();
        assert_eq!(ids.len(), found.len(), "each Item once");
        ids
    }

    fn snapshot(&self) -> i64 {
        self.warehouse.value("SELECT snapshot_id FROM \"items$table\"").as_i64().unwrap()
    }

    fn snapshots(&self) -> BTreeSet<i64> {
        let rows = self.warehouse.rows("SELECT snapshot_id FROM \"items$snapshots\"");
        rows.iter().map(|row| row["snapshot_id"].as_i64().unwrap()).collect()
    }
}

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    named(names).into_iter().collect()
}

#[test]
fn items_get_other_values_in_a_dry_run_and_then_in_one_snapshot() {
    let history = History::new();
    history.incremental(&history.inventory("monday", &["a", "b", "c"].map(str::to_owned)));
    let set = "platform = 'L8', properties = json_set(properties, 'eo:cloud_cover', 12.5)";
    let update = ["update", "--set", set, "--where", "id <> 'a'"];
    let before = history.warehouse.listing();
    let would = history.json(&[&update[..], &["--dry-run"]].concat());
    assert_eq!((&would["updated"], &would["buckets"]["buckets"]), (&2.into(), &1.into()), "{would}");
    assert_eq!(history.warehouse.listing(), before);
    let text = history.run(&update).ok();
    assert!(text.contains("Items       2 updated"), "{text}");
    let rows = history.warehouse.rows(
        "SELECT id, platform, stac_item(*) -> 'properties' ->> 'eo:cloud_cover' AS clouds FROM items ORDER BY id",
    );
    let expected = [
        json!({"id": "a", "platform": null, "clouds": null}),
        json!({"id": "b", "platform": "L8", "clouds": "12.5"}),
        json!({"id": "c", "platform": "L8", "clouds": "12.5"}),
    ];
    assert_eq!(rows, expected);
    assert_eq!(history.warehouse.value("SELECT updated FROM runs WHERE kind = 'update'"), 2);
    for (set, words) in [
        ("geometry = NULL", "column geometry cannot be set"),
        ("platform", "is no list of columns with values"),
        ("platform = 'a'; DROP TABLE items", "after it comes ;"),
        ("platfrom = 'a'", "platfrom"),
        ("properties = 'x'", "is no JSON object"),
    ] {
        let error = history.run(&["update", "--set", set, "--where", "true"]).fails(1);
        assert!(error.contains(words), "{set}: {error}");
    }
    let asked = history.warehouse.sql("UPDATE items SET platform = 'x'").fails(1);
    assert!(asked.contains("`earthcatalog update` gives Items other values"), "{asked}");
    assert_eq!(history.warehouse.rows("SELECT id, platform FROM items WHERE platform = 'L8'").len(), 2);
}

#[test]
fn a_bad_day_is_taken_back_and_ingested_again() {
    let history = History::new();
    // Given two days, of which the first has a name,
    let one = history.inventory("one", &named(&["a", "b"]));
    history.incremental(&one);
    let first = history.snapshot();
    let added = history.json(&["tag", "add", "day one"]);
    assert_eq!(added, json!({ "tag": "day one", "done": "added", "snapshot": first }));
    let two = history.inventory("two", &named(&["a", "b", "c"]));
    assert_eq!(history.incremental(&two)["items"], 1);
    let second = history.snapshot();

    // when the second is taken back,
    let dry = history.json(&["rollback", "--to", "day one", "--dry-run"]);
    assert_eq!((&dry["from"]["snapshot"], &dry["to"]["snapshot"]), (&second.into(), &first.into()));
    assert_eq!(history.ids("items"), set(&["a", "b", "c"]), "a dry run changes nothing");
    let done = history.run(&["rollback", "--to", "day one"]).ok();
    assert!(done.contains(&format!("undo        earthcatalog rollback --to {second}")), "{done}");
    let again = history.run(&["rollback", "--to", "day one"]).ok();
    assert_eq!(again.trim(), "nothing to do: the table is in that state");

    // then the table is as it was, for PyIceberg too,
    assert_eq!(history.ids("items"), set(&["a", "b"]));
    assert_eq!(history.ids("items_at('day one')"), set(&["a", "b"]));
    let (catalog, files) = (history.warehouse.catalog.as_os_str(), history.warehouse.files.as_os_str());
    let seen = python::run("expired_pyiceberg.py", [catalog, files]);
    assert_eq!(seen.trim(), "2 rows, 2 snapshots, 3 in history, 4 older metadata files");
    let refs = history.warehouse.rows("SELECT name, type, snapshot_id FROM \"items$refs\" ORDER BY name");
    let of = |name: &str, kind: &str| json!({ "name": name, "type": kind, "snapshot_id": first });
    assert_eq!(refs, [of("day one", "TAG"), of("main", "BRANCH")]);
    let line = history.warehouse.rows("SELECT snapshot_id, is_current_ancestor AS here FROM \"items$history\"");
    let entry = |snapshot: i64, here: bool| json!({ "snapshot_id": snapshot, "here": here });
    assert_eq!(line, [entry(first, true), entry(second, false), entry(first, true)]);

    // and what the second day had is new again, and nothing else.
    let report = history.incremental(&two);
    assert_eq!((&report["items"], &report["skipped"]), (&1.into(), &json!({ "ingested": 2 })), "{report}");
    assert_eq!(history.ids("items"), set(&["a", "b", "c"]));
    assert_eq!(history.incremental(&two)["items"], 0);

    // A name keeps its state from expiring, until it goes.
    history.run(&["expire", "--retain", "0s"]).ok();
    assert_eq!(history.ids("items_at('day one')"), set(&["a", "b"]));
    assert!(!history.snapshots().contains(&second));
    let gone = history.run(&["rollback", "--to", &second.to_string()]).fails(1);
    assert!(gone.contains(&format!("no snapshot {second}, or no longer; nearest are")), "{gone}");
    history.run(&["tag", "remove", "day one"]).ok();
    history.run(&["expire", "--retain", "0s"]).ok();
    assert_eq!(history.snapshots().len(), 1);
    assert_eq!(history.ids("items"), set(&["a", "b", "c"]));
    let unknown = history.warehouse.sql("SELECT * FROM items_at('day one')").fails(1);
    assert!(unknown.contains("no tag or branch 'day one', or no longer; give a tag"), "{unknown}");
}

#[test]
fn a_script_names_states_and_goes_back_to_them() {
    let history = History::new();
    history.incremental(&history.inventory("one", &named(&["a"])));
    let first = history.snapshot();
    history.incremental(&history.inventory("two", &named(&["a", "b"])));
    let script = history.folder.path().join("names.sql");
    let text = "-- Names.
--
-- $catalog   VARCHAR              -- the catalog
-- $warehouse VARCHAR DEFAULT NULL -- its folder
CREATE EXTERNAL TABLE items STORED AS ICEBERG LOCATION $warehouse OPTIONS ('catalog' $catalog);
CALL create_tag(items, 'first', at => (SELECT min(snapshot_id) FROM \"items$snapshots\"));
CALL create_branch(items, name => 'work');
CALL rollback(items, 'first');
CALL drop_branch(items, 'work');";
    // A snapshot is a value, not a question: it is given as one.
    fs::write(&script, text).unwrap();
    let refused = history.run(&["run", script.to_str().unwrap()]).fails(1);
    assert!(refused.contains("create_tag"), "{refused}");
    fs::write(&script, text.replace("(SELECT min(snapshot_id) FROM \"items$snapshots\")", &first.to_string())).unwrap();
    let dry = history.run(&["run", script.to_str().unwrap(), "--dry-run"]).fails(1);
    assert!(
        dry.contains("no tag or branch 'first'"),
        "a dry run makes no tag, and so there is none to go back to: {dry}"
    );
    history.run(&["run", script.to_str().unwrap()]).ok();
    assert_eq!(history.ids("items"), set(&["a"]));
    let listed = history.json(&["tag", "list"]);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "main"]);
    let text = history.run(&["tag", "list"]).ok();
    assert!(text.starts_with("name        kind    committed") && text.contains("\nfirst       tag     "), "{text}");
    // A state is named by a snapshot, a time or another name, here as in a rollback.
    let second = *history.snapshots().iter().find(|id| **id != first).unwrap();
    for (of, snapshot) in [(second.to_string().as_str(), second), ("2999", first), ("first", first)] {
        let added = history.json(&["tag", "add", "named", "--of", of]);
        assert_eq!(added, json!({ "tag": "named", "done": "added", "snapshot": snapshot }), "{of}");
        let removed = history.json(&["tag", "remove", "named"]);
        assert_eq!(removed, json!({ "tag": "named", "done": "removed", "snapshot": snapshot }), "{of}");
    }
    let now = history.run(&["rollback", "--to", "2999-01-01"]).ok();
    assert_eq!(now.trim(), "nothing to do: the table is in that state");
}

/// Random steps against a model: what each snapshot had, and what each name names.
#[test]
fn who_follows_a_table_is_told_what_has_changed() {
    let history = History::new();
    let changes = |flags: &[&str]| -> Vec<String> {
        let lines = history.run(&[&["changes", "--output", "ndjson"], flags].concat()).ok();
        let change = |line: &str| {
            let change: Value = serde_json::from_str(line).unwrap();
            format!("{} {}", change["change"].as_str().unwrap(), change["id"].as_str().unwrap())
        };
        lines.lines().map(change).collect()
    };
    let monday = history.inventory("monday", &named(&["a", "b"]));
    history.incremental(&monday);
    assert_eq!(changes(&[]), ["added a", "added b"], "there was nothing before");
    history.run(&["tag", "add", "monday"]).ok();
    history.run(&["delete", "--where", "id = 'a'"]).ok();
    history.incremental(&history.inventory("tuesday", &named(&["b", "c"])));
    // Items that come again as they were have not changed; and a compaction changes nothing.
    history.run(&["ingest", "--inventory", monday.to_str().unwrap(), "--limit", "1"]).ok();
    let all = ["added c"];
    assert_eq!(changes(&["--since", "monday"]), all, "a was there, and is there again");
    history.run(&["delete", "--where", "id = 'a'"]).ok();
    history.run(&["compact", "--threshold", "1"]).ok();
    assert_eq!(changes(&[]), ["removed a"]);
    assert_eq!(changes(&["--since", "monday"]), ["removed a", "added c"]);
    assert_eq!(changes(&["--since", "main", "--to", "monday"]), ["added a", "removed c"]);
    assert_eq!(changes(&["--since", "monday", "--to", "monday"]), Vec::<String>::new());
    let text = history.run(&["changes", "--since", "monday"]).ok();
    assert!(text.contains("| removed |") && text.ends_with("2 rows\n"), "{text}");

    // As the other tables from functions, it takes the table `items` of a question.
    let objects = history.warehouse.rows("SELECT DISTINCT object FROM ingested(items)");
    assert_eq!(objects.len(), 3, "{objects:?}");
    assert_eq!(history.warehouse.value("SELECT count(*) FROM buckets(items, 1)"), 2);
    let sql = "SELECT change, stac_item(*) AS item FROM changes(items, 'monday') WHERE id = 'c'";
    let rows = history.warehouse.rows(sql);
    let item: Value = serde_json::from_str(rows[0]["item"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&rows[0]["change"], &item["id"], item["properties"].get("change")),
        (&json!("added"), &json!("c"), None)
    );

    for (flags, words) in [
        (["--since", "yesterday"], "no tag or branch 'yesterday', or no longer"),
        (["--to", "1999"], "no snapshot as of 1999-12-31T23:59:59.999999Z, or no longer"),
    ] {
        let error = history.run(&[&["changes"][..], &flags[..]].concat()).fails(1);
        assert!(error.contains(words), "{error}");
    }
    for (call, words) in [
        ("changes(items)", "changes takes a table and a state, or two"),
        ("changes(runs, 'last')", "changes: table runs is no warehouse"),
        ("changes(items, id)", "changes: id is neither a snapshot, nor a time, nor the name of a tag"),
    ] {
        let error = history.warehouse.sql(&format!("SELECT * FROM {call}")).fails(1);
        assert!(error.contains(words), "{call}: {error}");
    }
}

#[test]
fn random_steps_back_and_forth_leave_what_a_model_says() {
    let history = History::new();
    let seed = 17;
    let mut random = StdRng::seed_from_u64(seed);
    let mut states: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    let mut tags: BTreeMap<String, i64> = BTreeMap::new();
    let (mut now, mut known) = (BTreeSet::new(), 0);
    for step in 0..28 {
        let choice = if step == 0 { 0 } else { random.random_range(0..9) };
        let what = match choice {
            0..3 => {
                let ids: Vec<String> = (known..known + random.random_range(1..4)).map(|n| format!("i{n}")).collect();
                known += ids.len();
                // Some of them were there before.
                let again = now.iter().take(random.random_range(0..2)).cloned();
                let all: Vec<String> = ids.into_iter().chain(again).collect();
                history.warehouse.ingest(&history.inventory("new", &all), &[]).ok();
                now.extend(all);
                "ingest"
            }
            3 => {
                let Some(id) = now.iter().nth(random.random_range(0..now.len().max(1))).cloned() else { continue };
                history.run(&["delete", "--where", &format!("id = '{id}'")]).ok();
                now.remove(&id);
                "delete"
            }
            4 => {
                history.warehouse.compact(&["--retain", "1h"]).ok();
                "compact"
            }
            5 => {
                let name = format!("t{step}");
                history.run(&["tag", "add", &name]).ok();
                tags.insert(name, history.snapshot());
                "tag"
            }
            6 => {
                history.run(&["expire", "--retain", "0s"]).ok();
                let retained = history.snapshots();
                assert!(tags.values().all(|snapshot| retained.contains(snapshot)), "a name keeps its snapshot");
                states.retain(|snapshot, _| retained.contains(snapshot));
                "expire"
            }
            7 if !tags.is_empty() => {
                let (name, snapshot) = tags.iter().nth(random.random_range(0..tags.len())).unwrap();
                history.run(&["rollback", "--to", name]).ok();
                now = states[snapshot].clone();
                "rollback to a tag"
            }
            _ => {
                let to = *states.keys().nth(random.random_range(0..states.len())).unwrap();
                history.run(&["rollback", "--to", &to.to_string()]).ok();
                now = states[&to].clone();
                "rollback"
            }
        };
        let snapshot = history.snapshot();
        states.insert(snapshot, now.clone());
        let at = format!("seed {seed}, step {step}, {what}");
        assert_eq!(history.ids("items"), now, "{at}");
        assert_eq!(history.warehouse.value("SELECT count(*) FROM items"), now.len(), "{at}");
        if let Some((name, snapshot)) = tags.iter().next_back() {
            assert_eq!(history.ids(&format!("items_at('{name}')")), states[snapshot], "{at}");
        }
    }
}
