//! Which plan the sink runs in.

use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Schema};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session};
use datafusion::common::DataFusionError;
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;

use super::sample::{ALASKA, GREENLAND, row};
use super::*;
use crate::sink::{WriteGeoParquet, WriteGeoParquetPlanner};

#[tokio::test]
async fn rows_with_other_columns_are_refused_before_anything_runs() {
    let target = target("memory://columns/wh/");
    let schema = Arc::new(Schema::new(target.schema.table_schema().fields()[1..].to_vec()));
    let input = MemorySourceConfig::try_new_exec(&[vec![]], schema, None).unwrap();
    let error = WriteGeoParquetExec::try_new(input, Arc::new(target)).unwrap_err();
    assert!(matches!(error, DataFusionError::Plan(_)), "{error}");
}

#[derive(Debug)]
struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(WriteGeoParquetPlanner)]);
        planner.create_physical_plan(plan, session).await
    }
}

async fn planned(partitions: Vec<Vec<RecordBatch>>, warehouse: &str) -> (Arc<dyn ExecutionPlan>, SessionContext) {
    let state = SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(8))
        .with_default_features()
        .with_query_planner(Arc::new(Planner))
        .build();
    let context = SessionContext::new_with_state(state);
    let target = target(warehouse);
    let table = MemTable::try_new(target.schema.table_schema().clone(), partitions).unwrap();
    context.register_table("rows", Arc::new(table)).unwrap();
    let input = context.sql("SELECT * FROM rows").await.unwrap().into_unoptimized_plan();
    let node = WriteGeoParquet { input: Arc::new(input), target: Arc::new(target) };
    let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    (context.state().create_physical_plan(&plan).await.unwrap(), context)
}

#[tokio::test]
async fn the_planner_adds_one_sort_within_each_partition_and_nothing_else() {
    let rows = vec![batch(&[row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z")])];
    let (plan, _) = planned(vec![rows.clone(), rows.clone(), rows], "memory://plan/wh/").await;
    insta::assert_snapshot!(displayable(plan.as_ref()).indent(false), @"
    WriteGeoParquetExec: warehouse=memory://plan/wh/
      SortExec: expr=[grid_partition@1 ASC NULLS LAST, date_part(year, datetime@9) ASC NULLS LAST, platform@15 ASC NULLS LAST, datetime@9 ASC NULLS LAST], preserve_partitioning=[true]
        DataSourceExec: partitions=3, partition_sizes=[1, 1, 1]
    ");
}

#[tokio::test]
async fn rows_are_sorted_within_each_file() {
    let mut rows = [
        row("5", GREENLAND, "S1A", "2020-07-01T00:00:00Z"),
        row("1", GREENLAND, "LC08", "2020-09-01T00:00:00Z"),
        row("9", ALASKA, "S1A", "2021-01-01T00:00:00Z"),
        row("6", GREENLAND, "zzz", "2020-01-01T00:00:00Z"),
        row("8", ALASKA, "S1A", "2020-05-01T00:00:00Z"),
        row("4", GREENLAND, "S1A", "2020-03-01T00:00:00Z"),
        row("7", GREENLAND, "LC08", "2020-01-01T00:00:00Z"),
    ];
    rows[3].platform = None;
    rows[6].datetime = None;
    for (i, row) in rows.iter_mut().enumerate() {
        row.percent = Some(i as i32);
    }
    let (plan, context) = planned(vec![vec![batch(&rows[..3]), batch(&rows[3..])]], "memory://sorted/wh/").await;

    let files = files(&collect(plan, context.task_ctx()).await.unwrap()).unwrap();

    let mut found = vec![];
    for file in &files {
        let rows = read(file).await;
        let percent = rows["percent_valid_pixels"].as_primitive::<Int32Type>().values().to_vec();
        found.push((file.cell.as_str(), file.year, percent));
    }
    let expected = [
        (GREENLAND, Some(2020), vec![1, 5, 0, 3]),
        (GREENLAND, None, vec![6]),
        (ALASKA, Some(2020), vec![4]),
        (ALASKA, Some(2021), vec![2]),
    ];
    assert_eq!(found, expected);
    let group = open(&files[0]).await.metadata().row_group(0).clone();
    let sorting: Vec<_> = group.sorting_columns().unwrap().iter().map(|s| s.column_idx as usize).collect();
    let names: Vec<_> = sorting.iter().map(|i| group.column(*i).column_path().string()).collect();
    assert_eq!(names, ["platform", "datetime"]);
}
