//! Some buckets of a table are written again, and no version of an Item but the newest is the newest then.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::compute::concat_batches;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::session::testing::Table;

/// A version of an Item; nothing but the commit tells it from others.
fn version(id: usize, place: usize, year: usize, platform: &str) -> Value {
    let x = [10.0, 100.0, -60.0][place];
    json!({"type": "Feature", "stac_version": "1.0.0", "id": format!("i{id}"), "links": [], "assets": {},
        "geometry": {"type": "Point", "coordinates": [x, 50.0]},
        "properties": {"datetime": format!("{}-05-01T00:00:00Z", 2019 + year), "platform": platform}})
}

async fn newest(table: &Table) -> BTreeMap<String, String> {
    let session = table.reading().await;
    let rows = session.sql("SELECT id, platform FROM items").await.unwrap().collect().await.unwrap();
    let Some(first) = rows.first() else { return BTreeMap::new() };
    let rows = concat_batches(&first.schema(), &rows).unwrap();
    let [ids, platforms] = [0, 1].map(|i| rows.column(i).as_string_view());
    let found: Vec<_> = ids.iter().zip(platforms).map(|(i, p)| (i.unwrap().into(), p.unwrap().into())).collect();
    let items: BTreeMap<String, String> = found.iter().cloned().collect();
    assert_eq!(items.len(), found.len(), "each Item once: {found:?}");
    items
}

#[derive(Debug, Clone)]
enum Step {
    /// Items, each with its place and year.
    Deliver(BTreeMap<usize, (usize, usize)>),
    Delete(usize),
    /// Of buckets that a part of a query says.
    Compact(String),
}

fn step() -> impl Strategy<Value = Step> {
    let items = prop::collection::btree_map(0..6_usize, (0..3_usize, 0..2_usize), 1..4);
    let compact = |from: String| Step::Compact(from);
    prop_oneof![
        5 => items.prop_map(Step::Deliver),
        1 => (0..6_usize).prop_map(Step::Delete),
        1 => (1..3, 2019..2021).prop_map(move |(n, year)| compact(format!("buckets(items, {n}) WHERE year = {year}"))),
        1 => (1..5).prop_map(move |n| compact(format!("buckets(items, {n})"))),
    ]
}

#[tokio::test]
async fn an_older_version_never_becomes_the_newest() {
    let mut runner = TestRunner::deterministic();
    for history in 0..4 {
        let mut table = Table::new("platform VARCHAR").await;
        let mut model: BTreeMap<String, String> = BTreeMap::new();
        for number in 0..25 {
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
                Step::Compact(buckets) => table.compact_from(buckets).await,
            }
            assert_eq!(newest(&table).await, model, "history {history}, step {number}: {step:?}");
        }
    }
}
