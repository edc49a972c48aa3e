//! `DELETE FROM items WHERE …`, and the removal of Items whose objects are gone: the rows that stay.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{DmlStatement, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, cast, ident, lit};

use super::commit_node::Outcome;
use super::commit_plan::commit;
use crate::model::item_key::ItemKey;
use crate::model::items::GRID_PARTITION;
use crate::model::versions::{digest, newest_first};
use crate::query::ItemsTable;
use crate::scan::WarehouseTable;
use crate::scan::buckets::{BucketSource, BucketsTable, YEAR};
use crate::table::Warehouse;

const AGE_RANK: &str = "earthcatalog:age_rank";

/// What a DELETE leaves: the rows of the Items for which its condition is not true.
///
/// An Item is deleted if the condition is true of its newest version, and then in all versions and cells. The Items are
/// looked up when the plan is made, as what a compaction leaves out is.
///
/// Errors: a condition on the cell of a row; as [`BucketsTable::try_new`].
pub(super) fn rows_without_matches(delete: &DmlStatement, table: &Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let source = source(table)?;
    let items = items_to_delete(&delete.input, source.warehouse())?;
    rows_that_stay(source, items)
}

/// The plan that removes `items` (columns `collection` and `id`) from a table, and `objects` from its ingest record, as one
/// snapshot.
///
/// Errors: a table that cannot be written; as [`BucketsTable::try_new`].
pub fn remove_items(
    table: &Arc<dyn TableProvider>,
    items: LogicalPlan,
    objects: HashSet<String>,
    config: &ConfigOptions,
) -> Result<LogicalPlan> {
    let source = source(table)?;
    let warehouse = source.warehouse().clone();
    let rows = rows_that_stay(source, items)?;
    commit(&warehouse, Outcome::RemoveItems { objects: Arc::new(objects) }, Arc::new(rows), config)
}

fn source(table: &Arc<dyn TableProvider>) -> Result<BucketSource> {
    match BucketSource::of(table) {
        Some(source @ BucketSource::Table(..)) => Ok(source),
        _ => plan_err!("Items are removed from a table made with CREATE EXTERNAL TABLE … STORED AS ICEBERG"),
    }
}

/// What stays of the buckets that have rows of `items`: the rows of other Items, as a compaction of these buckets leaves
/// them.
fn rows_that_stay(source: BucketSource, items: LogicalPlan) -> Result<LogicalPlan> {
    let warehouse = source.warehouse().clone();
    let buckets = Arc::new(BucketsTable::without_items(source, items)?);
    let read = buckets.schema();
    let columns: Vec<_> = read.fields().iter().map(|field| ident(field.name())).collect();
    let of_bucket = [GRID_PARTITION, YEAR].into_iter().chain(ItemKey::COLUMNS).map(ident);
    let rank = row_number().partition_by(of_bucket.collect()).order_by(newest_first()).build()?.alias(AGE_RANK);
    // Buckets have their texts on their own, where tables have views.
    let written =
        warehouse.items().table_schema().fields().iter().map(|field| match read.field_with_name(field.name()) {
            Ok(same) if same.data_type() == field.data_type() => ident(field.name()),
            _ => cast(ident(field.name()), field.data_type().clone()).alias(field.name()),
        });
    LogicalPlanBuilder::scan("buckets", provider_as_source(buckets), None)?
        .project(columns.into_iter().chain([digest(warehouse.items().item_schema())]))?
        .window([rank])?
        .filter(ident(AGE_RANK).eq(lit(1_u64)))?
        .project(written)?
        .build()
}

/// `input`, which is a question of the stored rows, asked of Items: `collection` and `id`.
fn items_to_delete(input: &LogicalPlan, warehouse: &Warehouse) -> Result<LogicalPlan> {
    let is_of_row = |plan: &LogicalPlan| {
        let columns =
            plan.expressions().iter().flat_map(|e| e.column_refs()).map(|c| c.name.clone()).collect::<Vec<_>>();
        columns.iter().any(|name| name == GRID_PARTITION)
    };
    if input.exists(|plan| Ok(is_of_row(plan)))? {
        return plan_err!(
            "DELETE: an Item has no column {GRID_PARTITION}, and goes from all cells; write id IN (SELECT id FROM items WHERE {GRID_PARTITION} = …)"
        );
    }
    let asked = input.clone().transform_down(|plan| {
        let LogicalPlan::TableScan(scan) = &plan else { return Ok(Transformed::no(plan)) };
        if !source_as_provider(&scan.source).is_ok_and(|table| table.is::<WarehouseTable>()) {
            return Ok(Transformed::no(plan));
        }
        let items = provider_as_source(Arc::new(ItemsTable::new(warehouse.clone())));
        let items = LogicalPlanBuilder::scan(scan.table_name.clone(), items, None)?.build()?;
        Ok(Transformed::new(items, true, TreeNodeRecursion::Jump))
    })?;
    let asked = asked.data.recompute_schema()?;
    LogicalPlanBuilder::from(asked).project(ItemKey::COLUMNS.map(ident))?.build()
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, RecordBatch};
    use arrow::datatypes::UInt64Type;
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::physical_plan::collect;
    use datafusion::prelude::SessionContext;
    use serde_json::{Value, json};

    use crate::session::testing::Table;
    use crate::table::{TableState, Warehouse};

    /// An Item over some cells around a longitude.
    fn item(collection: Option<&str>, id: &str, lon: f64, updated: &str, platform: &str) -> Value {
        let (west, east) = (lon, lon + 8.0);
        json!({"type": "Feature", "stac_version": "1.0.0", "id": id, "collection": collection, "links": [], "assets": {},
            "geometry": {"type": "Polygon", "coordinates": [[[west, 10.0], [east, 10.0], [east, 12.0], [west, 12.0], [west, 10.0]]]},
            "properties": {"datetime": "2020-05-01T00:00:00Z", "updated": updated, "platform": platform}})
    }

    async fn rows(context: &SessionContext, sql: &str) -> Vec<String> {
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        let text = pretty_format_batches(&batches).unwrap().to_string();
        text.lines().skip(3).filter(|line| line.starts_with('|')).map(|line| line.replace(' ', "")).collect()
    }

    async fn delete(table: &Table, condition: &str) -> Result<u64, String> {
        let context = table.writing();
        let delete = async { context.sql(&format!("DELETE FROM items WHERE {condition}")).await?.collect().await };
        let batches: Vec<RecordBatch> = delete.await.map_err(|e| e.to_string())?;
        Ok(batches[0].column(0).as_primitive::<UInt64Type>().value(0))
    }

    /// Ten Items in two collections and none, some in two versions, one of which has moved; two deliveries.
    async fn filled() -> Table {
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

    fn dated(mut item: Value) -> Value {
        let year = item["properties"]["updated"].as_str().unwrap().to_owned();
        item["properties"]["updated"] = format!("{year}-01-01T00:00:00Z").into();
        item
    }

    async fn state(table: &Table) -> std::sync::Arc<TableState> {
        Warehouse::open(&table.catalog()).await.unwrap().load().await.unwrap()
    }

    const ALL: &str = "SELECT collection, id, platform FROM items ORDER BY 1, 2";

    #[tokio::test]
    async fn items_go_in_all_versions_and_cells_and_others_stay() {
        for (condition, removed, way) in [
            ("id = 'i0'", 1, "in two versions"),
            ("id = 'i1'", 2, "two collections"),
            ("id = 'i1' AND collection = 'a'", 1, "one that moved"),
            ("collection IS NULL", 4, "no collection"),
            ("platform = 'old'", 8, "of the newest version"),
            ("platform = 'new' OR platform = 'moved'", 2, "of the newest version"),
            ("datetime < '2000-01-01'", 0, "none"),
            ("NULL", 0, "unknown is not true"),
            ("true", 11, "all"),
            ("id IN (SELECT column1 FROM (VALUES ('i3'), ('i4')))", 2, "those of a query"),
            ("ST_Intersects(geometry, ST_MakeEnvelope(89, 0, 91, 20))", 1, "where it is now"),
        ] {
            let table = filled().await;
            let before = rows(&table.reading().await, ALL).await;
            let doomed = format!("SELECT collection, id, platform FROM items WHERE {condition} ORDER BY 1, 2");
            let doomed = rows(&table.reading().await, &doomed).await;
            let snapshots = state(&table).await.metadata.snapshots().len();
            assert_eq!(delete(&table, condition).await.unwrap(), removed, "{way}: {condition}");
            let context = table.reading().await;
            let left: Vec<String> = before.iter().filter(|row| !doomed.contains(row)).cloned().collect();
            assert_eq!(doomed.len() as u64, removed, "{condition}");
            assert_eq!(rows(&context, ALL).await, left, "{condition}");
            // Nor does an older version come back, whoever looks.
            let ids = "SELECT DISTINCT collection, id FROM item_cells ORDER BY 1, 2";
            assert_eq!(rows(&context, ids).await.len(), left.len(), "{condition}");
            context.sql("SET earthcatalog.spatial_pruning = false").await.unwrap();
            assert_eq!(rows(&context, ALL).await, left, "{condition}");
            let after = state(&table).await.metadata.snapshots().len();
            assert_eq!(after - snapshots, usize::from(removed > 0), "{condition}: a snapshot, or none");
        }
    }

    #[tokio::test]
    async fn what_is_known_of_other_items_stays_known_and_the_snapshot_says_what_was_removed() {
        let table = filled().await;
        delete(&table, "id = 'i5'").await.unwrap();
        let state = state(&table).await;
        let snapshot = state.metadata.current_snapshot().unwrap();
        let summary = &snapshot.summary().additional_properties;
        assert_eq!(summary["earthcatalog.removed"], "1");
        assert!(summary.contains_key("earthcatalog.known-items"), "{summary:?}");
        let runs = rows(&table.reading().await, "SELECT kind, removed FROM runs WHERE kind = 'delete'").await;
        assert_eq!(runs, ["|delete|1|"]);
        // Ingested again, it is there again.
        let mut table = table;
        table.ingest(&[dated(item(Some("b"), "i5", 15.0, "2021", "back"))]).await;
        let back = rows(&table.reading().await, "SELECT platform FROM items WHERE id = 'i5'").await;
        assert_eq!(back, ["|back|"]);
    }

    #[tokio::test]
    async fn only_the_files_of_buckets_concerned_are_written_again() {
        let table = filled().await;
        let files = "SELECT file_path FROM \"items$files\"";
        let before = rows(&table.reading().await, files).await;
        let concerned = "SELECT DISTINCT grid_partition FROM item_cells WHERE id = 'i9'";
        let concerned = rows(&table.reading().await, concerned).await;
        delete(&table, "id = 'i9'").await.unwrap();
        let after = rows(&table.reading().await, files).await;
        let is_concerned = |file: &&String| concerned.iter().any(|cell| file.contains(cell.trim_matches('|')));
        let gone: Vec<&String> = before.iter().filter(|file| !after.contains(file)).collect();
        assert!(!gone.is_empty() && gone.iter().all(is_concerned), "{gone:?}");
        assert!(before.len() > gone.len());
    }

    #[tokio::test]
    async fn what_another_writer_replaces_meanwhile_ends_the_delete_and_nothing_is_changed() {
        let table = filled().await;
        let context = table.writing();
        let frame = context.sql("DELETE FROM items WHERE id = 'i2'").await.unwrap();
        let planned = frame.create_physical_plan().await.unwrap();
        table.compact().await;
        let before = rows(&table.reading().await, ALL).await;
        let error = collect(planned, context.task_ctx()).await.unwrap_err().to_string();
        assert!(error.contains("another writer"), "{error}");
        assert_eq!(rows(&table.reading().await, ALL).await, before);
        assert_eq!(delete(&table, "id = 'i2'").await.unwrap(), 1);
    }
}
