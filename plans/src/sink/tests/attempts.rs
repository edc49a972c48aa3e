//! Which files an attempt at a partition writes, records and removes.

use std::collections::HashSet;

use arrow::array::AsArray;
use arrow::datatypes::Schema;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::StreamExt;

use super::sample::{ALASKA, GREENLAND, row};
use super::*;
use std::time::Duration;

use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::memory::InMemory;

use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::model::chunk::{ChunkCounts, ChunkId, ChunkOutcome, Reject, RejectKind};
use crate::model::items::NO_CELL;
use crate::model::layout;
use crate::sink::WriteTarget;
use crate::sink::attempt::{Attempt, AttemptMetrics, RowSource};
use crate::sink::format::PartFileFormat;
use crate::sink::upload::removals;
use crate::stores::faults::{Fault, Faults, Faulty};

#[tokio::test]
async fn every_bucket_becomes_a_file_in_its_folder() {
    let mut rows = vec![
        row("a", GREENLAND, "S1A", "2019-05-01T00:00:00Z"),
        row("b", GREENLAND, "S1A", "2020-01-01T00:00:00Z"),
        row("c", GREENLAND, "S1A", "2020-12-31T23:59:59.999999Z"),
        row("d", GREENLAND, "S1A", "2020-12-31T23:59:59.999999Z"),
        row("e", NO_CELL, "S1A", "2020-01-01T00:00:00Z"),
    ];
    rows[3].datetime = None;
    rows[4].point = None;

    let files = write("memory://every-bucket/wh/", &rows).await.unwrap();

    let expected =
        [(GREENLAND, Some(2019), 1), (GREENLAND, Some(2020), 2), (GREENLAND, None, 1), (NO_CELL, Some(2020), 1)];
    assert_eq!(buckets(&files), expected);
    let folder = format!("memory://every-bucket/wh/grid_partition={GREENLAND}/year=__HIVE_DEFAULT_PARTITION__/");
    assert!(files[2].path.starts_with(&folder), "{}", files[2].path);
    assert_eq!(objects("memory://every-bucket/wh/").await.len(), 4);
}

#[tokio::test]
async fn a_bucket_goes_on_over_batches_and_input_order_is_kept() {
    let rows: Vec<_> = (0..50).map(|i| row(format!("{i:02}"), GREENLAND, "S1A", "2020-01-01T00:00:00Z")).collect();
    let batches = rows.chunks(7).map(batch).collect();
    let plan = sink("memory://over-batches/wh/", &[batches]);
    let files = files(&collect(plan, SessionContext::new().task_ctx()).await.unwrap()).unwrap();
    assert_eq!(buckets(&files), [(GREENLAND, Some(2020), 50)]);
    let ids: Vec<_> = rows.iter().map(|row| Some(row.id.as_str())).collect();
    assert_eq!(read(&files[0]).await["id"].as_string::<i32>().iter().collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn each_partition_and_each_execution_writes_files_of_its_own() {
    let rows = vec![batch(&[row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z")])];
    let plan = sink("memory://own-files/wh/", &[rows.clone(), rows, vec![]]);
    let mut paths = HashSet::new();
    for _ in 0..2 {
        let streams = execute_stream_partitioned(plan.clone(), SessionContext::new().task_ctx()).unwrap();
        let per_partition: Vec<_> = futures::stream::iter(streams)
            .then(|stream| async { files(&stream.try_collect::<Vec<_>>().await.unwrap()).unwrap() })
            .collect()
            .await;
        assert_eq!(per_partition.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 0]);
        paths.extend(per_partition.into_iter().flatten().map(|file| file.path));
    }
    assert_eq!(paths.len(), 4);
    let metrics = plan.metrics().unwrap();
    assert_eq!(metrics.sum_by_name("files").unwrap().as_usize(), 4);
    assert_eq!(metrics.sum_by_name("rows").unwrap().as_usize(), 4);
}

#[tokio::test]
async fn a_failed_attempt_leaves_no_file() {
    let mut rows: Vec<_> = (0..300).map(|i| row(format!("{i:03}"), GREENLAND, "S1A", "2020-01-01T00:00:00Z")).collect();
    rows.iter_mut().take(150).for_each(|row| row.cell = ALASKA);
    rows.push(row("x", "822837fffffffff", "S1A", "2020-01-01T00:00:00Z"));
    let batches = rows.chunks(100).map(batch).collect();
    let folder = tempfile::tempdir().unwrap();
    let warehouse = url::Url::from_directory_path(folder.path()).unwrap();
    let plan = sink(warehouse.as_str(), &[batches]);

    let error = collect(plan, SessionContext::new().task_ctx()).await.unwrap_err();

    assert!(error.to_string().contains("cell 822837fffffffff has H3 resolution 2"), "{error}");
    assert_eq!(objects(warehouse.as_str()).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stream_that_is_dropped_half_way_removes_its_files() {
    let rows = batch(&[row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z")]);
    let next = batch(&[row("b", ALASKA, "S1A", "2020-01-01T00:00:00Z")]);
    let metrics = metrics();
    let files_written = metrics.files.clone();
    let schema = rows.schema();
    let attempt = attempt("memory://dropped/wh/", RowSource::Query, metrics);
    // Two buckets, and then an input that never ends.
    let input = futures::stream::iter([Ok(rows), Ok(next)]).chain(futures::stream::pending());
    let mut run = Box::pin(attempt.run(Box::pin(RecordBatchStreamAdapter::new(schema, input)), || None));

    assert!(futures::poll!(&mut run).is_pending());
    assert_eq!(files_written.value(), 1);
    drop(run);

    // The removal runs on this runtime, before anything that is spawned after it.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(objects("memory://dropped/wh/").await, Vec::<String>::new());
}

fn attempt(warehouse: &str, source: RowSource, metrics: AttemptMetrics) -> Attempt {
    let target = target(warehouse);
    let format = Arc::new(PartFileFormat::try_new(&target).unwrap());
    Attempt::try_new(Arc::new(target), format, 0, None, source, metrics).unwrap()
}

fn metrics() -> AttemptMetrics {
    let counter = |name: &'static str| MetricBuilder::new(&ExecutionPlanMetricsSet::new()).counter(name, 0);
    AttemptMetrics {
        files: counter("files"),
        rows: counter("rows"),
        bytes: counter("bytes"),
        encode_time: Default::default(),
        write_time: Default::default(),
    }
}

fn stream(batches: Vec<RecordBatch>) -> SendableRecordBatchStream {
    let schema = batches[0].schema();
    Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches.into_iter().map(Ok))))
}

#[tokio::test]
async fn the_last_record_is_that_of_the_chunk_and_names_its_rejects() {
    // Two Items, one of which is in two cells, and a reject.
    let rows = [
        row("a", ALASKA, "S1A", "2020-01-01T00:00:00Z"),
        row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z"),
        row("b", GREENLAND, "S1A", "2020-01-01T00:00:00Z"),
    ];
    let chunk = ChunkId { file: "file:///items.ndjson".into(), rows: 0..3 };
    let reject = Reject {
        object: "file:///items.ndjson".into(),
        position: Some(2),
        bytes: None,
        kind: RejectKind::MalformedJson,
        message: "expected a value".into(),
    };
    let rejected = [("malformed_json".to_owned(), 1)].into();
    let counts = ChunkCounts { listed: 3, items: 2, rejected, ..Default::default() };
    let outcome = ChunkOutcome { chunk, counts, rejects: vec![reject], ingested: vec![] };

    let input = stream(vec![batch(&rows)]);
    let attempt = attempt("memory://chunk/wh/", RowSource::Chunk { keeps_items: true }, metrics());
    let records = attempt.run(input, || Some(outcome)).await.unwrap().keep().0;

    let Some(SinkRecord::Chunk(record)) = records.last() else { panic!("{records:?}") };
    assert_eq!((records.len(), record.committed), (3, 2));
    assert_eq!(record.fan_out, [(1, 1), (2, 1)].into());
    let rejects = record.rejects.as_ref().unwrap();
    assert!(rejects.starts_with("memory://chunk/wh/_rejects/run-1/"), "{rejects}");
    let (store, path) = stores().locate(&location_url(rejects).unwrap()).unwrap();
    let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
    assert_eq!(ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().metadata().file_metadata().num_rows(), 1);
}

#[tokio::test]
async fn where_rows_may_have_been_dropped_the_committed_items_are_the_ids_that_were_written() {
    let rows = ["a", "b", "a"].map(|id| row(id, ALASKA, "S1A", "2020-01-01T00:00:00Z"));
    let chunk = ChunkId { file: "file:///items.ndjson".into(), rows: 0..9 };
    let counts = ChunkCounts { listed: 9, items: 9, ..Default::default() };
    let outcome = ChunkOutcome { chunk, counts, rejects: vec![], ingested: vec![] };
    let attempt = attempt("memory://ids-written/wh/", RowSource::Chunk { keeps_items: false }, metrics());
    let records = attempt.run(stream(vec![batch(&rows)]), || Some(outcome)).await.unwrap().keep().0;
    let Some(SinkRecord::Chunk(record)) = records.last() else { panic!("{records:?}") };
    assert_eq!((record.committed, &record.rejects), (2, &None));
    assert_eq!((record.counts.items, &record.counts.skipped), (2, &[("filtered".to_owned(), 7)].into()));
}

#[tokio::test]
async fn a_bucket_that_is_larger_than_a_file_may_be_has_several_cut_in_its_order() {
    let rows = |day| batch(&(0..2_001).map(|n| row(n.to_string(), ALASKA, "S1A", day)).collect::<Vec<_>>());
    let days = ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", "2020-01-03T00:00:00Z"];
    let target = WriteTarget { max_file_bytes: 1, ..target("memory://cut/wh/") };
    let format = Arc::new(PartFileFormat::try_new(&target).unwrap());
    let attempt = Attempt::try_new(Arc::new(target), format, 0, None, RowSource::Query, metrics()).unwrap();
    let records = attempt.run(stream(days.map(rows).to_vec()), || None).await.unwrap().keep().0;
    let parts: Vec<_> = records.iter().map(|r| if let SinkRecord::Data(part) = r { part } else { panic!() }).collect();
    assert_eq!(parts.iter().map(|part| part.rows).collect::<Vec<_>>(), [2_001; 3]);
    assert!(parts.iter().all(|part| (part.cell.as_str(), part.year) == (ALASKA, Some(2020))));
    assert_eq!(objects("memory://cut/wh/").await.len(), 3);
}

#[tokio::test]
async fn a_null_in_a_required_column_is_an_error_that_names_it() {
    let rows = batch(&[row("a", ALASKA, "S1A", "2020-01-01T00:00:00Z")]);
    let mut columns = rows.columns().to_vec();
    columns[0] = arrow::array::new_null_array(columns[0].data_type(), 1);
    let nullable = rows.schema().fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(nullable)), columns).unwrap();
    let error = attempt("memory://null-id/wh/", RowSource::Query, metrics())
        .run(stream(vec![rows]), || None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("id of a row is null"), "{error}");
}

/// Its future is dropped when another partition fails, while the checkpoint is being written: then it may be there.
#[tokio::test]
async fn what_a_checkpoint_names_stays_whenever_its_task_is_cancelled() {
    let rows = batch(&[row("a", ALASKA, "S1A", "2020-01-01T00:00:00Z")]);
    let mut cancelled = 0;
    for seed in 0..5_000 {
        // On a busy machine, it takes longer until one is met in the middle.
        if seed >= 120 && cancelled > 0 {
            break;
        }
        let warehouse = location_url(&format!("memory://cancelled-{seed}/wh/")).unwrap();
        let sound = Arc::new(InMemory::new());
        let faults = Arc::new(Faults::new(seed, 0.6, &[Fault::After, Fault::Latency]));
        stores().register_store(&warehouse, Arc::new(Faulty::over(sound.clone(), faults)));
        let folder = warehouse.join("_checkpoints/run/").unwrap();
        let checkpoints = Checkpoints { folder, staged: false, of_job: true };
        let plan = Arc::new(sink(warehouse.as_str(), &[vec![rows.clone()]]).with_checkpoints("run", checkpoints));
        let running = collect(plan, SessionContext::new().task_ctx());
        let ended = tokio::time::timeout(Duration::from_millis(seed % 40), running).await;
        removals().await;
        let checkpoint = format!("wh/_checkpoints/run/partition-00000/{}", layout::CHECKPOINT);
        let Ok(found) = sound.get(&checkpoint.into()).await else { continue };
        cancelled += usize::from(ended.is_err());
        let checkpoint: Checkpoint = serde_json::from_slice(&found.bytes().await.unwrap()).unwrap();
        for file in checkpoint.files {
            let there = sound.head(&format!("wh/{}", file.path).into()).await;
            assert!(there.is_ok(), "seed {seed}: {} is gone, and the checkpoint names it", file.path);
        }
    }
    assert!(cancelled > 0, "no task was cancelled after its checkpoint");
}
