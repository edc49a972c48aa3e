use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;
use std::sync::Arc;

use super::*;
use crate::maintenance::documents;
use crate::model::task_files::RecordFile;
use crate::scan::WarehouseTable;
use crate::table::ingest_record::RecordList;
use crate::table::testing::{commit_metadata, record, warehouse};

/// Sum of the ids that a table holds.
async fn sum(context: &SessionContext, table: &str) -> i64 {
    let query = format!("SELECT sum(CAST(id AS BIGINT)) FROM {table}");
    let batches = context.sql(&query).await.unwrap().collect().await.unwrap();
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

#[tokio::test]
async fn without_a_retention_one_snapshot_stays_and_every_file_is_named_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let parts = [1, 2, 3].map(|n| part(&warehouse, "81a", n));
    for part in &parts {
        append(&warehouse, [part.clone()]).await;
    }
    let other = part(&warehouse, "81b", 4);
    append(&warehouse, [other.clone()]).await;
    let merged = part(&warehouse, "81a", 6);
    replace(&warehouse, &parts, merged.clone()).await;
    let before = files(&folder);

    let dry = clean(&warehouse, &DRY).await.unwrap();
    assert_eq!(files(&folder), before);
    assert_eq!(snapshots(&warehouse).await, 5);

    let done = clean(&warehouse, &AT_ONCE).await.unwrap();
    assert_eq!(snapshots(&warehouse).await, 1);
    assert_eq!(files(&folder), named_files(&warehouse).await);
    assert!(parts.iter().all(|part| !file(part).exists()));
    assert!(file(&merged).exists() && file(&other).exists());
    assert!(warehouse.load().await.unwrap().metadata.metadata_log().is_empty());
    assert_eq!((done.snapshots_removed, done.data_files_removed, done.orphans_removed), (4, 3, 0));
    // Five lists, of which four; three manifests of removed files; five older metadata files and the one before the last.
    let gone = before.difference(&files(&folder)).count() as u64;
    assert_eq!(done.metadata_files_removed + done.data_files_removed, gone);
    assert_eq!(ExpireSummary { seconds: 0.0, ..dry }, ExpireSummary { seconds: 0.0, ..done });

    let context = crate::session::session(1).unwrap();
    context.register_table("items", Arc::new(WarehouseTable::new(warehouse.clone()))).unwrap();
    assert_eq!(sum(&context, "items").await, 10);
    let again = clean(&warehouse, &AT_ONCE).await.unwrap();
    assert_eq!(ExpireSummary { seconds: 0.0, ..again }, ExpireSummary::default());
    assert_eq!(files(&folder), named_files(&warehouse).await);
}

#[tokio::test]
async fn a_live_file_stays_though_the_manifest_that_added_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let [one, two, three] = [1, 2, 3].map(|n| part(&warehouse, "81a", n));
    append(&warehouse, [one.clone(), two.clone()]).await;
    replace(&warehouse, std::slice::from_ref(&one), three.clone()).await;
    let done = clean(&warehouse, &AT_ONCE).await.unwrap();
    assert_eq!((done.snapshots_removed, done.data_files_removed), (1, 1));
    assert!(!file(&one).exists() && file(&two).exists() && file(&three).exists());
}

#[tokio::test]
async fn a_table_stays_writable_after_a_clean_up() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    for n in 1..=3 {
        append(&warehouse, [part(&warehouse, "81a", n)]).await;
        clean(&warehouse, &AT_ONCE).await.unwrap();
        let reopened = Warehouse::open(&warehouse.catalog().to_string()).await.unwrap();
        assert_eq!(snapshots(&reopened).await, 1);
        let total = reopened.load().await.unwrap().metadata.current_snapshot().unwrap().summary().clone();
        assert_eq!(total.additional_properties["total-records"], n.to_string());
    }
    assert_eq!(files(&folder), named_files(&warehouse).await);
}

#[tokio::test]
async fn a_snapshot_that_was_replaced_just_now_stays_however_old_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let [one, two] = [1, 2].map(|n| part(&warehouse, "81a", n));
    let first = append(&warehouse, [one.clone(), two.clone()]).await;
    let context = crate::session::session(1).unwrap();
    context.register_table("old", Arc::new(WarehouseTable::at_snapshot(warehouse.clone(), first))).unwrap();
    let planned = context.sql("SELECT sum(CAST(id AS BIGINT)) FROM old").await.unwrap();
    let planned = planned.create_physical_plan().await.unwrap();
    replace(&warehouse, &[one.clone(), two.clone()], part(&warehouse, "81a", 3)).await;
    for old in [&one, &two] {
        age(&file(old), Duration::from_secs(7 * 24 * 3600));
    }

    let done = clean(&warehouse, &ExpireOptions::default()).await.unwrap();
    assert_eq!(ExpireSummary { seconds: 0.0, ..done }, ExpireSummary::default());

    let batches = datafusion::physical_plan::collect(planned, context.task_ctx()).await.unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), 3);
    assert_eq!(sum(&context, "old").await, 3, "a new plan on the old snapshot works, too");
}

#[tokio::test]
async fn a_snapshot_with_a_tag_stays_with_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let [one, two] = [1, 2].map(|n| part(&warehouse, "81a", n));
    let tagged = append(&warehouse, [one.clone()]).await;
    replace(&warehouse, std::slice::from_ref(&one), two.clone()).await;
    tag(&warehouse, tagged).await;
    replace(&warehouse, std::slice::from_ref(&two), part(&warehouse, "81a", 3)).await;

    let done = clean(&warehouse, &AT_ONCE).await.unwrap();
    assert_eq!((done.snapshots_removed, done.data_files_removed), (1, 1));
    assert!(file(&one).exists() && !file(&two).exists());
    assert!(warehouse.load().await.unwrap().metadata.snapshot_for_ref("kept").is_some());
    assert_eq!(files(&folder), named_files(&warehouse).await);
}

/// Another engine names a snapshot.
async fn tag(warehouse: &Warehouse, snapshot: i64) {
    use iceberg::spec::{SnapshotReference, SnapshotRetention};
    let base = warehouse.load().await.unwrap();
    let builder = base.next();
    let retention = SnapshotRetention::Tag { max_ref_age_ms: None };
    let next = builder.set_ref("kept", SnapshotReference { snapshot_id: snapshot, retention }).unwrap();
    let next = next.build().unwrap().metadata;
    commit_metadata(warehouse, &base, next).await;
}

#[tokio::test]
async fn an_empty_table_has_nothing_to_expire() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let done = clean(&warehouse, &AT_ONCE).await.unwrap();
    assert_eq!(ExpireSummary { seconds: 0.0, ..done }, ExpireSummary::default());
    assert_eq!(files(&folder), named_files(&warehouse).await);
}

#[tokio::test]
async fn files_outside_the_warehouse_stay() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let foreign = folder.path().join("elsewhere.parquet");
    std::fs::write(&foreign, "x").unwrap();
    let url = url::Url::from_file_path(&foreign).unwrap();
    let part = PartFile { path: url.into(), ..record(&warehouse, "81a", Some(2020), "1") };
    append(&warehouse, [part.clone()]).await;
    replace(&warehouse, &[part], record(&warehouse, "81a", Some(2020), "2")).await;
    let done = clean(&warehouse, &AT_ONCE).await.unwrap();
    assert_eq!((done.snapshots_removed, done.data_files_removed), (1, 0));
    assert!(foreign.exists());
}

#[tokio::test]
async fn many_small_manifests_become_few_and_keep_their_entries_history() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    for n in 0..12 {
        // In turn, so that every manifest reaches over all cells.
        let cells = ["81a", "81b", "81c"].map(|cell| record(&warehouse, cell, Some(2020), &format!("{n}")));
        append(&warehouse, cells).await;
    }
    let before = entries(&warehouse).await;
    let keep = ExpireOptions::default();
    assert_eq!(merge_manifests(&warehouse, &DRY).await.unwrap().manifests_merged, 12);
    assert_eq!(snapshots(&warehouse).await, 12);

    assert_eq!(merge_manifests(&warehouse, &keep).await.unwrap().manifests_merged, 12);

    let state = warehouse.load().await.unwrap();
    let current = state.metadata.current_snapshot().unwrap();
    let summary = current.summary();
    assert_eq!(summary.operation.as_str(), "replace");
    assert_eq!(summary.additional_properties["total-data-files"], "36");
    let manifests = crate::table::manifests::live_manifests(warehouse.io(), &state.metadata, current).await.unwrap();
    assert_eq!(manifests.len(), 1);
    assert_eq!(manifests[0].existing_files_count, Some(36));
    assert_eq!(entries(&warehouse).await, before, "snapshots and sequence numbers are the original ones");

    assert_eq!(merge_manifests(&warehouse, &keep).await.unwrap().manifests_merged, 0);
    assert_eq!(snapshots(&warehouse).await, 13);
}

/// Path, snapshot, sequence numbers of every live entry.
async fn entries(warehouse: &Warehouse) -> BTreeSet<(String, i64, i64, Option<i64>)> {
    let state = warehouse.load().await.unwrap();
    let current = state.metadata.current_snapshot().unwrap();
    let manifests = crate::table::manifests::live_manifests(warehouse.io(), &state.metadata, current).await.unwrap();
    let mut entries = BTreeSet::new();
    for manifest in manifests {
        for entry in manifest.load_manifest(warehouse.io()).await.unwrap().entries() {
            let (snapshot, sequence) = (entry.snapshot_id().unwrap(), entry.sequence_number().unwrap());
            entries.insert((entry.file_path().to_owned(), snapshot, sequence, entry.file_sequence_number));
        }
    }
    entries
}

/// Another engine changes the table.
async fn change(
    warehouse: &Warehouse,
    change: impl FnOnce(iceberg::spec::TableMetadataBuilder) -> iceberg::spec::TableMetadataBuilder,
) {
    let base = warehouse.load().await.unwrap();
    let builder = base.next();
    let next = change(builder).build().unwrap().metadata;
    commit_metadata(warehouse, &base, next).await;
}

async fn set(warehouse: &Warehouse, property: &str, value: &str) {
    let properties = [(property.to_owned(), value.to_owned())].into();
    change(warehouse, |builder| builder.set_properties(properties).unwrap()).await;
}

#[tokio::test]
async fn where_the_table_forbids_it_no_file_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let one = part(&warehouse, "81a", 1);
    append(&warehouse, [one.clone()]).await;
    replace(&warehouse, std::slice::from_ref(&one), part(&warehouse, "81a", 2)).await;
    part(&warehouse, "81a", 3);
    set(&warehouse, "gc.enabled", "false").await;
    let before = files(&folder);
    for options in [DRY, AT_ONCE] {
        let error = expire_snapshots(&warehouse, &options).await.unwrap_err().to_string();
        assert!(error.contains("gc.enabled"), "{error}");
        let error = sweep_orphans(&warehouse, &options).await.unwrap_err().to_string();
        assert!(error.contains("gc.enabled"), "{error}");
    }
    assert_eq!(files(&folder), before);
    set(&warehouse, "gc.enabled", "true").await;
    assert_eq!(expire_snapshots(&warehouse, &AT_ONCE).await.unwrap().data_files_removed, 1);
}

#[tokio::test]
async fn so_many_snapshots_stay_as_the_table_wants_to_keep() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    for n in 1..=5 {
        append(&warehouse, [part(&warehouse, "81a", n)]).await;
    }
    set(&warehouse, "history.expire.min-snapshots-to-keep", "3").await;
    assert_eq!(expire_snapshots(&warehouse, &AT_ONCE).await.unwrap().snapshots_removed, 2);
    let metadata = std::sync::Arc::clone(&warehouse.load().await.unwrap().metadata);
    let mut sequences: Vec<_> = metadata.snapshots().map(|s| s.sequence_number()).collect();
    sequences.sort();
    assert_eq!(sequences, [3, 4, 5]);
}

#[tokio::test]
async fn a_branch_has_a_retention_of_its_own() {
    use iceberg::spec::{SnapshotReference, SnapshotRetention};
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let mut ids = vec![];
    for n in 1..=5 {
        ids.push(append(&warehouse, [part(&warehouse, "81a", n)]).await);
    }
    let retention =
        SnapshotRetention::Branch { min_snapshots_to_keep: Some(2), max_snapshot_age_ms: None, max_ref_age_ms: None };
    let reference = SnapshotReference { snapshot_id: ids[1], retention };
    change(&warehouse, |builder| builder.set_ref("two", reference).unwrap()).await;
    assert_eq!(expire_snapshots(&warehouse, &AT_ONCE).await.unwrap().snapshots_removed, 2);
    let metadata = std::sync::Arc::clone(&warehouse.load().await.unwrap().metadata);
    let kept: Vec<_> = (0..5).filter(|n| metadata.snapshot_by_id(ids[*n]).is_some()).collect();
    assert_eq!(kept, [0, 1, 4], "the branch's two, and the current one");

    let retention = SnapshotRetention::Branch {
        min_snapshots_to_keep: None,
        max_snapshot_age_ms: Some(24 * 60 * 60 * 1000),
        max_ref_age_ms: None,
    };
    let reference = SnapshotReference { snapshot_id: ids[1], retention };
    change(&warehouse, |builder| builder.set_ref("two", reference).unwrap()).await;
    assert_eq!(
        expire_snapshots(&warehouse, &AT_ONCE).await.unwrap().snapshots_removed,
        0,
        "they are younger than a day"
    );
}

#[tokio::test]
async fn without_a_retention_of_ours_the_tables_counts() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    for n in 1..=3 {
        append(&warehouse, [part(&warehouse, "81a", n)]).await;
    }
    assert_eq!(expire_snapshots(&warehouse, &ExpireOptions::default()).await.unwrap().snapshots_removed, 0);
    set(&warehouse, "history.expire.max-snapshot-age-ms", "0").await;
    assert_eq!(expire_snapshots(&warehouse, &ExpireOptions::default()).await.unwrap().snapshots_removed, 2);
}

/// Commits a file of the ingest record with each part file; the location of the list.
async fn ingest(warehouse: &Warehouse, number: u128) -> String {
    let path = format!("{}_ingested/{number}.parquet", warehouse.url());
    let file = url::Url::parse(&path).unwrap().to_file_path().unwrap();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, "x").unwrap();
    let ingested = vec![RecordFile { path, rows: 1, bytes: 1, newest: None }];
    let change = Change { add: vec![part(warehouse, "81a", number)], ingested, ..Change::default() };
    Committer::new(warehouse.clone()).commit(change).await.unwrap();
    warehouse.load().await.unwrap().inherited(RecordList::PROPERTY).unwrap().to_owned()
}

fn remove(location: &str) {
    std::fs::remove_file(url::Url::parse(location).unwrap().to_file_path().unwrap()).unwrap();
}

#[tokio::test]
async fn a_list_that_went_with_its_state_is_not_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    ingest(&warehouse, 1).await;
    let older = warehouse.load().await.unwrap();
    let newer = ingest(&warehouse, 2).await;
    // Another clean-up goes by.
    clean(&warehouse, &AT_ONCE).await.unwrap();
    let gone = RecordList::of(&warehouse, &older).await.unwrap_err().to_string();
    assert!(gone.contains("start again"), "{gone}");
    let now = warehouse.load().await.unwrap();
    assert_eq!(RecordList::of(&warehouse, &now).await.unwrap().files.len(), 2);
    // Another engine knows nothing of the list, and of the state that names it.
    remove(&newer);
    assert_eq!(RecordList::of(&warehouse, &now).await.unwrap(), RecordList::default());
}

#[tokio::test]
async fn a_clean_up_that_another_one_overtakes_deletes_nothing_that_is_needed() {
    for is_overtaken in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        ingest(&warehouse, 1).await;
        let list = ingest(&warehouse, 2).await;
        let state = warehouse.load().await.unwrap();
        let snapshots: BTreeMap<i64, _> = state.metadata.snapshots().map(|s| (s.sequence_number(), s)).collect();
        let (expired, stays) = (snapshots[&1], snapshots[&2]);
        // Given a clean-up that knows two snapshots, whose record another one has deleted since,
        if is_overtaken {
            ingest(&warehouse, 3).await;
        }
        remove(&list);
        // then only what another engine deleted says that nothing is needed.
        let doomed = documents::only_in(&warehouse, &state, [expired], &[stays]).await.unwrap();
        assert_eq!(doomed.is_empty(), is_overtaken, "{doomed:?}");
    }
}

#[tokio::test]
async fn clean_ups_at_once_end_well_and_leave_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    for round in 0..12 {
        ingest(&warehouse, round).await;
        let others: Vec<Warehouse> = futures::future::join_all(
            (0..4).map(|_| async { Warehouse::open(&warehouse.catalog().to_string()).await.unwrap() }),
        )
        .await;
        let cleaned = others.iter().map(|other| clean(other, &AT_ONCE));
        for cleaned in futures::future::join_all(cleaned).await {
            cleaned.unwrap();
        }
    }
    let state = warehouse.load().await.unwrap();
    let files = RecordList::of(&warehouse, &state).await.unwrap().files;
    assert_eq!(files.len(), 12);
    for file in files {
        assert!(url::Url::parse(&file.path).unwrap().to_file_path().unwrap().exists(), "{file:?}");
    }
}
