//! The one place that binds functions, table providers, rules and stores to a session.

#[cfg(test)]
mod deletes_of_others;
mod file_tables;
mod inventory_factory;
mod schema;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod times;

use std::num::NonZero;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, Session, TableProvider};
use datafusion::common::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionContext;
use earthcatalog_udfs::{H3Fanout, Microseconds};

use self::file_tables::FileTables;
use self::inventory_factory::InventoryTableFactory;
use self::schema::SessionSchema;
use crate::call::CallPlanner;
use crate::query::{
    BucketsFunction, ChangesFunction, IngestedFunction, ItemsTable, RefuseWrongAnswers, optimizer_rules,
};
use crate::run::{CommitPlanner, InsertIntoWarehouse};
use crate::runtime::{BalancedPredicates, RunOptions, within};
use crate::scan::{StagedTable, StagedTableFactory, WarehouseTable, WarehouseTableFactory};
use crate::search::StacSearch;
use crate::sink::{ROW_GROUP_ROWS, WriteGeoParquetPlanner};
use crate::source::{ProbeItems, StacTableFactory};
use crate::wire::PlannedPlanner;

/// A session in which all of earthcatalog's SQL works.
///
/// `workers` is the number of partitions that run at once.
pub fn session(workers: usize) -> Result<SessionContext> {
    session_within(workers, None)
}

/// As [`session`]; sorts that together take more than `memory` bytes go on on disk.
pub fn session_within(workers: usize, memory: Option<usize>) -> Result<SessionContext> {
    let (config, runtime) = within(workers, memory)?;
    // A partition of a source is a chunk, and stays one task from scan to sink; scans of files fill the workers anyhow.
    let config = config
        // For a single partition, DataFusion plans windows and joins in another way: it gathers all rows first.
        .with_target_partitions(workers.max(2))
        .with_round_robin_repartition(false)
        .with_information_schema(true)
        .with_option_extension(RunOptions { workers: NonZero::new(workers), ..RunOptions::default() })
        // COPY keeps a row group in memory, and rows of Items are wide.
        .set_usize("datafusion.execution.parquet.max_row_group_size", ROW_GROUP_ROWS)
        // What min and max tell a scan of the values that they have makes it leave out others (docs/design/upstream.md).
        .set_bool("datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown", false)
        // The order of a search is that of `stac_search(…)`, which is a subquery to DataFusion.
        .set_bool("datafusion.sql_parser.enable_subquery_sort_elimination", false)
        // Scans of a table whose schema was changed find columns by field ids, which stand in the schema of the plan that runs.
        .set_bool("datafusion.execution.skip_physical_aggregate_schema_check", true)
        // A scan by bucket is partitioned well enough for whatever goes by bucket, be it in one partition.
        .set_usize("datafusion.optimizer.subset_repartition_threshold", 1);
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_analyzer_rules(analyzer_rules())
        .with_analyzer_rule(Arc::new(RefuseWrongAnswers))
        .with_analyzer_rule(Arc::new(InsertIntoWarehouse))
        .with_optimizer_rules(optimizer_rules())
        .with_physical_optimizer_rules(physical_optimizer_rules())
        .with_query_planner(Arc::new(Planner));
    let factories = state.table_factories().get_or_insert_default();
    factories.insert("STAC".into(), Arc::new(StacTableFactory));
    factories.insert("ICEBERG".into(), Arc::new(WarehouseTableFactory));
    factories.insert("INVENTORY".into(), Arc::new(InventoryTableFactory));
    factories.insert("CHECKPOINTS".into(), Arc::new(StagedTableFactory));
    let context = SessionContext::new_with_state(state.build());
    let catalog = MemoryCatalogProvider::new();
    let config = context.copied_config();
    let names = &config.options().catalog;
    catalog.register_schema(&names.default_schema, Arc::new(SessionSchema::new(FileTables::new(&context))))?;
    context.register_catalog(&names.default_catalog, Arc::new(catalog));
    geodatafusion::register(&context);
    earthcatalog_udfs::register(&context)?;
    let fanout = H3Fanout::new(&context).with_tables(h3_resolution_of);
    context.register_udtf(H3Fanout::NAME, Arc::new(fanout));
    context.register_udtf(BucketsFunction::NAME, Arc::new(BucketsFunction::new(&context)));
    context.register_udtf(StacSearch::NAME, Arc::new(StacSearch::new(&context)));
    context.register_udtf(ChangesFunction::NAME, Arc::new(ChangesFunction::new(&context)));
    context.register_udtf(IngestedFunction::NAME, Arc::new(IngestedFunction::new(&context)));
    Ok(context)
}

/// The H3 resolution of a table of a warehouse.
fn h3_resolution_of(table: &dyn TableProvider) -> Option<u8> {
    let warehouse = match (table.downcast_ref::<WarehouseTable>(), table.downcast_ref::<StagedTable>()) {
        (Some(stored), _) => stored.warehouse(),
        (None, Some(staged)) => staged.staging().warehouse(),
        (None, None) => table.downcast_ref::<ItemsTable>()?.warehouse(),
    };
    Some(warehouse.h3_resolution())
}

/// DataFusion's analyzer rules, behind the one that makes times microseconds.
fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let ours: Arc<dyn AnalyzerRule + Send + Sync> = Arc::new(Microseconds);
    std::iter::once(ours).chain(Analyzer::new().rules).collect()
}

/// DataFusion's rules for physical plans, one of ours before it selects joins, and one when filters are where they stay.
fn physical_optimizer_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let first: Arc<dyn PhysicalOptimizerRule + Send + Sync> = Arc::new(ProbeItems);
    let last: Arc<dyn PhysicalOptimizerRule + Send + Sync> = Arc::new(BalancedPredicates);
    std::iter::once(first).chain(PhysicalOptimizer::new().rules).chain([last]).collect()
}

/// Makes a session one that writes nothing, as `SET earthcatalog.dry_run = true` does.
pub fn dry_run(context: &SessionContext) {
    let state = context.state_ref();
    let mut state = state.write();
    if let Some(options) = state.config_mut().options_mut().extensions.get_mut::<RunOptions>() {
        options.dry_run = true;
    }
}

/// DataFusion's planner, which also knows our nodes.
#[derive(Debug)]
struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![
            Arc::new(CallPlanner),
            Arc::new(CommitPlanner),
            Arc::new(WriteGeoParquetPlanner),
            Arc::new(PlannedPlanner),
        ]);
        planner.create_physical_plan(plan, session).await
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use tokio::runtime::Runtime;

    use super::*;

    /// Of a table `t` (id, x, y). Between scan and aggregate no filter gathers rows, and the statistics have none of the answers.
    const QUESTIONS: [&str; 20] = [
        "SELECT min(x), min(y) FILTER (WHERE id >= 0) FROM t",
        "SELECT min(x), max(x), max(y) FILTER (WHERE id >= 0) FROM t",
        "SELECT min(x), max(y + 1) FROM t",
        "SELECT max(abs(x)), max(y) FROM t",
        "SELECT min(x), max(y) FILTER (WHERE x IS NULL) FROM t",
        "SELECT min(x) FILTER (WHERE y > 0), min(y) FILTER (WHERE x > 0) FROM t",
        "SELECT max(x), sum(y) FROM t WHERE id >= 0",
        "SELECT y, min(x) FROM t GROUP BY y",
        "SELECT y, min(x) AS m FROM t GROUP BY y ORDER BY m NULLS LAST, y LIMIT 2",
        "SELECT DISTINCT x FROM t ORDER BY x NULLS FIRST LIMIT 2",
        "SELECT x, y FROM t ORDER BY x, y LIMIT 2",
        "SELECT x, y FROM t ORDER BY x NULLS FIRST, y DESC LIMIT 3",
        "SELECT x, y FROM t ORDER BY x DESC NULLS LAST, y DESC NULLS FIRST LIMIT 3",
        "SELECT count(*), sum(a.x) FROM t a JOIN t b ON a.x = b.y",
        "SELECT count(*), sum(a.x) FROM t a JOIN t b ON a.x IS NOT DISTINCT FROM b.y",
        "SELECT count(*), sum(a.x), sum(b.y) FROM t a LEFT JOIN t b ON a.x = b.y AND a.y > b.x",
        "SELECT count(*), sum(a.x), sum(b.y) FROM t a FULL JOIN t b ON a.x = b.y",
        "SELECT count(*), sum(x) FROM t WHERE x IN (SELECT y FROM t WHERE x > 0)",
        "SELECT count(*), sum(x) FROM t WHERE x NOT IN (SELECT y FROM t WHERE y > 0)",
        "SELECT count(*), sum(x) FROM t a WHERE NOT EXISTS (SELECT 1 FROM t b WHERE a.x = b.y AND b.x > 0)",
    ];

    type Row = (Option<i8>, Option<i8>);

    /// Answers to [`QUESTIONS`]; `t` is a table in memory, or one of as many files.
    async fn answers(groups: &[Vec<Row>], files: Option<&std::path::Path>) -> Vec<String> {
        let context = session(2).unwrap();
        let run = async |sql: String| context.sql(&sql).await.unwrap().collect().await.unwrap();
        let number = |n: Option<i8>| n.map_or("NULL".to_owned(), |n| n.to_string());
        let mut parts = vec![];
        for (id, group) in groups.iter().enumerate() {
            let rows: Vec<_> = group.iter().map(|(x, y)| format!("({id}, {}, {})", number(*x), number(*y))).collect();
            let rows = format!(
                "SELECT CAST(a AS INT) AS id, CAST(b AS INT) AS x, CAST(c AS INT) AS y FROM (VALUES {}) AS v(a, b, c)",
                rows.join(", ")
            );
            if let Some(folder) = files {
                run(format!("COPY ({rows}) TO '{}/{id}.parquet'", folder.display())).await;
            }
            parts.push(rows);
        }
        match files {
            Some(folder) => {
                run(format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{}/'", folder.display())).await
            }
            None => run(format!("CREATE TABLE t AS {}", parts.join(" UNION ALL "))).await,
        };
        let mut answers = vec![];
        for question in QUESTIONS {
            let rows = pretty_format_batches(&run(question.to_owned()).await).unwrap().to_string();
            // Without ORDER BY, rows come in any order.
            let mut lines: Vec<_> = rows.lines().collect();
            if !question.contains("ORDER BY") {
                lines.sort_unstable();
            }
            answers.push(format!("{question}\n{}", lines.join("\n")));
        }
        answers
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// What an operator tells a scan while it runs loses no row.
        #[test]
        fn answers_over_files_are_those_over_memory(
            groups in vec(vec((option::of(-2..3_i8), option::of(-2..3_i8)), 1..3), 1..10),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let (files, memory) = Runtime::new().unwrap().block_on(async {
                (answers(&groups, Some(folder.path())).await, answers(&groups, None).await)
            });
            for (of_files, of_memory) in files.into_iter().zip(memory) {
                prop_assert_eq!(of_files, of_memory);
            }
        }
    }

    #[tokio::test]
    async fn copy_keeps_no_more_in_memory_than_the_rows_of_a_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.parquet");
        let sql = format!("COPY (SELECT * FROM generate_series(1, 250000)) TO '{}'", path.display());
        session(2).unwrap().sql(&sql).await.unwrap().collect().await.unwrap();
        let file = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
        let groups: Vec<_> = file.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        assert_eq!((groups.iter().sum::<i64>(), groups.len()), (250_000, 3), "{groups:?}");
    }
}
