//! A search is a filter over the scan, which chooses files as SQL does.

use serde_json::{Value, json};

use super::table::{Table, call};

async fn plan(search: &Value) -> String {
    let table = Table::new("platform VARCHAR, gsd DOUBLE").await;
    let session = table.reading().await;
    let sql = format!("SELECT * FROM {}", call(search));
    let frame = session.sql(&sql).await.unwrap();
    let plan = session.state().optimize(frame.logical_plan()).unwrap();
    plan.display_indent().to_string()
}

#[tokio::test]
async fn conditions_go_down_to_the_scan_in_terms_of_columns() {
    let plan = plan(&json!({
        "bbox": [1, 2, 3, 4],
        "datetime": "2020-01-01T00:00:00Z/2020-02-01T00:00:00Z",
        "ids": ["a"],
        "filter": "platform = 'S1' AND gsd < 10",
        "sortby": "-datetime",
        "limit": 5,
    }))
    .await;
    let scan = plan.lines().find(|line| line.contains("TableScan: items")).unwrap();
    for words in [
        "full_filters=[",
        "items.id = Utf8View(\"a\")",
        "items.platform = Utf8View(\"S1\")",
        "items.gsd < Float64(10)",
        "items.datetime >= TimestampMicrosecond(1577836800000000, Some(\"UTC\"))",
        "st_intersects(items.geometry, BinaryView(",
    ] {
        assert!(scan.contains(words), "{words}: {plan}");
    }
    assert!(
        plan.contains(
            "Sort: items.datetime DESC NULLS LAST, items.collection ASC NULLS LAST, items.id ASC NULLS LAST, fetch=5"
        ),
        "{plan}"
    );
}
