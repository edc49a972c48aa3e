//! A run that commits through [`CommitExec`], and its lease.

use std::sync::Arc;

use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::physical_plan::{ExecutionPlan, collect};

use super::concurrency::in_catalog;
use super::*;
use crate::model::part_file::{SINK_SCHEMA, SinkRecord, encode};
use crate::run::{CommitExec, CommitTarget, Outcome};
use crate::table::WarehouseError;
use crate::table::testing::warehouse;

async fn run(warehouse: &Warehouse, run: &str, part: &PartFile) -> datafusion::common::Result<()> {
    let records = encode(&[SinkRecord::Data(part.clone())]).unwrap();
    let sink = MemorySourceConfig::try_new_exec(&[vec![records]], SINK_SCHEMA.clone(), None).unwrap();
    let (warehouse, run) = (warehouse.clone(), run.to_owned());
    let target = CommitTarget {
        warehouse,
        run,
        kind: None,
        max_rejects: None,
        outcome: Outcome::Append,
        keeps_newest: false,
        identity: None,
        commit_every: None,
    };
    let commit: Arc<dyn ExecutionPlan> = Arc::new(CommitExec::new(sink, Arc::new(target)));
    collect(commit, crate::session::session(1).unwrap().task_ctx()).await.map(drop)
}

fn leases(folder: &TempDir) -> usize {
    std::fs::read_dir(folder.path().join("wh/_runs")).unwrap().count()
}

#[tokio::test]
async fn a_run_that_ended_well_or_badly_holds_no_lease() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    run(&warehouse, "r1", &part(&warehouse, "81a", 1)).await.unwrap();
    assert_eq!(leases(&folder), 0);
    let nowhere = PartFile { path: "nowhere".to_owned(), ..part(&warehouse, "81a", 2) };
    let error = run(&warehouse, "r2", &nowhere).await.unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
    assert_eq!(leases(&folder), 0);
}

#[tokio::test]
async fn after_a_commit_of_unknown_outcome_lease_and_files_stay() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    in_catalog(
        &warehouse,
        "CREATE TRIGGER fail AFTER UPDATE ON iceberg_tables
         BEGIN DELETE FROM iceberg_tables; SELECT RAISE(FAIL, 'disk on fire'); END",
    )
    .await;
    let written = part(&warehouse, "81a", 1);
    let error = run(&warehouse, "r1", &written).await.unwrap_err();
    let datafusion::common::DataFusionError::External(error) = error else { panic!("{error}") };
    assert!(matches!(error.downcast_ref(), Some(WarehouseError::UnknownOutcome { .. })), "{error}");
    assert!(file(&written).exists());
    assert_eq!(leases(&folder), 1);
}
