//! What a commit looks after where its files may be of an earlier start of the same run.
//!
//! That start may have died between its commit and the checkpoint that says so. Its snapshot may have expired since, with
//! the files that a compaction replaced.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt};
use iceberg::io::FileIO;
use iceberg::spec::ManifestFile;
use object_store::ObjectStoreExt;
use url::Url;

use super::error::{Result, WarehouseError};
use super::location::to_location;
use super::manifests;
use crate::model::part_file::PartFile;
use crate::stores::{ObjectError, stores};

/// Files that are looked for at a time.
const CONCURRENCY: usize = 32;

/// Manifests that are in memory at a time.
const MANIFESTS: usize = 8;

/// Errors where a file to add is live already.
pub(super) async fn refuse_live(io: &FileIO, live: &[ManifestFile], add: &[PartFile]) -> Result<()> {
    let cells: HashSet<&str> = add.iter().map(|part| part.cell.as_str()).collect();
    let add: HashSet<String> = add.iter().map(|part| location_of(&part.path)).collect::<Result<_>>()?;
    let likely = live.iter().filter(|manifest| manifests::may_hold(manifest, cells.iter().copied()));
    let likely: Vec<_> = likely.cloned().collect();
    let mut paths = vec![];
    for manifests in likely.chunks(MANIFESTS) {
        for (_, files) in manifests::list(io, manifests.to_vec()).await? {
            paths.extend(files.into_iter().map(|file| file.location).filter(|location| add.contains(location)));
        }
    }
    if paths.is_empty() { Ok(()) } else { Err(WarehouseError::AlreadyLive { paths }) }
}

/// Errors where a file to add is not in the store as it was written.
pub(super) async fn check_exist(add: &[PartFile]) -> Result<()> {
    let files: Vec<_> = add.iter().map(|part| (part.path.clone(), part.bytes)).collect();
    let heads = futures::stream::iter(files).map(|(path, bytes)| async move {
        let (store, key) = stores().locate(&parsed(&path)?)?;
        match store.head(&key).await {
            Ok(meta) if meta.size == bytes => Ok(None),
            Ok(meta) => Ok(Some((path, format!("it has {} bytes, not {bytes}", meta.size)))),
            Err(object_store::Error::NotFound { .. }) => Ok(Some((path, "it is not there".to_owned()))),
            Err(e) => Err(WarehouseError::from(ObjectError::store(path)(e))),
        }
    });
    let damaged: Vec<_> =
        heads.buffered(CONCURRENCY).try_filter_map(|damaged| std::future::ready(Ok(damaged))).try_collect().await?;
    let count = damaged.len();
    match damaged.into_iter().next() {
        None => Ok(()),
        Some((path, reason)) => Err(WarehouseError::MissingPartFiles { count, path, reason }),
    }
}

fn location_of(url: &str) -> Result<String> {
    to_location(&parsed(url)?)
}

fn parsed(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|e| WarehouseError::InvalidLocation { location: url.to_owned(), reason: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::super::commit::{Change, Committer};
    use super::super::committed_runs::{needless_notes, noted};
    use super::super::state::RUN;
    use super::super::testing::{Row, warehouse, write_part};
    use super::*;

    fn resumed(parts: &[PartFile], run: &str) -> Change {
        let summary = [(RUN.to_owned(), run.to_owned())].into();
        Change { add: parts.to_vec(), summary, resumable: true, ..Change::default() }
    }

    #[tokio::test]
    async fn a_resumed_run_adds_nothing_that_is_live_or_gone_or_that_it_has_committed() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let parts = ["a", "b"].map(|name| write_part(&warehouse, "81a", name, &[Row::new(name, Some((2020, 1, 1)))]));
        let committer = Committer::new(warehouse.clone());
        let first = committer.commit(resumed(&parts[..1], "r-1")).await.unwrap().snapshot;
        let state = warehouse.load().await.unwrap();
        assert_eq!(noted(&state.metadata, "r-1"), Some(first));

        let error = committer.commit(resumed(&parts[1..], "r-1")).await.unwrap_err();
        assert!(matches!(error, WarehouseError::CommittedBefore { snapshot, .. } if snapshot == first), "{error}");
        let error = committer.commit(resumed(&parts, "r-2")).await.unwrap_err();
        assert!(matches!(&error, WarehouseError::AlreadyLive { paths } if paths.len() == 1), "{error}");
        let file = parsed(&parts[1].path).unwrap().to_file_path().unwrap();
        std::fs::write(&file, "").unwrap();
        let error = committer.commit(resumed(&parts[1..], "r-2")).await.unwrap_err().to_string();
        assert!(error.contains("it has 0 bytes"), "{error}");
        std::fs::remove_file(&file).unwrap();
        let error = committer.commit(resumed(&parts[1..], "r-2")).await.unwrap_err().to_string();
        assert!(error.contains("it is not there") && error.contains("--discard"), "{error}");
        assert_eq!(warehouse.load().await.unwrap().metadata_location, state.metadata_location);
        assert_eq!(needless_notes(&state.metadata, []).len(), 1);
    }
}
