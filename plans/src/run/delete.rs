//! `DELETE FROM items WHERE …`, and the removal of Items whose objects are gone: the rows that stay.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::{DmlStatement, LogicalPlan, LogicalPlanBuilder, ident};

use super::commit_node::Outcome;
use super::commit_plan::commit;
use super::newest_rows::{as_written, asked_of_items, buckets_of, newest_rows};
use crate::model::item_key::ItemKey;
use crate::scan::buckets::{BucketSource, BucketsTable};

/// What a DELETE leaves: the rows of the Items for which its condition is not true.
///
/// An Item is deleted if the condition is true of its newest version, and then in all versions and cells. The Items are
/// looked up when the plan is made, as what a compaction leaves out is.
///
/// Errors: a condition on the cell of a row; as [`BucketsTable::try_new`].
pub(super) fn rows_without_matches(delete: &DmlStatement, table: &Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let source = buckets_of(table)?;
    let asked = asked_of_items("DELETE", &delete.input, source.warehouse())?;
    rows_that_stay(source, LogicalPlanBuilder::from(asked).project(ItemKey::COLUMNS.map(ident))?.build()?)
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
    let source = buckets_of(table)?;
    let warehouse = source.warehouse().clone();
    let rows = rows_that_stay(source, items)?;
    commit(&warehouse, Outcome::RemoveItems { objects: Arc::new(objects) }, Arc::new(rows), config)
}

/// What stays of the buckets that have rows of `items`: the rows of other Items, as a compaction of these buckets leaves
/// them.
fn rows_that_stay(source: BucketSource, items: LogicalPlan) -> Result<LogicalPlan> {
    let warehouse = source.warehouse().clone();
    let rows = newest_rows(BucketsTable::without_items(source, items)?)?;
    let written = as_written(&warehouse, &rows);
    rows.project(written)?.build()
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::collect;

    use super::super::testing::{changed, dated, filled, item, rows, state};
    use crate::session::testing::Table;

    async fn delete(table: &Table, condition: &str) -> Result<u64, String> {
        changed(table, &format!("DELETE FROM items WHERE {condition}")).await
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
    async fn a_condition_is_about_one_item() {
        let table = filled().await;
        for condition in ["count(*) > 1", "row_number() OVER () = 1", "id = 'i0' AND max(platform) = 'new'"] {
            let error = delete(&table, condition).await.unwrap_err();
            assert!(error.contains("is about several Items at once"), "{condition}: {error}");
        }
        let newest = "id IN (SELECT max(id) FROM items GROUP BY platform HAVING count(*) > 100)";
        assert_eq!(delete(&table, newest).await.unwrap(), 0);
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
