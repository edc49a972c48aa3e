//! [`InsertIntoWarehouse`]: the rule that makes an INSERT, a DELETE or an UPDATE a write by workers and a commit by the head.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{DmlStatement, LogicalPlan, WriteOp};
use datafusion::optimizer::AnalyzerRule;

use super::commit_node::Outcome;
use super::commit_plan::commit;
use super::delete::rows_without_matches;
use super::update::rows_with_values;
use crate::scan::buckets::{BucketSource, BucketsTable};
use crate::scan::{StagedTable, WarehouseTable};
use crate::table::Warehouse;

/// Rewrites `Dml(Insert, into a warehouse)` to `Commit(WriteGeoParquet(input))`, under EXPLAIN as well; and
/// `Dml(Delete, from a warehouse)` to the same, over the rows that stay of the buckets concerned.
#[derive(Debug, Default)]
pub struct InsertIntoWarehouse;

impl AnalyzerRule for InsertIntoWarehouse {
    fn name(&self) -> &str {
        "insert_into_warehouse"
    }

    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_down(|plan| match plan {
            LogicalPlan::Dml(dml) => rewrite(dml, config),
            other => Ok(Transformed::no(other)),
        })?;
        Ok(rewritten.data)
    }
}

fn rewrite(dml: DmlStatement, config: &ConfigOptions) -> Result<Transformed<LogicalPlan>> {
    // A target of another kind is none of ours.
    let Ok(provider) = source_as_provider(&dml.target) else { return Ok(Transformed::no(LogicalPlan::Dml(dml))) };
    let (warehouse, outcome, input) = if let Some(table) = provider.downcast_ref::<WarehouseTable>() {
        if let Some(reason) = table.refuses_rows() {
            return Err(reason.into());
        }
        match dml.op {
            WriteOp::Delete => {
                let rows = rows_without_matches(&dml, &provider)?;
                (table.warehouse(), Outcome::RemoveItems { objects: Arc::default() }, Arc::new(rows))
            }
            WriteOp::Update => (table.warehouse(), Outcome::UpdateItems, Arc::new(rows_with_values(&dml, &provider)?)),
            _ => (table.warehouse(), outcome(&dml, table)?, Arc::clone(&dml.input)),
        }
    } else if let Some(table) = provider.downcast_ref::<StagedTable>() {
        if !matches!(dml.op, WriteOp::Insert(InsertOp::Append)) {
            return plan_err!("{} on {}: staged rows are inserted, and not changed", dml.op, dml.table_name);
        }
        let outcome = Outcome::Stage(Arc::clone(table.staging()));
        (table.staging().warehouse(), outcome, Arc::clone(&dml.input))
    } else {
        return Ok(Transformed::no(LogicalPlan::Dml(dml)));
    };
    let commit = commit(warehouse, outcome, input, config)?;
    Ok(Transformed::yes(commit))
}

/// What becomes of rows that are inserted into a warehouse.
fn outcome(dml: &DmlStatement, table: &WarehouseTable) -> Result<Outcome> {
    let name = &dml.table_name;
    let WriteOp::Insert(op) = &dml.op else {
        return plan_err!("{} on {name}: Items are inserted, updated and deleted in statements of their own", dml.op);
    };
    let read = buckets_read(&dml.input, table.warehouse())?;
    match (op, read.as_slice()) {
        (_, [_, _, ..]) => plan_err!(
            "the query reads buckets {} times; read them once, so that each bucket has one replacement",
            read.len()
        ),
        (InsertOp::Append, [BucketSource::Staged(staging)]) => Ok(Outcome::AppendStaged(Arc::clone(staging))),
        (InsertOp::Append, _) => Ok(Outcome::Append),
        (_, [BucketSource::Table(..)]) => Ok(Outcome::ReplaceBuckets),
        _ => plan_err!(
            "{} {name}: what is replaced are the buckets that the query reads, and this one reads none; select from buckets({name}, 2), or add rows with INSERT INTO",
            dml.op
        ),
    }
}

/// The buckets of a warehouse that a query reads.
fn buckets_read(query: &LogicalPlan, warehouse: &Warehouse) -> Result<Vec<BucketSource>> {
    let mut read = vec![];
    query.apply_with_subqueries(|plan| {
        if let LogicalPlan::TableScan(scan) = plan
            && let Ok(provider) = source_as_provider(&scan.source)
            && let Some(buckets) = provider.downcast_ref::<BucketsTable>()
            && buckets.source().warehouse().url() == warehouse.url()
        {
            read.push(buckets.source().clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::run::Commit;
    use crate::table::testing::warehouse;

    async fn context(folder: &tempfile::TempDir) -> SessionContext {
        let context = crate::session::session(2).unwrap();
        let warehouse = warehouse(folder).await;
        context.register_table("old", Arc::new(WarehouseTable::at_snapshot(warehouse.clone(), 1))).unwrap();
        context.register_table("items", Arc::new(WarehouseTable::new(warehouse))).unwrap();
        context
    }

    async fn optimized(context: &SessionContext, sql: &str) -> Result<String> {
        let plan = context.state().create_logical_plan(sql).await?;
        Ok(context.state().optimize(&plan)?.display_indent().to_string())
    }

    #[tokio::test]
    async fn an_insert_is_a_commit_of_what_a_sink_writes_under_explain_too() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(&folder).await;
        let insert = "INSERT INTO items (id, grid_partition, latitude) SELECT 'a', '81a', x FROM (SELECT 1 AS x)";
        for sql in [insert.to_owned(), format!("EXPLAIN {insert}")] {
            let plan = optimized(&context, &sql).await.unwrap();
            let nodes: Vec<&str> = plan.lines().map(|line| line.trim().split(':').next().unwrap()).collect();
            let nodes = nodes.strip_prefix(&["Explain"]).unwrap_or(&nodes);
            assert_eq!(nodes[..4], ["Commit", "WriteGeoParquet", "Projection", "EmptyRelation"], "{plan}");
        }
    }

    #[tokio::test]
    async fn the_session_names_the_run_and_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(&folder).await;
        for set in ["SET earthcatalog.run = 'r7'", "SET earthcatalog.max_rejects = '3'"] {
            context.sql(set).await.unwrap().collect().await.unwrap();
        }
        let plan = context.state().create_logical_plan("INSERT INTO items SELECT * FROM items").await.unwrap();
        let LogicalPlan::Extension(node) = context.state().optimize(&plan).unwrap() else { panic!("no commit") };
        let commit = node.node.as_any().downcast_ref::<Commit>().unwrap();
        assert_eq!((commit.target.run.as_str(), commit.target.max_rejects.unwrap().to_string()), ("r7", "3".into()));
    }

    #[tokio::test]
    async fn what_a_warehouse_cannot_do_is_refused_in_the_words_of_the_statement() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(&folder).await;
        for (sql, words) in [
            ("INSERT OVERWRITE items SELECT * FROM items", "Insert Overwrite items: what is replaced are the buckets"),
            ("INSERT INTO old SELECT * FROM items", "fixed to snapshot 1"),
            ("DELETE FROM old WHERE id = 'a'", "fixed to snapshot 1"),
            ("DELETE FROM items WHERE grid_partition = '81a'", "has no column grid_partition"),
            ("UPDATE items SET id = 'a'", "column id cannot be set"),
            ("UPDATE old SET stac_version = '1.0.0'", "fixed to snapshot 1"),
            ("UPDATE items SET stac_version = grid_partition", "has no column grid_partition"),
            ("UPDATE items SET stac_version = 'a' WHERE grid_partition = '81a'", "has no column grid_partition"),
            ("UPDATE items SET stac_version = 'a' WHERE random() < 0.5", "other Items each time"),
            (
                "UPDATE items SET stac_version = o.id FROM old o WHERE o.id = items.id",
                "UPDATE ... FROM is not supported",
            ),
        ] {
            let error = optimized(&context, sql).await.unwrap_err().to_string();
            assert!(error.contains(words), "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn a_row_without_an_id_or_a_cell_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(&folder).await;
        for (column, values) in [("id", "NULL, '811efffffffffff'"), ("grid_partition", "'a', NULL")] {
            let insert = format!("INSERT INTO items (id, grid_partition) SELECT {values}");
            let error = context.sql(&insert).await.unwrap().collect().await.unwrap_err().to_string();
            assert!(error.contains(&format!("{column} of a row is null")), "{error}");
            assert!(error.contains(&format!("WHERE {column} IS NOT NULL")), "{error}");
        }
    }

    #[tokio::test]
    async fn inserted_rows_are_read_back_and_each_statement_is_a_snapshot() {
        let folder = tempfile::tempdir().unwrap();
        let f = folder.path().display();
        let context = crate::session::session(2).unwrap();
        let run = async |sql: &str| {
            let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
            datafusion::arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
        };
        run(&format!(
            "CREATE EXTERNAL TABLE items (platform VARCHAR, latitude DOUBLE) STORED AS ICEBERG LOCATION '{f}/wh'
             OPTIONS ('catalog' '{f}/catalog.db', 'h3_resolution' '1')"
        ))
        .await;
        run("CREATE TABLE fresh AS VALUES
            ('a', '811efffffffffff', TIMESTAMP '2020-05-01T00:00:00Z', 1.5),
            ('b', '811efffffffffff', TIMESTAMP '2019-05-01T00:00:00Z', 2.5),
            ('c', '__none__', NULL, NULL)")
        .await;
        let insert = "INSERT INTO items (id, grid_partition, datetime, latitude) SELECT * FROM fresh";
        assert!(run(insert).await.contains("| 3     |"));
        assert!(run("INSERT INTO items SELECT * FROM items WHERE id = 'b'").await.contains("| 1     |"));
        assert!(run("INSERT INTO items SELECT * FROM items WHERE false").await.contains("| 0     |"));

        let found = run("SELECT id, grid_partition, datetime, latitude FROM items ORDER BY id, grid_partition").await;
        insta::assert_snapshot!(found, @r"
        +----+-----------------+----------------------+----------+
        | id | grid_partition  | datetime             | latitude |
        +----+-----------------+----------------------+----------+
        | a  | 811efffffffffff | 2020-05-01T00:00:00Z | 1.5      |
        | b  | 811efffffffffff | 2019-05-01T00:00:00Z | 2.5      |
        | b  | 811efffffffffff | 2019-05-01T00:00:00Z | 2.5      |
        | c  | __none__        |                      |          |
        +----+-----------------+----------------------+----------+
        ");
        let plan = run(&format!("EXPLAIN {insert}")).await;
        assert!(plan.contains("CommitExec: table=earthcatalog.items"), "{plan}");
        let warehouse = crate::table::Warehouse::open(&format!("{f}/catalog.db")).await.unwrap();
        assert_eq!(warehouse.load().await.unwrap().metadata.snapshots().len(), 2);
    }

    /// Of six partitions two are under way: a join that waits for all of them would wait for ever.
    #[tokio::test]
    async fn rows_of_a_join_with_more_partitions_than_workers_are_inserted() {
        let table = super::super::testing::filled().await;
        let insert = "INSERT INTO items SELECT i.* FROM (SELECT * FROM items UNION ALL SELECT * FROM items UNION ALL SELECT * FROM items) i
             LEFT SEMI JOIN (SELECT 'i2' AS id UNION ALL SELECT 'i3') k ON k.id = i.id";
        let inserted = super::super::testing::changed(&table, insert);
        let inserted = tokio::time::timeout(std::time::Duration::from_secs(120), inserted).await;
        assert!(inserted.expect("in time").unwrap() >= 6);
    }
}
