//! Parts of an answer, one behind the other, are the answer.

use std::sync::Arc;

use datafusion::common::TableReference;
use datafusion::prelude::SessionContext;
use serde_json::{Value, json};

use super::table::Table;
use crate::query::ItemsTable;
use crate::search::{Page, Position, Search};
use crate::table::Warehouse;

/// Items with equal values, nulls, and values of several types.
fn items() -> Vec<Value> {
    (0..23_usize)
        .map(|i| {
            let datetime = [json!("2020-01-01T00:00:00Z"), json!("2020-01-01T00:00:00.000001Z"), json!(null)];
            let cloud = [json!(0.1), json!(-0.0), json!(7), json!("cloudy"), json!(null)];
            let gsd = [json!(1), json!(10.5), json!(null), json!("ten")];
            let platform = [json!("S1"), json!("S2"), json!(null)];
            let properties = json!({
                "datetime": datetime[i % 3], "start_datetime": "2020-01-01T00:00:00Z",
                "end_datetime": "2020-01-02T00:00:00Z", "eo:cloud_cover": cloud[i % 5], "gsd": gsd[i % 4],
                "flag": i % 2 == 0, "platform": platform[i / 2 % 3],
            });
            let collection = [json!("one"), json!(null)][i % 7 / 5].clone();
            let geometry = json!({"type": "Point", "coordinates": [i * 15, i]});
            json!({"type": "Feature", "stac_version": "1.0.0", "id": format!("i{}", i % 12), "links": [], "assets": {},
                "collection": if i < 12 { collection } else { json!("two") }, "geometry": geometry,
                "properties": properties})
        })
        .collect()
}

struct Paging<'a> {
    session: &'a SessionContext,
    items: Arc<ItemsTable>,
    search: Search,
}

impl Paging<'_> {
    /// The Items behind a position, `limit` at most, and where the last one is, as a token has it.
    async fn part(&self, after: Option<&Value>, limit: usize) -> (Vec<String>, Option<Value>) {
        let schema = datafusion::catalog::TableProvider::schema(self.items.as_ref());
        let after = after.map(|json| Position::from_json(json, &self.search, &schema).unwrap());
        let search = Search { limit: Some(limit), ..self.search.clone() };
        let table = TableReference::bare("items");
        let page = Page::new(&table, Arc::clone(&self.items) as _, &search, after.as_ref(), None).unwrap();
        let batches = self.session.execute_logical_plan(page.plan.clone()).await.unwrap().collect().await.unwrap();
        let (mut keys, mut last) = (vec![], None);
        for batch in batches {
            for row in 0..batch.num_rows() {
                keys.push(page.key(&batch, row).unwrap().to_string());
                last = Some(page.position(&batch, row).unwrap().to_json());
            }
        }
        (keys, last)
    }
}

#[tokio::test]
async fn each_item_comes_once_in_the_order_of_one_answer_while_others_are_committed() {
    let mut table = Table::new("platform VARCHAR, gsd DOUBLE, flag BOOLEAN").await;
    table.ingest(&items()).await;
    let session = table.reading().await;
    for (n, sortby) in [
        json!([]),
        json!("-datetime"),
        json!("eo:cloud_cover,-platform"),
        json!("-gsd,-flag"),
        json!("nothing,-collection,-id"),
    ]
    .into_iter()
    .enumerate()
    {
        let warehouse = Warehouse::open(&table.catalog()).await.unwrap();
        let state = warehouse.load().await.unwrap();
        let pinned = Arc::new(ItemsTable::new(warehouse).in_state(state, None));
        let search = serde_json::from_value(json!({"sortby": sortby})).unwrap();
        let paging = Paging { session: &session, items: pinned, search };
        let (all, _) = paging.part(None, 1_000).await;
        let (mut parts, mut after) = (vec![], None);
        loop {
            let (part, last) = paging.part(after.as_ref(), 5).await;
            parts.extend(part);
            if last.is_none() {
                break;
            }
            after = last;
            if parts.len() == 5 {
                table.ingest(&[new_item(n), items().remove(0)]).await;
            }
        }
        assert_eq!(parts, all, "{sortby}");
        assert_eq!(all.len(), 23 + n, "{sortby}");
    }
}

/// An Item that was not there before.
fn new_item(n: usize) -> Value {
    let mut item = items().remove(n);
    item["id"] = json!(format!("new {n}"));
    item
}

#[tokio::test]
async fn what_is_no_position_of_the_order_is_none() {
    let table = Table::new("platform VARCHAR").await;
    let warehouse = Warehouse::open(&table.catalog()).await.unwrap();
    let schema = warehouse.items().item_schema();
    let search: Search = serde_json::from_value(json!({"sortby": "-datetime,gsd"})).unwrap();
    let read = |json: &Value| Position::from_json(json, &search, schema);
    // Time, number and text, collection, id.
    let good = json!([1_577_836_800_000_000_i64, null, "x", "c", "i"]);
    assert_eq!(read(&good).unwrap().to_json(), good);
    for bad in [
        json!(null),
        json!([]),
        json!([1, null, "x", "c"]),
        json!(["2020", null, "x", "c", "i"]),
        json!([1.5, null, "x", "c", "i"]),
        json!([1, -1, "x", "c", "i"]),
        json!([1, null, "x", "c", null]),
        json!([1, null, "x", "c", ["i"]]),
    ] {
        assert_eq!(read(&bad), None, "{bad}");
    }
}
