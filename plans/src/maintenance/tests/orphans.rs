use std::fs;

use chrono::{TimeDelta, Utc};

use super::*;
use crate::table::leases::Lease;
use crate::table::testing::warehouse;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn only_old_files_of_ours_that_nothing_names_go() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let wh = folder.path().join("wh");
    let live = part(&warehouse, "81a", 1);
    append(&warehouse, [live.clone()]).await;
    let [old, young, lonely] = [("81a", 2), ("81a", 3), ("81c", 4)].map(|(cell, n)| part(&warehouse, cell, n));
    let manifest = wh.join("metadata").join(format!("{}-m0.avro", uuid::Uuid::new_v4()));
    let staged = file(&old).with_extension("parquet#1");
    let foreign = [
        file(&old).with_file_name("mine.parquet"),
        wh.join("notes.txt"),
        wh.join("metadata/version-hint.text"),
        wh.join("_rejects/r1/0199.parquet"),
        wh.join("_checkpoints/r1/0.json"),
    ];
    for path in foreign.iter().chain([&manifest, &staged]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    let aged: Vec<_> = [&live, &old, &lonely].into_iter().map(file).chain([manifest.clone(), staged.clone()]).collect();
    aged.iter().chain(&foreign).for_each(|path| age(path, DAY));
    let before = files(&folder);

    let dry = sweep_orphans(&warehouse, &ExpireOptions { dry_run: true, ..HOUR }).await.unwrap();
    assert_eq!((dry.orphans_removed, files(&folder)), (4, before));
    let done = sweep_orphans(&warehouse, &HOUR).await.unwrap();

    assert_eq!((done.orphans_removed, done.bytes_removed), (4, dry.bytes_removed));
    for gone in [file(&old), file(&lonely), manifest, staged] {
        assert!(!gone.exists(), "{}", gone.display());
    }
    for kept in foreign.iter().chain([&file(&live), &file(&young)]) {
        assert!(kept.exists(), "{}", kept.display());
    }
    assert_eq!(sweep_orphans(&warehouse, &HOUR).await.unwrap().orphans_removed, 0);
    assert!(!wh.join("grid_partition=81c").exists(), "its folder was empty");
}

#[tokio::test]
async fn files_of_an_unfinished_run_stay_and_older_orphans_go() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let old = part(&warehouse, "81a", 1);
    age(&file(&old), DAY);
    let lease = RunLease::begin(&warehouse, "r1").await.unwrap();
    let written = part(&warehouse, "81a", 2);

    assert_eq!(sweep_orphans(&warehouse, &AT_ONCE).await.unwrap().orphans_removed, 1);
    assert!(file(&written).exists() && !file(&old).exists());

    append(&warehouse, [written.clone()]).await;
    lease.release().await.unwrap();
    assert_eq!(clean(&warehouse, &AT_ONCE).await.unwrap().orphans_removed, 0);
    assert!(file(&written).exists());
}

#[tokio::test]
async fn the_lease_of_a_dead_run_protects_nothing_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let mut gone = std::process::Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let dead = Lease { pid: gone.id(), ..Lease::new("r1") };
    let silent = Utc::now() - TimeDelta::minutes(10);
    let elsewhere = Lease { machine: None, started: silent, heartbeat: silent, ..Lease::new("r2") };
    for lease in [dead, elsewhere] {
        let path = folder.path().join("wh").join(layout::run_lease_path(&lease.purpose, &lease.owner));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, serde_json::to_vec(&lease).unwrap()).unwrap();
    }
    let orphan = part(&warehouse, "81a", 1);

    assert_eq!(sweep_orphans(&warehouse, &DRY).await.unwrap().orphans_removed, 1);
    assert_eq!(fs::read_dir(folder.path().join("wh/_runs")).unwrap().count(), 2);
    assert_eq!(sweep_orphans(&warehouse, &AT_ONCE).await.unwrap().orphans_removed, 1);
    assert!(!file(&orphan).exists());
    assert_eq!(fs::read_dir(folder.path().join("wh/_runs")).unwrap().count(), 0);
}

/// A run on another machine, the clock of which is off by hours: what it has written stays while its heart beats.
#[tokio::test]
async fn a_run_with_another_clock_keeps_its_files() {
    for hours in [-5, 5] {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let there = Utc::now() + TimeDelta::hours(hours);
        let mut lease = Lease { machine: None, started: there, heartbeat: there, ..Lease::new("r1") };
        let path = folder.path().join("wh").join(layout::run_lease_path(&lease.purpose, &lease.owner));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let beats = tokio::spawn(async move {
            loop {
                lease.renewals += 1;
                lease.heartbeat = Utc::now() + TimeDelta::hours(hours);
                fs::write(&path, serde_json::to_vec(&lease).unwrap()).unwrap();
                tokio::time::sleep(crate::maintenance::WATCH / 6).await;
            }
        });
        let before = part(&warehouse, "81a", 1);
        age(&file(&before), DAY);
        let written = part(&warehouse, "81a", 2);
        assert_eq!(sweep_orphans(&warehouse, &AT_ONCE).await.unwrap().orphans_removed, 1, "{hours}");
        assert!(file(&written).exists() && !file(&before).exists());
        beats.abort();
        drop(beats.await);
        assert_eq!(sweep_orphans(&warehouse, &AT_ONCE).await.unwrap().orphans_removed, 1, "{hours}");
        assert!(!file(&written).exists());
    }
}

#[tokio::test]
async fn after_a_commit_of_unknown_outcome_the_files_stay_while_the_process_lives() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    let written = part(&warehouse, "81a", 1);
    let mut lease = RunLease::begin(&warehouse, "r1").await.unwrap();
    lease.begin_commit().await.unwrap();
    drop(lease);
    assert_eq!(clean(&warehouse, &AT_ONCE).await.unwrap().orphans_removed, 0);
    assert!(file(&written).exists());
}

#[tokio::test]
async fn a_warehouse_on_an_object_store_is_swept_too() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join("catalog.db").to_str().unwrap().to_owned();
    let url = format!("memory://{}/wh", uuid::Uuid::new_v4());
    let items = crate::table::testing::items();
    let warehouse = Warehouse::open_or_create(&catalog, &url, &items, 1).await.unwrap();
    for n in 1..=2 {
        append(&warehouse, [crate::table::testing::record(&warehouse, "81a", Some(2020), &n.to_string())]).await;
    }
    let orphan = format!("{url}/grid_partition=81a/year=2020/{}", layout::part_file_name(&format!("{:032x}", 7), 0, 0));
    warehouse.io().new_output(&orphan).unwrap().write("x".into()).await.unwrap();

    let done = clean(&warehouse, &AT_ONCE).await.unwrap();

    assert_eq!((done.snapshots_removed, done.orphans_removed), (1, 1));
    assert!(!warehouse.io().exists(&orphan).await.unwrap());
    let (store, root) = crate::stores::stores().locate(warehouse.url()).unwrap();
    let left: Vec<_> = store.list(Some(&root)).try_collect().await.unwrap();
    // Metadata, manifest list, two manifests; the part files were never written.
    assert_eq!(left.len(), 4, "{left:?}");
}

/// Another table's metadata in the folder of this one: what a lost catalog leaves behind.
async fn beside_another_table(folder: &tempfile::TempDir) {
    let elsewhere = tempfile::tempdir().unwrap();
    let other = warehouse(&elsewhere).await;
    append(&other, [part(&other, "81a", 9)]).await;
    for entry in fs::read_dir(elsewhere.path().join("wh/metadata")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join("wh/metadata").join(path.file_name().unwrap())).unwrap();
    }
}

#[tokio::test]
async fn a_folder_in_which_another_tables_metadata_lies_is_not_swept() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    append(&warehouse, [part(&warehouse, "81a", 1)]).await;
    let of_the_other = part(&warehouse, "81a", 2);
    beside_another_table(&folder).await;
    let before = files(&folder);
    for options in [DRY, AT_ONCE] {
        let error = sweep_orphans(&warehouse, &options).await.unwrap_err().to_string();
        assert!(error.contains("another table") && error.contains(".metadata.json"), "{error}");
    }
    assert_eq!(files(&folder), before);
    assert!(file(&of_the_other).exists());
}

#[tokio::test]
async fn older_metadata_of_this_table_that_it_no_longer_names_goes() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = warehouse(&folder).await;
    append(&warehouse, [part(&warehouse, "81a", 1)]).await;
    let metadata = folder.path().join("wh/metadata");
    let first = fs::read_dir(&metadata).unwrap().map(|entry| entry.unwrap().path());
    let first = first.into_iter().find(|path| path.to_str().unwrap().ends_with(".metadata.json")).unwrap();
    let lost = metadata.join(format!("00007-{}.metadata.json", uuid::Uuid::new_v4()));
    fs::copy(first, &lost).unwrap();
    assert_eq!(sweep_orphans(&warehouse, &AT_ONCE).await.unwrap().orphans_removed, 1);
    assert!(!lost.exists());
}
