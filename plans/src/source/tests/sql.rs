//! SQL around the source: its columns, plans, options and metrics.

use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::displayable;

use super::*;

async fn error(context: &SessionContext, sql: &str) -> DataFusionError {
    match context.sql(sql).await {
        Err(error) => error,
        Ok(frame) => frame.collect().await.unwrap_err(),
    }
}

async fn rows(context: &SessionContext, sql: &str) -> String {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
}

#[tokio::test]
async fn columns_come_from_a_list_or_from_another_table() {
    let folder = Folder::with_items(1);
    let context = session(2).unwrap();
    let location = folder.path("0.json").display().to_string();
    let create = |table: &str, columns: &str, options: &str| {
        format!("CREATE EXTERNAL TABLE {table} {columns} STORED AS STAC LOCATION '{location}' {options}")
    };
    context.sql(&create("listed", r#"(platform VARCHAR, "proj:code" VARCHAR)"#, "")).await.unwrap();
    context.sql(&create("alike", "", "OPTIONS ('like' 'listed')")).await.unwrap();
    context.sql(&create("plain", "", "")).await.unwrap();
    let columns = |table: &str| {
        let sql =
            format!("SELECT string_agg(column_name, ' ') FROM information_schema.columns WHERE table_name = '{table}'");
        let context = context.clone();
        async move { rows(&context, &sql).await }
    };
    let listed = columns("listed").await;
    assert!(
        listed.contains("id collection geometry bbox xmin")
            && listed.contains("updated platform proj_code stac_version")
    );
    assert_eq!(columns("alike").await, listed);
    assert!(!columns("plain").await.contains("platform"));

    let both = error(&context, &create("x", "(platform VARCHAR)", "OPTIONS ('like' 'listed')")).await;
    assert!(both.to_string().contains("give a column list or option 'like', not both"));
    let unknown = error(&context, &create("x", "", "OPTIONS ('like' 'nothing')")).await;
    assert!(unknown.to_string().contains("option 'like': there is no table nothing; create it first"), "{unknown}");
    let typo = error(&context, &create("x", "", "OPTIONS ('chunksize' '1')")).await;
    assert!(is_plan_error(&typo) && typo.to_string().contains("a STAC table has no option 'chunksize'"), "{typo}");
    let column = error(&context, &create("x", "(datetime VARCHAR)", "")).await;
    assert!(column.to_string().contains("column datetime is declared twice"), "{column}");
}

#[tokio::test]
async fn the_plan_names_location_chunks_and_limits() {
    let folder = Folder::with_items(5);
    let location = folder.put("i.csv", "0.json\n1.json\n2.json\n3.json\n4.json\n");
    let context = source(&location, &[("chunk_size", "2"), ("limit", "4")]).await.unwrap();
    let text = |query: &'static str| {
        let context = context.clone();
        async move { displayable(plan(&context, query).await.unwrap().as_ref()).indent(false).to_string() }
    };
    let url = url::Url::from_file_path(&location).unwrap();
    assert_eq!(
        text("SELECT id, datetime FROM source").await,
        format!("StacExec: location={url}, chunks=2, limit=4, projection=[id, datetime]\n")
    );
    assert_eq!(
        text("SELECT id FROM source LIMIT 3").await,
        format!(
            "GlobalLimitExec: skip=0, fetch=3\n  StacExec: location={url}, chunks=2, limit=4, fetch=3, projection=[id]\n"
        )
    );
    let filtered = text("SELECT id FROM source WHERE id = 'x'").await;
    assert!(filtered.starts_with("FilterExec: id@0 = x\n"), "{filtered}");
    let tree = rows(&context, "EXPLAIN FORMAT TREE SELECT id FROM source").await;
    assert!(tree.contains("chunks: 2"), "{tree}");
}

#[tokio::test]
async fn a_limit_in_sql_counts_rows_and_passes_over_rejects() {
    let folder = Folder::with_items(6);
    folder.put("1.json", "no");
    folder.put("2.json", "no");
    let location = folder.put("i.csv", (0..6).map(|n| format!("{n}.json\n")).collect::<String>());
    let context = source(&location, &[("chunk_size", "2")]).await.unwrap();
    let frame = context.sql("SELECT id FROM source LIMIT 3").await.unwrap();
    let batches = frame.collect().await.unwrap();
    let got = batches.iter().flat_map(|b| b.column(0).as_string_view().iter().flatten()).collect::<Vec<_>>();
    assert_eq!(got, ["item-0", "item-3", "item-4"]);
}

#[tokio::test]
async fn no_columns_at_all_still_count() {
    let folder = Folder::with_items(7);
    let context = source(folder.root(), &[("chunk_size", "3")]).await.unwrap();
    let frame = context.sql("SELECT count(*) FROM source").await.unwrap();
    let batches = frame.collect().await.unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0), 7);
}

#[tokio::test]
async fn a_stream_that_is_not_read_to_its_end_has_no_outcome_and_one_that_is_has_one_once() {
    let folder = Folder::with_items(5);
    let context = source(folder.root(), &[]).await.unwrap();
    context.sql("SET datafusion.optimizer.enable_round_robin_repartition = false").await.unwrap();
    let state = context.copied_config().with_batch_size(2);
    let task = Arc::new(datafusion::execution::TaskContext::default().with_session_config(state));
    let plan = plan(&context, "SELECT upper(id) FROM source").await.unwrap();
    assert!(!displayable(plan.as_ref()).indent(false).to_string().contains("Repartition"));
    // Half read, then dropped
    let mut stream = plan.execute(0, Arc::clone(&task)).unwrap();
    stream.try_next().await.unwrap().unwrap();
    drop(stream);
    assert_eq!(chunk_outcome(&plan, 0), None);
    // Read to the end, with operators above
    let batches = plan.execute(0, task).unwrap().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(batches.iter().map(|b| b.num_rows()).sum::<usize>(), 5);
    assert_eq!(chunk_outcome(&plan, 0).unwrap().counts.items, 5);
    assert_eq!(chunk_outcome(&plan, 0), None);
}

#[tokio::test]
async fn metrics_tell_items_rejects_and_bytes() {
    let folder = Folder::with_items(3);
    folder.put("1.json", "no");
    let context = source(folder.root(), &[]).await.unwrap();
    let plan = plan(&context, "SELECT id FROM source").await.unwrap();
    read_plan(&context, Arc::clone(&plan)).await.unwrap();
    let metrics = plan.metrics().unwrap();
    let value = |name: &str| metrics.sum_by_name(name).unwrap().as_usize();
    assert_eq!((value("items"), value("rejects")), (2, 1));
    assert_eq!(value("bytes_fetched"), 2 * item("item-0").len() + 2);
    assert_eq!(metrics.output_rows(), Some(2));
    assert!(value("decode_time") > 0 && value("fetch_time") > 0);
}

#[tokio::test]
async fn of_many_chunks_as_many_are_open_as_there_are_workers() {
    let folder = Folder::with_items(5);
    // Of two workers.
    let context = source(folder.root(), &[("chunk_size", "1")]).await.unwrap();
    let plan = context.table("source").await.unwrap().create_physical_plan().await.unwrap();
    let mut partitions = execute_stream_partitioned(plan, context.task_ctx()).unwrap();
    assert_eq!(partitions.len(), 5);
    async fn soon(
        partition: &mut SendableRecordBatchStream,
    ) -> std::result::Result<Result<Option<RecordBatch>>, tokio::time::error::Elapsed> {
        tokio::time::timeout(Duration::from_secs(1), partition.try_next()).await
    }
    for partition in &mut partitions[..2] {
        assert_eq!(soon(partition).await.unwrap().unwrap().unwrap().num_rows(), 1);
    }
    assert!(soon(&mut partitions[2]).await.is_err(), "it waits for its turn");
    // One ends, another is dropped.
    assert!(soon(&mut partitions[0]).await.unwrap().unwrap().is_none());
    partitions.remove(1);
    for partition in &mut partitions[1..3] {
        assert_eq!(soon(partition).await.unwrap().unwrap().unwrap().num_rows(), 1);
    }
}
