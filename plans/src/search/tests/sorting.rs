//! Searches that are sorted and have no limit: what does not fit in memory goes on on disk.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde_json::{Value, json};

use crate::session::session_within;
use crate::session::testing::Table;

/// An Item of some 4 kB, which are other ones than those of its neighbours.
fn item(id: usize) -> Value {
    let padding: String = (0..600).map(|n| format!("{:06x}", (id * 7919 + n * 104729) % 0xff_ffff)).collect();
    json!({"type": "Feature", "stac_version": "1.0.0", "id": format!("i{id:05}"), "links": [], "assets": {},
        "geometry": {"type": "Point", "coordinates": [(id % 36) as f64 * 10.0 - 175.0, 10.0]},
        "properties": {"datetime": format!("2020-{:02}-{:02}T00:00:00Z", 1 + id % 12, 1 + id % 28), "padding": padding}})
}

#[tokio::test]
async fn whole_items_are_sorted_within_less_memory_than_they_take() {
    let mut table = Table::new("platform VARCHAR").await;
    for part in 0..6 {
        table.ingest(&(part * 1000..(part + 1) * 1000).map(item).collect::<Vec<_>>()).await;
    }
    let session = session_within(2, Some(12 << 20)).unwrap();
    crate::query::register_views(&session, &table.catalog(), None).await.unwrap();
    for (sortby, first) in [("id", "i00000"), ("-id", "i05999")] {
        let search = format!("SELECT * FROM stac_search(items, '{{\"sortby\": \"{sortby}\"}}')");
        let batches = session.sql(&search).await.unwrap().collect().await.unwrap();
        let texts = batches.iter().map(|batch| cast(batch.column_by_name("id").unwrap(), &DataType::Utf8).unwrap());
        let ids: Vec<String> = texts
            .flat_map(|ids| ids.as_string::<i32>().iter().map(|id| id.unwrap().to_owned()).collect::<Vec<_>>())
            .collect();
        let mut sorted = ids.clone();
        sorted.sort();
        if sortby == "-id" {
            sorted.reverse();
        }
        assert!(ids == sorted && ids.len() == 6000 && ids[0] == first, "{sortby}: {} of them", ids.len());
        let kept = batches[0].schema();
        let platform = kept.field_with_name("platform").unwrap();
        assert!(platform.metadata().contains_key("stac.property"), "{kept:?}");
    }
}
