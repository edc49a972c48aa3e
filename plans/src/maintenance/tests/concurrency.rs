use sqlx::{Connection, SqliteConnection};

use super::*;
use crate::table::WarehouseError;
use crate::table::testing::warehouse;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appends_and_replacements_beside_clean_ups_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    warehouse(&folder).await;
    let catalog = folder.path().join("catalog.db").to_str().unwrap().to_owned();
    let writers = (0..3u128).map(|writer| {
        let catalog = catalog.clone();
        tokio::spawn(async move {
            let warehouse = Warehouse::open(&catalog).await.unwrap();
            let mut live = vec![];
            for n in 0..8 {
                let mut lease = RunLease::begin(&warehouse, &format!("{writer}-{n}")).await.unwrap();
                let new = part(&warehouse, ["81a", "81b"][n as usize % 2], writer * 1000 + n);
                lease.begin_commit().await.unwrap();
                // Every third time one file takes the place of all.
                if n % 3 == 2 {
                    replace(&warehouse, &live, new.clone()).await;
                    live.clear();
                } else {
                    append(&warehouse, [new.clone()]).await;
                }
                lease.release().await.unwrap();
                live.push(new);
            }
            live
        })
    });
    let writers: Vec<_> = writers.collect();
    let cleaners = (0..2).map(|_| {
        let catalog = catalog.clone();
        tokio::spawn(async move {
            let warehouse = Warehouse::open(&catalog).await.unwrap();
            for _ in 0..6 {
                clean(&warehouse, &AT_ONCE).await.unwrap();
            }
        })
    });
    let cleaners: Vec<_> = cleaners.collect();
    let mut live = BTreeSet::new();
    for writer in writers {
        live.extend(
            writer.await.unwrap().iter().map(|part| file(part).file_name().unwrap().to_str().unwrap().to_owned()),
        );
    }
    for cleaner in cleaners {
        cleaner.await.unwrap();
    }
    let warehouse = Warehouse::open(&catalog).await.unwrap();
    clean(&warehouse, &AT_ONCE).await.unwrap();
    let data = |files: BTreeSet<String>| files.into_iter().filter(|f| f.ends_with(".parquet")).collect::<BTreeSet<_>>();
    assert_eq!(data(named_files(&warehouse).await), live);
    assert_eq!(data(files(&folder)), live);
    assert_eq!(files(&folder), named_files(&warehouse).await);
    assert_eq!(snapshots(&warehouse).await, 1);
}

/// Runs SQL in the catalog.
pub(super) async fn in_catalog(warehouse: &Warehouse, sql: &str) {
    let url = format!("sqlite://{}", warehouse.catalog());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn with_two_snapshots(folder: &TempDir) -> Warehouse {
    let warehouse = warehouse(folder).await;
    let one = part(&warehouse, "81a", 1);
    append(&warehouse, [one.clone()]).await;
    replace(&warehouse, &[one], part(&warehouse, "81a", 2)).await;
    warehouse
}

#[tokio::test]
async fn an_unknown_outcome_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = with_two_snapshots(&folder).await;
    // A catalog that fails in the middle of a commit, and is unreadable then.
    let fail = "CREATE TRIGGER fail AFTER UPDATE ON iceberg_tables
                BEGIN DELETE FROM iceberg_tables; SELECT RAISE(FAIL, 'disk on fire'); END";
    in_catalog(&warehouse, fail).await;
    let before = files(&folder);

    let error = expire_snapshots(&warehouse, &AT_ONCE).await.unwrap_err();

    assert!(matches!(error, MaintenanceError::UnknownOutcome { .. }), "{error}");
    let after = files(&folder);
    assert!(after.is_superset(&before));
    // What may have become visible, and the lease that protects it.
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.len() == 2 && new.iter().all(|name| name.ends_with(".json")), "{new:?}");
}

#[tokio::test]
async fn an_outcome_that_turns_out_to_be_a_success_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = with_two_snapshots(&folder).await;
    let fail = "CREATE TRIGGER fail AFTER UPDATE ON iceberg_tables BEGIN SELECT RAISE(FAIL, 'disk on fire'); END";
    in_catalog(&warehouse, fail).await;
    let done = expire_snapshots(&warehouse, &AT_ONCE).await.unwrap();
    assert_eq!((done.snapshots_removed, done.data_files_removed), (1, 1));
    assert_eq!(files(&folder), named_files(&warehouse).await);
}

#[tokio::test]
async fn a_catalog_that_refuses_leaves_everything_as_it_was_or_as_orphans() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = with_two_snapshots(&folder).await;
    in_catalog(
        &warehouse,
        "CREATE TRIGGER fail BEFORE UPDATE ON iceberg_tables BEGIN SELECT RAISE(ABORT, 'disk on fire'); END",
    )
    .await;
    let before = files(&folder);
    let error = expire_snapshots(&warehouse, &AT_ONCE).await.unwrap_err();
    assert!(matches!(error, MaintenanceError::Warehouse(WarehouseError::Contention { .. })), "{error}");
    assert!(files(&folder).is_superset(&before));
    assert_eq!(snapshots(&warehouse).await, 2);

    in_catalog(&warehouse, "DROP TRIGGER fail").await;
    clean(&warehouse, &AT_ONCE).await.unwrap();
    assert_eq!(files(&folder), named_files(&warehouse).await);
}
