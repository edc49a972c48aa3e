//! The tables of a warehouse for reading: `item_cells`, `items`, `collections`, `rejects`, `runs`.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::prelude::SessionContext;

use super::planned_view::PlannedView;
use crate::query::ItemsTable;
use crate::scan::WarehouseTable;
use crate::scan::as_of_function::{AsOfFunction, TableAsOf};
use crate::scan::records::{RejectsTable, RunsTable};
use crate::table::Warehouse;

/// Rows as stored: one per Item and cell.
pub const ITEM_CELLS: &str = "item_cells";
/// Each Item once.
pub const ITEMS: &str = "items";
/// What runs could not read.
pub const REJECTS: &str = "rejects";
/// What was done to the warehouse, and what is under way.
pub const RUNS: &str = "runs";

/// What the Items say of their collections, and the documents that people gave for them.
pub const COLLECTIONS: &str = "collections";

/// The view [`COLLECTIONS`]: a row for each collection that Items name, or that somebody gave.
const COLLECTIONS_SQL: &str = "
    SELECT coalesce(given.id, found.id) AS id, document, xmin, ymin, xmax, ymax, start_datetime, end_datetime,
        coalesce(items, 0) AS items
    FROM (
        SELECT collection AS id, min(xmin) AS xmin, min(ymin) AS ymin, max(xmax) AS xmax, max(ymax) AS ymax,
            min(coalesce(start_datetime, datetime)) AS start_datetime,
            max(coalesce(end_datetime, datetime)) AS end_datetime, count(*) AS items
        FROM items WHERE collection IS NOT NULL GROUP BY collection
    ) found FULL JOIN \"items$collections\" given ON given.id = found.id";

/// As [`ITEM_CELLS`], with the sequence number of the commit of each row as column `sequence`.
pub const ITEM_VERSIONS: &str = "item_versions";

/// All of them.
pub const TABLES: [&str; 6] = [ITEMS, ITEM_CELLS, ITEM_VERSIONS, COLLECTIONS, REJECTS, RUNS];

/// Registers the tables of the warehouse that `catalog` points at. A script that writes calls the stored table
/// `items`; here, for reading, that is `item_cells`.
///
/// Errors: no catalog, no table, its files are not in `warehouse`, if one is named.
pub async fn register_views(context: &SessionContext, catalog: &str, warehouse: Option<&str>) -> Result<()> {
    let opened = Warehouse::open_in(catalog, warehouse).await?;
    context.register_table(REJECTS, Arc::new(RejectsTable::try_new(opened.url())?))?;
    context.register_table(RUNS, Arc::new(RunsTable::new(opened.clone())))?;
    context.register_table(ITEM_VERSIONS, Arc::new(WarehouseTable::with_sequence(opened.clone())))?;
    let at: [(_, TableAsOf); 2] = [
        ("items_at", |warehouse, as_of| Arc::new(ItemsTable::new(warehouse).as_of(as_of))),
        ("item_cells_at", |warehouse, as_of| Arc::new(WarehouseTable::new(warehouse).as_of(as_of))),
    ];
    for (name, table) in at {
        context.register_udtf(name, Arc::new(AsOfFunction { name, warehouse: opened.clone(), table }));
    }
    context.register_table(ITEM_CELLS, Arc::new(WarehouseTable::new(opened.clone())))?;
    context.register_table(ITEMS, Arc::new(ItemsTable::new(opened)))?;
    context.register_table(COLLECTIONS, Arc::new(PlannedView::new(COLLECTIONS_SQL, context)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::SessionState;
    use parquet::arrow::ArrowWriter;
    use serde_json::json;

    use super::*;
    use crate::scan::records::About;
    use crate::scan::records::rejects::REJECTS_SCHEMA;
    use crate::table::collection_documents::DocumentChange;
    use crate::table::testing::{Row, warehouse, write_part};
    use crate::table::{Change, Committer};

    async fn text(context: &SessionContext, sql: &str) -> String {
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }

    async fn reading(warehouse: &Warehouse) -> SessionContext {
        let context = crate::session::session(2).unwrap();
        let folder = warehouse.url().to_file_path().unwrap();
        let catalog = warehouse.catalog().to_string();
        register_views(&context, &catalog, folder.to_str()).await.unwrap();
        context
    }

    #[tokio::test]
    async fn a_statement_sees_one_snapshot_in_all_tables() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let context = reading(&warehouse).await;
        let commit = async |name: &str| {
            let change =
                Change { add: vec![write_part(&warehouse, "81a", name, &[Row::new(name, None)])], ..Change::default() };
            Committer::new(warehouse.clone()).commit(change).await.unwrap()
        };
        commit("1").await;
        let rows = async |table: &str, statement: &SessionState| {
            let provider = context.table_provider(table).await.unwrap();
            let plan = provider.scan(statement, None, &[], None).await.unwrap();
            let batches = datafusion::physical_plan::collect(plan, statement.task_ctx()).await.unwrap();
            batches.iter().map(RecordBatch::num_rows).sum::<usize>()
        };
        // State of a session as a statement has it from its start on.
        let first = context.state();
        let seen = rows("item_cells", &first).await;
        commit("2").await;
        let second = context.state();
        for table in ["item_cells", "items", "item_versions"] {
            assert_eq!((rows(table, &first).await, rows(table, &second).await), (seen, seen + 1), "{table}");
        }
    }

    #[tokio::test]
    async fn items_has_each_item_once_in_its_newest_version_and_follows_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let version = |id: &str, updated: Option<i64>, platform: &str| Row {
            updated,
            platform: Some(platform.to_owned()),
            ..Row::new(id, Some((2020, 1, 1)))
        };
        let commit = async |parts| {
            let change = Change { add: parts, ..Change::default() };
            Committer::new(warehouse.clone()).commit(change).await.unwrap()
        };
        let context = reading(&warehouse).await;
        assert!(text(&context, "SELECT count(*) FROM items").await.contains("| 0 "));
        let old = [version("a", Some(1), "old"), version("b", None, "undated"), version("c", None, "tie 2")];
        let new = [version("a", Some(2), "new"), version("b", Some(0), "dated"), version("c", None, "tie 1")];
        commit(vec![write_part(&warehouse, "81a", "1", &old), write_part(&warehouse, "81b", "2", &old)]).await;
        commit(vec![write_part(&warehouse, "81b", "3", &new)]).await;

        let found = text(&context, "SELECT id, platform FROM items ORDER BY id").await;
        assert!(found.contains("| a  | new      |\n| b  | dated    |\n| c  | tie 1    |\n+"), "{found}");
        assert!(text(&context, "SELECT count(*) FROM item_cells").await.contains("| 9 "));
        let commits = text(&context, "SELECT sequence, count(*) FROM item_versions GROUP BY 1 ORDER BY 1").await;
        assert!(commits.contains("| 1        | 6        |\n| 2        | 3        |\n+"), "{commits}");
        let schema = context.table("items").await.unwrap().schema().as_arrow().clone();
        let names = |s: &arrow::datatypes::Schema| s.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
        assert_eq!(names(&schema), names(warehouse.items().item_schema()));
    }

    #[tokio::test]
    async fn snapshots_files_and_buckets_are_tables_and_earlier_states_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let context = reading(&warehouse).await;
        for about in [About::Snapshots, About::Files, About::Partitions] {
            let sql = format!("SELECT count(*) FROM \"{}\"", about.table(ITEMS));
            assert!(text(&context, &sql).await.contains("| 0 "));
        }
        let mut snapshots = vec![];
        for (name, ids) in [("1", ["a", "b"]), ("2", ["b", "c"])] {
            let rows: Vec<_> = ids.iter().map(|id| Row::new(id, Some((2020, 1, 1)))).collect();
            let change = Change { add: vec![write_part(&warehouse, "81a", name, &rows)], ..Change::default() };
            snapshots.push(Committer::new(warehouse.clone()).commit(change).await.unwrap().snapshot);
        }
        let sql = "SELECT grid_partition, year, record_count, file_count FROM \"items$partitions\"";
        assert!(text(&context, sql).await.contains("| 81a            | 2020 | 4            | 2          |"));
        let sql = "SELECT sum(record_count) AS n, max(sequence_number) AS s FROM \"items$files\" WHERE year = 2020";
        assert!(text(&context, sql).await.contains("| 4 | 2 |"));
        let sql =
            "SELECT operation, parent_id IS NULL AS first, summary['added-records'] AS rows FROM \"items$snapshots\"";
        let found = text(&context, sql).await;
        assert!(found.contains("| append    | true  |") && found.contains("| append    | false |"), "{found}");

        let count = async |from: &str| text(&context, &format!("SELECT count(*) AS n FROM {from}")).await;
        let first = snapshots[0];
        assert!(count(&format!("items_at({first})")).await.contains("| 2 |"));
        assert!(count(&format!("item_cells_at('{first}')")).await.contains("| 2 |"));
        assert!(count(&format!("items_at({})", snapshots[1])).await.contains("| 3 |"));
        for (time, items) in [
            ("'2999-01-01'", Some(3)),
            ("'9999'", Some(3)),
            ("TIMESTAMP '2099-01-01 12:00:00'", Some(3)),
            ("now() + INTERVAL '1 minute'", Some(3)),
            ("now() - INTERVAL '1 day'", None),
            // The end of the day.
            ("current_date", Some(3)),
            ("to_char(now(), '%Y-%m-%d')", Some(3)),
            ("to_char(now(), '%Y-%m')", Some(3)),
            ("to_char(now(), '%Y')", Some(3)),
            ("date_trunc('day', now())", None),
            ("current_date - 1", None),
        ] {
            let sql = format!("SELECT count(*) AS n FROM items_at({time})");
            let found = async { context.sql(&sql).await?.collect().await }.await;
            match items {
                Some(items) => assert!(
                    pretty_format_batches(&found.unwrap()).unwrap().to_string().contains(&format!("| {items} |")),
                    "{time}"
                ),
                None => assert!(found.unwrap_err().to_string().contains("no snapshot as of"), "{time}"),
            }
        }
        for (call, words) in [
            (
                "items_at('1999-01-01')",
                format!("no snapshot as of 1999-01-01T23:59:59.999999Z, or no longer; nearest are {first} of 2"),
            ),
            ("items_at(42)", "no snapshot 42, or no longer; nearest are ".to_owned()),
            ("items_at('yesterday')", "no tag or branch 'yesterday', or no longer; give a tag or branch of".to_owned()),
            ("items_at()", "items_at takes a snapshot, a time or a tag".to_owned()),
        ] {
            let failed = match context.sql(&format!("SELECT * FROM {call}")).await {
                Ok(frame) => frame.collect().await.unwrap_err(),
                Err(e) => e,
            };
            assert!(failed.to_string().contains(&words), "{call}: {failed}");
        }
    }

    #[tokio::test]
    async fn collections_are_those_of_items_and_of_documents() {
        let mut table = crate::session::testing::Table::new("platform VARCHAR").await;
        let item = |id: &str, collection: Option<&str>, x: f64, properties| {
            json!({"type": "Feature", "stac_version": "1.0.0", "id": id, "collection": collection, "links": [],
                "assets": {}, "geometry": {"type": "Point", "coordinates": [x, 0.0]}, "properties": properties})
        };
        let day = |day: &str| json!({"datetime": format!("{day}T00:00:00Z")});
        let interval = json!({"datetime": null, "start_datetime": "2019-01-01T00:00:00Z",
            "end_datetime": "2021-01-01T00:00:00Z"});
        let context = table.reading().await;
        let sql = "SELECT id, document, xmin, xmax, year(start_datetime) AS first, year(end_datetime) AS last, items
            FROM collections ORDER BY id";
        let sql = sql.replace("year(", "date_part('year', ");
        assert!(!text(&context, &sql).await.contains("one"), "a table without Items");
        table
            .ingest(&[
                item("a", Some("one"), 1.0, day("2020-05-01")),
                item("b", Some("one"), 3.0, interval),
                item("c", None, 5.0, day("2018-05-01")),
            ])
            .await;
        // Again: an Item counts once.
        table.ingest(&[item("a", Some("one"), 1.0, day("2020-05-01"))]).await;
        let warehouse = Warehouse::open(&table.catalog()).await.unwrap();
        let add = vec![json!({"type": "Collection", "id": "two"}).try_into().unwrap()];
        DocumentChange { add, remove: vec![] }.commit(&warehouse).await.unwrap();
        let found = text(&context, &sql).await;
        let rows: Vec<Vec<&str>> = found.lines().skip(3).map(|l| l.split('|').map(str::trim).collect()).collect();
        assert_eq!(rows[0][1..8], ["one", "", "1.0", "3.0", "2019", "2021", "2"], "{found}");
        assert_eq!(rows[1][1..8], ["two", r#"{"type":"Collection","id":"two"}"#, "", "", "", "", "0"], "{found}");
        assert_eq!(rows.len(), 3, "{found}");
    }

    #[tokio::test]
    async fn rejects_are_those_of_all_runs_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let context = reading(&warehouse).await;
        assert!(text(&context, "SELECT count(*) FROM rejects").await.contains("| 0 "));

        for run in ["r1", "r2"] {
            let path = folder.path().join(format!("wh/_rejects/{run}/x-00000.parquet"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let strings = |s: &str| Arc::new(StringArray::from(vec![s])) as ArrayRef;
            let number = Arc::new(UInt64Array::from(vec![None])) as ArrayRef;
            let columns = REJECTS_SCHEMA.fields().iter().map(|field| match field.name().as_str() {
                "run" => (field.name(), strings(run), false),
                "position" | "byte_offset" | "byte_length" => (field.name(), number.clone(), true),
                name => (field.name(), strings(name), false),
            });
            let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
            let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        let found = text(&context, "SELECT run, position, kind FROM rejects WHERE kind = 'kind' ORDER BY run").await;
        assert!(found.contains("| r1  |          | kind |\n| r2  |          | kind |"), "{found}");
    }
}
