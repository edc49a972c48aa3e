//! Some buckets of a table are written again: no version of an Item but the newest is the newest then, and no Item has
//! changed.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use datafusion::prelude::SessionContext;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::session::testing::Table;

/// A version of an Item; nothing but the commit tells it from others.
fn version(id: usize, place: usize, year: usize, platform: &str) -> Value {
    // The last one is in several cells, among them that of the first.
    let geometry = match [10.0, 100.0, -60.0].get(place) {
        Some(x) => json!({"type": "Point", "coordinates": [x, 50.0]}),
        None => json!({"type": "LineString", "coordinates": [[10.0, 50.0], [60.0, 50.0]]}),
    };
    json!({"type": "Feature", "stac_version": "1.0.0", "id": format!("i{id}"), "links": [], "assets": {},
        "geometry": geometry,
        "properties": {"datetime": format!("{}-05-01T00:00:00Z", 2019 + year), "platform": platform}})
}

/// By id.
type Platforms = BTreeMap<String, String>;

/// The second column of a question by the first, each value of which is there once.
async fn by_id(session: &SessionContext, sql: &str) -> Platforms {
    let rows = session.sql(sql).await.unwrap().collect().await.unwrap();
    let Some(first) = rows.first() else { return BTreeMap::new() };
    let rows = concat_batches(&first.schema(), &rows).unwrap();
    let [ids, texts] = [0, 1].map(|i| cast(rows.column(i), &DataType::Utf8).unwrap());
    let (ids, texts) = (ids.as_string::<i32>(), texts.as_string::<i32>());
    let found: Vec<_> = ids.iter().zip(texts).map(|(i, p)| (i.unwrap().into(), p.unwrap().into())).collect();
    let items: Platforms = found.iter().cloned().collect();
    assert_eq!(items.len(), found.len(), "each Item once: {found:?}");
    items
}

/// What `changes(items, from, to)` is to say.
fn changes(from: &Platforms, to: &Platforms) -> Platforms {
    let mut changes = BTreeMap::new();
    for id in from.keys().chain(to.keys()) {
        let change = match (from.get(id), to.get(id)) {
            (None, Some(there)) => format!("added {there}"),
            (Some(here), None) => format!("removed {here}"),
            (Some(here), Some(there)) if here != there => format!("changed {there}"),
            _ => continue,
        };
        changes.insert(id.clone(), change);
    }
    changes
}

#[derive(Debug, Clone)]
enum Step {
    /// Items, each with its place and year.
    Deliver(BTreeMap<usize, (usize, usize)>),
    Delete(usize),
    Update(usize),
    /// Of buckets that a part of a query says.
    Compact(String),
}

fn step() -> impl Strategy<Value = Step> {
    let items = prop::collection::btree_map(0..6_usize, (0..4_usize, 0..2_usize), 1..4);
    let compact = |from: String| Step::Compact(from);
    prop_oneof![
        5 => items.prop_map(Step::Deliver),
        1 => (0..6_usize).prop_map(Step::Delete),
        1 => (0..6_usize).prop_map(Step::Update),
        1 => (1..3, 2019..2021).prop_map(move |(n, year)| compact(format!("buckets(items, {n}) WHERE year = {year}"))),
        1 => (1..5).prop_map(move |n| compact(format!("buckets(items, {n})"))),
    ]
}

#[tokio::test]
async fn an_older_version_never_becomes_the_newest_and_what_has_changed_since_any_state_is_known() {
    let mut runner = TestRunner::deterministic();
    for history in 0..3 {
        let mut table = Table::new("platform VARCHAR").await;
        // The states by the snapshot that made them, the oldest first.
        let mut states: Vec<(String, Platforms)> = vec![("NULL".to_owned(), BTreeMap::new())];
        for number in 0..25 {
            let (_, mut model) = states.last().unwrap().clone();
            let step = step().new_tree(&mut runner).unwrap().current();
            match &step {
                Step::Deliver(items) => {
                    let platform = format!("v{number}");
                    let of = |(id, (place, year)): (&usize, &(usize, usize))| version(*id, *place, *year, &platform);
                    table.ingest(&items.iter().map(of).collect::<Vec<_>>()).await;
                    model.extend(items.keys().map(|id| (format!("i{id}"), platform.clone())));
                }
                Step::Delete(id) => {
                    let delete = format!("DELETE FROM items WHERE id = 'i{id}'");
                    table.writing().sql(&delete).await.unwrap().collect().await.unwrap();
                    model.remove(&format!("i{id}"));
                }
                Step::Update(id) => {
                    let update = format!("UPDATE items SET platform = 'u{number}' WHERE id = 'i{id}'");
                    table.writing().sql(&update).await.unwrap().collect().await.unwrap();
                    model.get_mut(&format!("i{id}")).into_iter().for_each(|platform| *platform = format!("u{number}"));
                }
                Step::Compact(buckets) => table.compact_from(buckets).await,
            }
            let session = table.reading().await;
            let said = format!("history {history}, step {number}: {step:?}");
            assert_eq!(by_id(&session, "SELECT id, platform FROM items").await, model, "{said}");
            let newest = "SELECT name, snapshot_id FROM \"items$refs\" WHERE name = 'main'";
            if let Some(snapshot) = by_id(&session, newest).await.remove("main") {
                states.push((snapshot, model));
            }
            let (to, there) = states.last().unwrap();
            for (back, forth) in [(1, true), (6, true), (6, false), (states.len() - 1, true)] {
                let Some((from, here)) = states.iter().rev().nth(back) else { continue };
                let (from, here, to, there) = if forth { (from, here, to, there) } else { (to, there, from, here) };
                if to != "NULL" {
                    let expected = changes(here, there);
                    let sql = format!("SELECT id, change || ' ' || platform FROM changes(items, {from}, {to})");
                    assert_eq!(by_id(&session, &sql).await, expected, "{said}, {back} states back: {sql}");
                }
            }
        }
    }
}
