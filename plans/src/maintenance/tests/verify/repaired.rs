//! An enumeration of corruptions that are repaired: nothing goes that is somewhere else, and the table can be asked and written.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::ParquetReadOptions;

use super::corrupted::Corruption::*;
use super::corrupted::Kind::*;
use super::corrupted::{Corruption, Kind, Random, corrupt, kind};
use super::*;
use crate::maintenance::{Finding, Severity, repair};
use crate::query::register_views;
use crate::table::IdChange;

const CORRUPTIONS: [(Kind, &[Corruption]); 6] = [
    (PartFile, &[Gone, Cut, Grown, Swapped, Flipped, Overwritten]),
    (KnownIds, &[Gone, Cut]),
    (IdList, &[Gone, Flipped]),
    (RecordList, &[Gone, Overwritten]),
    (Record, &[Gone, Flipped]),
    (Index, &[Gone, Cut]),
];

/// Ids and notes, which tell versions apart.
type Versions = BTreeSet<(String, String)>;

async fn versions(session: &SessionContext, sql: &str) -> Versions {
    let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
    let text = |batch: &arrow::array::RecordBatch, column: usize, row: usize| {
        arrow::util::display::array_value_to_string(batch.column(column), row).unwrap()
    };
    let of_batch = |batch: &arrow::array::RecordBatch| {
        (0..batch.num_rows()).map(|row| (text(batch, 0, row), text(batch, 1, row))).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of_batch).collect()
}

const ITEMS: &str = "SELECT id, json_get_text(properties, 'note') FROM items";

async fn of_items(world: &World) -> Versions {
    let session = session(2).unwrap();
    register_views(&session, world.folder.path().join("c.db").to_str().unwrap(), None).await.unwrap();
    versions(&session, ITEMS).await
}

/// The versions in each part file.
async fn by_file(world: &World) -> BTreeMap<PathBuf, Versions> {
    let mut found = BTreeMap::new();
    for path in world.files().into_iter().filter(|path| kind(path) == Some(PartFile)) {
        let session = session(1).unwrap();
        session.register_parquet("items", path.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
        found.insert(path, versions(&session, ITEMS).await);
    }
    found
}

/// Corrupts the first of some files that the newest snapshot needs; which it was, and what is found then. Of what only older
/// snapshots need, that is found.
async fn damage(world: &World, files: &[PathBuf], how: Corruption, random: &mut Random) -> Option<(PathBuf, Verified)> {
    for path in files {
        let whole = std::fs::read(path).unwrap();
        corrupt(path, how, files, random)?;
        let found = world.verify(true).await;
        assert!(found.damage > 0, "{how:?} {}", path.display());
        if !found.damaged.is_empty() {
            return Some((path.clone(), found));
        }
        assert!(found.findings.iter().all(is_of_older), "{how:?} {}: {found:#?}", path.display());
        std::fs::write(path, whole).unwrap();
    }
    None
}

fn is_of_older(finding: &Finding) -> bool {
    finding.way_out.contains("only older") || finding.severity == Severity::Notice
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_is_taken_out_and_what_is_elsewhere_stays() {
    let mut random = Random(23);
    let (mut repairs, mut restored, mut lost) = (0, 0, 0);
    for (wanted, corruptions) in CORRUPTIONS {
        for how in corruptions {
            let mut world = World::full().await;
            let (before, mut in_files) = (of_items(&world).await, by_file(&world).await);
            let mut files: Vec<_> = world.files().into_iter().filter(|path| kind(path) == Some(wanted)).collect();
            let first = random.below(files.len());
            files.rotate_left(first);
            let Some((path, found)) = damage(&world, &files, *how, &mut random).await else {
                panic!("{how:?} {wanted:?}: none of the newest snapshot")
            };
            let state = format!("{how:?} {wanted:?} {}", path.display());
            in_files.remove(&path);
            let left: Versions = in_files.into_values().flatten().collect();
            let repaired = repair(&session(2).unwrap(), &world.warehouse().await, &found.damaged).await.unwrap();
            repairs += 1;
            restored += repaired.rows_restored;
            let after = world.verify(true).await;
            assert!(after.damaged.is_empty(), "{state}: {:#?}", after.damaged);
            assert!(after.findings.iter().all(is_of_older), "{state}: {repaired:?} {:#?}", after.findings);

            let now = of_items(&world).await;
            let ids = |versions: &Versions| versions.iter().map(|(id, _)| id.clone()).collect::<BTreeSet<_>>();
            assert!(before.intersection(&left).all(|version| now.contains(version)), "{state}: {before:?}\n{now:?}");
            assert!(ids(&now).is_subset(&ids(&left)) && ids(&left).is_subset(&ids(&now)), "{state}: {left:?}\n{now:?}");
            lost += ids(&before).len() - ids(&now).len();

            // What is lost comes again, and everything else can be done.
            world.ingest_objects(&items(4..6)).await;
            world.ingest(&items(0..9)).await;
            world.compact().await;
            clean(&world.warehouse().await, &AT_ONCE).await.unwrap();
            world.is_whole(&state).await;
            assert!(
                ids(&before).difference(&ids(&of_items(&world).await)).all(|id| !id.starts_with("item-")),
                "{state}"
            );
        }
    }
    println!("{repairs} repairs, {restored} rows restored, {lost} Items lost");
    assert!(repairs >= 12 && restored > 0, "{repairs} repairs, {restored} rows restored, {lost} Items lost");
}

#[tokio::test]
async fn an_item_that_lacks_a_cell_gets_it_back() {
    let world = World::full().await;
    let before = of_items(&world).await;
    let in_files = by_file(&world).await;
    // One whose Items are as they are in other files, too.
    let is_elsewhere = |(path, versions): &(&PathBuf, &Versions)| {
        let others: Versions =
            in_files.iter().filter(|(other, _)| other != path).flat_map(|(_, versions)| versions.clone()).collect();
        versions.iter().all(|version| before.contains(version) && others.contains(version))
    };
    let part = in_files.iter().find(is_elsewhere).unwrap().0;
    let remove = vec![url::Url::from_file_path(part).unwrap().to_string()];
    let change = Change { remove, ids: IdChange::Same, ..Change::default() };
    Committer::new(world.warehouse().await).commit(change).await.unwrap();
    let found = world.verify(true).await;
    assert!(!found.damaged.items.is_empty() && found.damaged.data_files.is_empty(), "{found:#?}");
    let repaired = repair(&session(2).unwrap(), &world.warehouse().await, &found.damaged).await.unwrap();
    assert!(repaired.rows_restored > 0 && repaired.files_removed == 0, "{repaired:?}");
    world.is_whole("repaired").await;
    assert_eq!(of_items(&world).await, before);
}

#[tokio::test]
async fn an_index_whose_file_is_gone_or_cut_is_built_again() {
    let world = World::full().await;
    let index = || world.files().into_iter().filter(|path| kind(path) == Some(Index));
    let build = async || build_item_index(&session(2).unwrap(), &world.warehouse().await).await.unwrap().built;
    assert_eq!((build().await, index().count()), (None, 1));
    let path = index().next().unwrap();
    std::fs::write(&path, "PAR1").unwrap();
    let (cut, _) = build().await.unwrap();
    assert_eq!((index().count(), cut.path.ends_with(name(&path))), (2, false));
    index().for_each(|path| std::fs::remove_file(path).unwrap());
    assert!(build().await.is_some());
    assert_eq!((build().await, index().count()), (None, 1));
}
