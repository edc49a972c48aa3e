//! A table in which Items have versions, cells and namesakes, for tests of statements that change Items.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use serde_json::{Value, json};

use crate::session::testing::Table;
use crate::table::{TableState, Warehouse};

/// An Item over some cells around a longitude.
pub fn item(collection: Option<&str>, id: &str, lon: f64, updated: &str, platform: &str) -> Value {
    let (west, east) = (lon, lon + 8.0);
    json!({"type": "Feature", "stac_version": "1.0.0", "id": id, "collection": collection, "links": [], "assets": {},
        "geometry": {"type": "Polygon", "coordinates": [[[west, 10.0], [east, 10.0], [east, 12.0], [west, 12.0], [west, 10.0]]]},
        "properties": {"datetime": "2020-05-01T00:00:00Z", "updated": updated, "platform": platform}})
}

pub async fn rows(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let text = pretty_format_batches(&batches).unwrap().to_string();
    text.lines().skip(3).filter(|line| line.starts_with('|')).map(|line| line.replace(' ', "")).collect()
}

/// Ten Items in two collections and none, some in two versions, one of which has moved; two deliveries.
pub async fn filled() -> Table {
    let mut table = Table::new("platform VARCHAR").await;
    let first =
        (0..10).map(|i| item([None, Some("a"), Some("b")][i % 3], &format!("i{i}"), i as f64 * 3.0, "2021", "old"));
    let first: Vec<Value> = first.map(dated).collect();
    table.ingest(&first).await;
    let again = [
        item(None, "i0", 0.0, "2022", "new"),
        item(Some("a"), "i1", 90.0, "2022", "moved"),
        // Of another collection.
        item(Some("b"), "i1", 3.0, "2022", "namesake"),
    ];
    table.ingest(&again.map(dated)).await;
    table
}

pub fn dated(mut item: Value) -> Value {
    let year = item["properties"]["updated"].as_str().unwrap().to_owned();
    item["properties"]["updated"] = format!("{year}-01-01T00:00:00Z").into();
    item
}

pub async fn state(table: &Table) -> Arc<TableState> {
    Warehouse::open(&table.catalog()).await.unwrap().load().await.unwrap()
}

/// Runs a statement that changes Items; how many it says that it changed.
pub async fn changed(table: &Table, statement: &str) -> Result<u64, String> {
    let context = table.writing();
    let batches = async { context.sql(statement).await?.collect().await };
    let batches: Vec<RecordBatch> = batches.await.map_err(|e| e.to_string())?;
    Ok(batches[0].column(0).as_primitive::<UInt64Type>().value(0))
}
