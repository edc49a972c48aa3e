//! What a clean-up removes, and what it must not.

mod concurrency;
mod expiry;
mod model;
mod orphans;
mod run;
mod verify;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use tempfile::TempDir;

use super::reach::{live_files, named};
use super::*;
use crate::model::layout;
use crate::model::part_file::PartFile;
use crate::table::testing::{Row, write_part};
use crate::table::{Change, Committer};

const AT_ONCE: ExpireOptions = ExpireOptions { retain: Some(Duration::ZERO), dry_run: false };
const DRY: ExpireOptions = ExpireOptions { retain: Some(Duration::ZERO), dry_run: true };
/// Long enough for what a test does, and shorter than a day.
const HOUR: ExpireOptions = ExpireOptions { retain: Some(Duration::from_secs(3600)), dry_run: false };

/// A clean-up that must be allowed to do everything.
async fn clean(warehouse: &Warehouse, options: &ExpireOptions) -> Result<ExpireSummary, MaintenanceError> {
    let cleaned = super::clean(warehouse, options).await?;
    assert!(cleaned.refused.is_none(), "{:?}", cleaned.refused);
    Ok(cleaned.summary)
}

/// An existing part file with one row, named as the sink names it.
pub(super) fn part(warehouse: &Warehouse, cell: &str, number: u128) -> PartFile {
    let name = layout::part_file_name(&format!("{number:032x}"), 0, 0);
    write_part(warehouse, cell, name.trim_end_matches(".parquet"), &[Row::new(&number.to_string(), Some((2020, 1, 1)))])
}

pub(super) async fn append(warehouse: &Warehouse, parts: impl IntoIterator<Item = PartFile>) -> i64 {
    let change = Change { add: parts.into_iter().collect(), ..Change::default() };
    Committer::new(warehouse.clone()).commit(change).await.unwrap().snapshot
}

/// Puts `add` in the place of `remove`, as a compaction does.
pub(super) async fn replace(warehouse: &Warehouse, remove: &[PartFile], add: PartFile) -> i64 {
    let remove = remove.iter().map(|part| part.path.clone()).collect();
    let change = Change { add: vec![add], remove, same_rows: true, ..Change::default() };
    Committer::new(warehouse.clone()).commit(change).await.unwrap().snapshot
}

async fn snapshots(warehouse: &Warehouse) -> usize {
    warehouse.load().await.unwrap().metadata.snapshots().len()
}

pub(super) fn file(part: &PartFile) -> PathBuf {
    url::Url::parse(&part.path).unwrap().to_file_path().unwrap()
}

/// Names of all files below the warehouse.
pub(super) fn files(folder: &TempDir) -> BTreeSet<String> {
    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => collect(&path, found),
                false => drop(found.insert(path.file_name().unwrap().to_str().unwrap().to_owned())),
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(&folder.path().join("wh"), &mut found);
    found
}

/// Names of all files that the table names.
pub(super) async fn named_files(warehouse: &Warehouse) -> BTreeSet<String> {
    let state = warehouse.load().await.unwrap();
    let named = named(warehouse.io(), &state.metadata, state.metadata.snapshots()).await.unwrap();
    let data: Vec<_> = live_files(warehouse.io(), named.manifests.values()).try_concat().await.unwrap();
    let log = state.metadata.metadata_log().iter().map(|log| log.metadata_file.clone());
    let all = log.chain([state.metadata_location.clone()]).chain(named.lists).chain(named.manifests.into_keys());
    let name = |location: String| location.rsplit('/').next().unwrap().to_owned();
    all.chain(data.into_iter().map(|file| file.location)).map(name).collect()
}

/// Makes a file look as if it had been written long ago.
fn age(file: &Path, by: Duration) {
    let opened = std::fs::File::options().write(true).open(file).unwrap();
    opened.set_modified(SystemTime::now() - by).unwrap();
}
