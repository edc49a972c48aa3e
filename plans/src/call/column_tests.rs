//! A table whose properties got columns later, or lost them, answers as one that has had the same columns from the beginning.

use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use serde_json::{Value, json};

use super::sql;
use crate::session::testing::Table;

/// An Item whose property `eo:cloud_cover` is a number that its column holds, one that it does not, a text, null, or absent.
fn item(i: usize, updated: u32) -> Value {
    let mut properties = json!({"datetime": format!("20{:02}-05-01T00:00:00Z", 18 + i % 3),
        "updated": format!("20{updated}-01-01T00:00:00Z"), "platform": format!("P{}", i % 4), "title": "t"});
    match i % 6 {
        0 => properties["eo:cloud_cover"] = json!(i as f64 / 2.0),
        1 => properties["eo:cloud_cover"] = json!(i.to_string()),
        2 => properties["eo:cloud_cover"] = Value::Null,
        3 => properties["eo:cloud_cover"] = json!({"mean": i}),
        4 => properties["eo:cloud_cover"] = json!(i as f64),
        _ => {}
    }
    let west = (i % 30) as f64 * 5.0 - 80.0;
    json!({"type": "Feature", "stac_version": "1.0.0", "id": format!("i{i:03}"), "collection": "c", "links": [], "assets": {},
        "geometry": {"type": "Polygon", "coordinates": [[[west, 10.0], [west + 12.0, 10.0], [west + 12.0, 14.0], [west, 14.0], [west, 10.0]]]},
        "properties": properties})
}

async fn text(context: &SessionContext, statement: &str) -> String {
    let rows = sql(context, statement).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&rows).unwrap().to_string()
}

/// The same questions of two tables have the same answers.
async fn assert_same(one: &Table, other: &Table, questions: &[&str], what: &str) {
    let (one, other) = (one.reading().await, other.reading().await);
    for question in questions {
        assert_eq!(text(&one, question).await, text(&other, question).await, "{what}: {question}");
    }
}

const WITH_COLUMN: [&str; 9] = [
    "SELECT id, eo_cloud_cover, platform, properties FROM items ORDER BY id",
    "SELECT id FROM items WHERE eo_cloud_cover > 20 ORDER BY id",
    "SELECT id FROM items WHERE eo_cloud_cover IS NULL ORDER BY id",
    "SELECT id, properties FROM items WHERE eo_cloud_cover BETWEEN 3 AND 40 AND platform = 'P0' ORDER BY id",
    "SELECT count(*), count(eo_cloud_cover), min(eo_cloud_cover), max(eo_cloud_cover), sum(eo_cloud_cover) FROM items",
    "SELECT platform, count(eo_cloud_cover) AS n FROM items GROUP BY platform ORDER BY platform",
    "SELECT id FROM items WHERE properties IS NULL OR eo_cloud_cover < 5 ORDER BY eo_cloud_cover DESC NULLS LAST, id LIMIT 7",
    "SELECT id, stac_item(*) AS item FROM items WHERE id < 'i020' ORDER BY id",
    "SELECT DISTINCT id, grid_partition, eo_cloud_cover FROM item_cells WHERE eo_cloud_cover > 1 ORDER BY id, grid_partition",
];

const WITHOUT_COLUMN: [&str; 5] = [
    "SELECT id, platform, json_get(properties, 'eo:cloud_cover') AS cover FROM items ORDER BY id",
    "SELECT id FROM items WHERE CAST(json_get_text(properties, 'eo:cloud_cover') AS DOUBLE) > 20 AND id LIKE '%0' ORDER BY id",
    "SELECT count(*), count(properties) FROM items",
    "SELECT id, json_get(properties, 'title') AS title FROM items ORDER BY id",
    "SELECT * EXCLUDE (properties, geometry, bbox) FROM items ORDER BY id",
];

#[tokio::test]
async fn a_property_that_gets_a_column_later_has_it_in_all_rows_and_loses_it_in_all() {
    let first: Vec<Value> = (0..60).map(|i| item(i, 20)).collect();
    let second: Vec<Value> = (40..90).map(|i| item(i, 21)).collect();
    let third: Vec<Value> = (80..100).map(|i| item(i, 22)).collect();

    let mut later = Table::new("platform VARCHAR").await;
    later.ingest(&first).await;
    let added = text(later.writing(), "ALTER TABLE items ADD COLUMN \"eo:cloud_cover\" DOUBLE").await;
    assert!(added.contains("| added  | eo:cloud_cover | eo_cloud_cover | DOUBLE    |"), "{added}");
    let mut always = Table::new("platform VARCHAR, \"eo:cloud_cover\" DOUBLE").await;
    always.ingest(&first).await;
    assert_same(&later, &always, &WITH_COLUMN, "right after it was added").await;

    later.open_again().await;
    later.ingest(&second).await;
    always.ingest(&second).await;
    assert_same(&later, &always, &WITH_COLUMN, "with rows before and after").await;
    later.compact().await;
    assert_same(&later, &always, &WITH_COLUMN, "compacted").await;
    // Values of all rows are in their column by now, for those who do not know of `properties`.
    let stored = "SELECT count(DISTINCT id) AS n FROM item_cells WHERE json_get(properties, 'eo:cloud_cover') IS NOT NULL AND eo_cloud_cover IS NOT NULL";
    let (later_stored, always_stored) =
        (text(&later.reading().await, stored).await, text(&always.reading().await, stored).await);
    assert_eq!(later_stored, always_stored);

    let dropped = text(later.writing(), "ALTER TABLE items DROP COLUMN eo_cloud_cover").await;
    assert!(dropped.contains("| dropped | eo:cloud_cover | eo_cloud_cover | DOUBLE    |"), "{dropped}");
    let mut never = Table::new("platform VARCHAR").await;
    for items in [&first, &second] {
        never.ingest(items).await;
    }
    assert_same(&later, &never, &WITHOUT_COLUMN, "right after it was dropped").await;
    later.open_again().await;
    later.ingest(&third).await;
    never.ingest(&third).await;
    assert_same(&later, &never, &WITHOUT_COLUMN, "with rows before and after it was dropped").await;
    later.compact().await;
    assert_same(&later, &never, &WITHOUT_COLUMN, "compacted after it was dropped").await;

    // And once more, under another id; with the column by which rows are sorted, too.
    text(later.writing(), "ALTER TABLE items DROP COLUMN platform").await;
    text(later.writing(), "ALTER TABLE items ADD COLUMN platform VARCHAR").await;
    text(later.writing(), "ALTER TABLE items ADD COLUMN IF NOT EXISTS \"eo:cloud_cover\" DOUBLE").await;
    always.ingest(&third).await;
    assert_same(&later, &always, &WITH_COLUMN, "added again").await;
}

#[tokio::test]
async fn what_is_no_change_of_a_column_is_refused_and_a_dry_run_changes_nothing() {
    let mut table = Table::new("platform VARCHAR").await;
    table.ingest(&[item(0, 20)]).await;
    let context = table.writing();
    for (statement, words) in [
        (
            "ALTER TABLE items ADD COLUMN platform VARCHAR",
            "platform cannot be changed: it has column platform already, of type VARCHAR",
        ),
        ("ALTER TABLE items ADD COLUMN IF NOT EXISTS platform INT", "it has column platform already"),
        ("ALTER TABLE items ADD COLUMN id VARCHAR", "the table has another column id"),
        ("ALTER TABLE items ADD COLUMN x DATE", "x has type DATE; a promoted property can be VARCHAR"),
        ("ALTER TABLE items ADD COLUMN x INT NOT NULL", "one change a statement"),
        ("ALTER TABLE items ADD COLUMN x INT, ADD COLUMN y INT", "one change a statement"),
        ("ALTER TABLE items RENAME TO others", "one change a statement"),
        ("ALTER TABLE items DROP COLUMN geometry", "it is no promoted property"),
        ("ALTER TABLE items DROP COLUMN nothing", "no such column; its promoted properties are platform"),
        ("ALTER TABLE nowhere DROP COLUMN platform", "there is no table nowhere"),
    ] {
        let error = async { sql(context, statement).await?.collect().await }.await.unwrap_err().to_string();
        assert!(error.contains(words), "{statement}: {error}");
    }
    for nothing in [
        "ALTER TABLE items ADD COLUMN IF NOT EXISTS platform VARCHAR",
        "ALTER TABLE items DROP COLUMN IF EXISTS nothing",
        "EXPLAIN ALTER TABLE items DROP COLUMN platform",
    ] {
        text(context, nothing).await;
    }
    text(context, "SET earthcatalog.dry_run = true").await;
    assert!(text(context, "ALTER TABLE items DROP COLUMN platform").await.contains("| dropped | platform"));
    let left = text(&table.reading().await, "SELECT platform FROM items").await;
    assert!(left.contains("P0"), "{left}");
}
