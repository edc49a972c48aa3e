//! Nothing is found in a warehouse that is whole, whatever was done to it.

use std::sync::atomic::Ordering;

use super::*;
use crate::maintenance::RunLease;
use crate::table::testing::warehouse;

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_warehouse_has_no_finding_in_any_state() {
    let mut world = World::new().await;
    world.is_whole("empty").await;
    world.ingest(&items(0..5)).await;
    world.is_whole("fresh").await;
    world.ingest(&odd_items()).await;
    world.ingest(&items(3..6)).await;
    world.is_whole("the same Items again").await;
    let mut changed = items(1..3);
    changed.iter_mut().for_each(|item| item["properties"]["note"] = "changed".into());
    world.ingest(&changed).await;
    let moved = item("item-4", 60.0, 10.0, "2023-01-01T00:00:00Z");
    world.ingest(&[moved]).await;
    world.is_whole("new versions, one of them elsewhere").await;
    world.ingest_objects(&items(6..8)).await;
    world.is_whole("with a record of objects").await;
    world.give_collection().await;
    world.is_whole("with a Collection").await;
    build_item_index(&session(2).unwrap(), &world.warehouse().await).await.unwrap();
    world.is_whole("with an index").await;
    world.ingest(&items(8..9)).await;
    world.is_whole("with an index of a part of it").await;
    world.compact().await;
    world.is_whole("compacted").await;
    world.run("DELETE FROM items WHERE id IN ('item-0', 'item-6')").await;
    world.is_whole("with Items deleted, of one of which there is an object").await;
    clean(&world.warehouse().await, &AT_ONCE).await.unwrap();
    world.is_whole("expired").await;
    build_item_index(&session(2).unwrap(), &world.warehouse().await).await.unwrap();
    world.compact().await;
    world.ingest(&items(0..2)).await;
    world.is_whole("and all of it once more").await;

    let verified = world.verify(true).await;
    let rows: u64 = verified.rows;
    assert!(rows > 20 && verified.files > 5 && verified.snapshots > 2, "{verified:?}");
}

#[tokio::test]
async fn how_far_it_is_can_be_asked_for() {
    let world = World::full().await;
    for deep in [false, true] {
        let options = VerifyOptions { deep, ..VerifyOptions::default() };
        let verified = verify(&session(1).unwrap(), &world.warehouse().await, &options).await.unwrap();
        let number = |of: &std::sync::atomic::AtomicU64| of.load(Ordering::Relaxed);
        let progress = &options.progress;
        assert_eq!(number(&progress.files_done), number(&progress.files));
        assert_eq!((number(&progress.files), number(&progress.rows_done)), (verified.files, verified.rows));
    }
}

#[tokio::test]
async fn what_a_run_at_work_has_written_is_no_orphan() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let options = VerifyOptions::default();
    let orphans = async || verify(&session(1).unwrap(), &warehouse, &options).await.unwrap().orphans;
    let lease = RunLease::begin(&warehouse, "r1").await.unwrap();
    part(&warehouse, "81a", 1);
    assert_eq!(orphans().await, 0);
    lease.release().await.unwrap();
    assert_eq!(orphans().await, 1);
}

/// What is committed and expired while files are looked at is no damage.
#[tokio::test(flavor = "multi_thread")]
async fn other_commits_and_clean_ups_meanwhile_are_no_damage() {
    let mut world = World::new().await;
    world.ingest(&items(0..3)).await;
    for round in 0..4 {
        let (opened, reading) = (world.warehouse().await, session(2).unwrap());
        let options = VerifyOptions { deep: round % 2 == 1, ..VerifyOptions::default() };
        let verifying = tokio::spawn(async move { verify(&reading, &opened, &options).await.unwrap() });
        world.ingest(&items(0..2)).await;
        world.compact().await;
        clean(&world.warehouse().await, &AT_ONCE).await.unwrap();
        let verified = verifying.await.unwrap();
        assert_eq!(verified.damage, 0, "{verified:#?}");
    }
    world.is_whole("at the end").await;
}
