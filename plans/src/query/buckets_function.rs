//! `buckets(table, threshold)`: the rows of a warehouse by bucket.

use std::sync::Arc;

use datafusion::catalog::{TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use earthcatalog_udfs::SessionTables;

use super::stored::stored;
use crate::scan::buckets::{BucketSource, BucketsTable};

/// `buckets(items, threshold)`: the rows of the buckets of a warehouse that have at least `threshold` part files.
///
/// The columns are those of [`BucketsTable`]. `items` is a table of a warehouse, or one of what is staged (`STORED AS
/// CHECKPOINTS`), bare or as text; `threshold` is an integer literal.
#[derive(Debug)]
pub struct BucketsFunction {
    tables: SessionTables,
}

impl BucketsFunction {
    pub const NAME: &str = "buckets";

    /// Finds tables where SQL in this session finds them.
    pub fn new(session: &SessionContext) -> Self {
        Self { tables: SessionTables::new(session) }
    }
}

impl TableFunctionImpl for BucketsFunction {
    fn call(&self, args: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let [table, threshold] = args else {
            return plan_err!("buckets takes a table and a number of files, as in buckets(items, 2)");
        };
        let (name, table) = self.tables.argument(Self::NAME, table)?;
        let Some(source) = BucketSource::of(&stored(table)) else {
            return plan_err!(
                "buckets: table {name} is no warehouse; make it with CREATE EXTERNAL TABLE … STORED AS ICEBERG"
            );
        };
        let threshold = match threshold {
            Expr::Literal(ScalarValue::Int64(Some(n)), _) => usize::try_from(*n).ok(),
            _ => None,
        };
        let Some(threshold) = threshold else {
            return plan_err!(
                "buckets: the threshold of {name} is no whole number from 0; buckets(items, 2) reads the buckets with 2 files or more"
            );
        };
        Ok(Arc::new(BucketsTable::try_new(source, threshold)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::session::testing::over_new_table;

    async fn session(folder: &tempfile::TempDir) -> SessionContext {
        let statements = [
            "CREATE TABLE fresh AS VALUES ('a', '811efffffffffff', TIMESTAMP '2020-05-01T00:00:00Z'),
             ('b', '811efffffffffff', TIMESTAMP '2019-05-01T00:00:00Z'), ('c', '__none__', NULL)",
            "INSERT INTO items (id, grid_partition, datetime) SELECT * FROM fresh",
            "INSERT INTO items (id, grid_partition, datetime) SELECT * FROM fresh WHERE column1 <> 'b'",
        ];
        over_new_table(folder, &statements).await
    }

    async fn count(context: &SessionContext, from: &str) -> i64 {
        let batches = context.sql(&format!("SELECT count(*) FROM {from}")).await.unwrap().collect().await.unwrap();
        batches[0].column(0).as_primitive::<Int64Type>().value(0)
    }

    #[tokio::test]
    async fn buckets_are_chosen_by_their_files_cell_and_year() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&folder).await;
        for (from, rows) in [
            ("buckets(items, 0)", 5),
            ("buckets('items', 2)", 4),
            ("buckets(items, 3)", 0),
            ("buckets(items, 1) WHERE year = 2019", 1),
            ("buckets(items, 1) WHERE year IS NULL", 2),
            ("buckets(items, 1) WHERE grid_partition = '__none__' AND sequence = 2", 1),
            ("buckets(items, 1) WHERE year = 2020 OR id = 'b'", 3),
        ] {
            assert_eq!(count(&context, from).await, rows, "{from}");
        }
        let plan = context.sql("SELECT id FROM buckets(items, 2) WHERE year > 1 AND id > ''").await.unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        let text = datafusion::physical_plan::displayable(plan.as_ref()).indent(false).to_string();
        assert!(text.contains("buckets=1/2, files=2/3") && text.contains("FilterExec: id@"), "{text}");
    }

    #[tokio::test]
    async fn an_overwrite_replaces_the_buckets_that_it_reads_and_no_row_may_leave_its_bucket() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&folder).await;
        let run = async |sql: &str| context.sql(sql).await?.collect().await;
        let columns = "* EXCEPT (year, sequence)";
        // One of the two rows of a bucket goes, and the bucket itself where all do.
        run(&format!(
            "INSERT OVERWRITE items SELECT {columns} FROM buckets(items, 2) WHERE sequence = 1 AND id <> 'c'"
        ))
        .await
        .unwrap();
        assert_eq!(count(&context, "items").await, 2);
        assert_eq!(count(&context, "buckets(items, 2)").await, 0);

        let moved = format!("SELECT '__none__' AS grid_partition, {columns} FROM buckets(items, 1)")
            .replace("EXCEPT (", "EXCEPT (grid_partition, ");
        let insert = "INSERT OVERWRITE items SELECT id, grid_partition, collection, geometry, bbox, xmin, ymin, xmax, ymax, \
                      datetime, start_datetime, mid_datetime, end_datetime, created, updated, platform, stac_version, \
                      stac_extensions, assets, links, properties, extra";
        let error = run(&format!("{insert} FROM ({moved})")).await.unwrap_err().to_string();
        assert!(error.contains("a row must stay in its bucket"), "{error}");
        assert_eq!(count(&context, "items").await, 2);
    }

    /// What a scan says of its partitions holds of two scans of other buckets, too.
    #[tokio::test]
    async fn joins_unions_and_groups_of_several_scans_answer_as_those_of_a_table_of_the_same_rows() {
        let folder = tempfile::tempdir().unwrap();
        let rows = (0..400).map(|i| {
            let (cell, year) = (i * 7 % 13, i * 5 % 11);
            let datetime = if year == 10 { "NULL".to_owned() } else { format!("TIMESTAMP '20{:02}-05-01'", year + 10) };
            let cell = if cell == 12 { "__none__".to_owned() } else { format!("81{:03x}ffffffffff", (cell << 5) | 3) };
            format!("('{i}', '{cell}', {datetime})")
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        let insert = format!("INSERT INTO items (id, grid_partition, datetime) SELECT * FROM (VALUES {rows})");
        let copy = "CREATE TABLE copy AS SELECT id, grid_partition, year FROM buckets(items, 1)";
        let context = over_new_table(&folder, &[insert.as_str(), copy]).await;
        let few =
            "(SELECT * FROM $t WHERE year IN (2010, 2014, 2019) OR grid_partition = '81063ffffffffff' OR year IS NULL)";
        let keys = "a.grid_partition = b.grid_partition AND a.year IS NOT DISTINCT FROM b.year";
        let questions = [
            format!("SELECT a.id, b.id FROM $t a JOIN $t b ON {keys}"),
            format!("SELECT a.id, b.id FROM $t a JOIN {few} b ON {keys}"),
            format!("SELECT a.id, b.id FROM {few} a LEFT JOIN $t b ON {keys}"),
            "SELECT a.id, b.id FROM $t a FULL JOIN (SELECT * FROM $t WHERE year = 2011) b
                 ON a.grid_partition = b.grid_partition AND a.year = b.year"
                .to_owned(),
            format!(
                "SELECT grid_partition, year, count(*) FROM (SELECT * FROM $t UNION ALL SELECT * FROM {few}) GROUP BY 1, 2"
            ),
            format!("SELECT grid_partition, year FROM $t EXCEPT SELECT grid_partition, year FROM {few}"),
            "SELECT grid_partition, year, count(*) FROM $t GROUP BY 1, 2".to_owned(),
            "SELECT year, count(*) FROM $t GROUP BY 1".to_owned(),
            format!("SELECT id, row_number() OVER (PARTITION BY grid_partition, year ORDER BY id) AS n FROM {few}"),
            "SELECT id, row_number() OVER (PARTITION BY year ORDER BY id) AS n FROM $t".to_owned(),
        ];
        for workers in [1, 2, 3, 5] {
            context.sql(&format!("SET datafusion.execution.target_partitions = {workers}")).await.unwrap();
            for question in &questions {
                let [of_scans, of_copy] =
                    ["buckets(items, 1)", "copy"].map(|t| answer(&context, question.replace("$t", t)));
                let (of_scans, of_copy) = (of_scans.await, of_copy.await);
                assert!(of_scans == of_copy, "{workers}: {question}: {} rows, not {}", of_scans.len(), of_copy.len());
            }
        }
    }

    async fn answer(context: &SessionContext, sql: String) -> Vec<String> {
        let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
        let text = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
        let mut rows: Vec<String> = text.lines().skip(3).map(ToOwned::to_owned).collect();
        rows.sort_unstable();
        rows
    }

    #[tokio::test]
    async fn errors_name_the_function_and_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&folder).await;
        for (from, words) in [
            ("buckets(items)", "as in buckets(items, 2)"),
            ("buckets(items, 'many')", "no whole number from 0"),
            ("buckets(items, -1)", "no whole number from 0"),
            ("buckets(fresh, 2)", "table fresh is no warehouse"),
            ("buckets(nothing, 2)", "there is no table nothing"),
        ] {
            let error = context.sql(&format!("SELECT * FROM {from}")).await.unwrap_err().to_string();
            assert!(error.contains(words), "{from}: {error}");
        }
        let twice =
            "INSERT OVERWRITE items SELECT a.* EXCEPT (year, sequence) FROM buckets(items, 1) a, buckets(items, 1) b";
        let error = context.sql(twice).await.unwrap().collect().await.unwrap_err().to_string();
        assert!(error.contains("reads buckets 2 times"), "{error}");
    }
}
