//! [`sync`]: has a local disk keep what was written, whatever happens to the power.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use url::Url;

use super::ObjectError;

/// Files that are synced at a time: a file system writes its journal once for all that wait for it.
const CONCURRENCY: usize = 16;

/// Files of one blocking task.
const FILES_AT_ONCE: usize = 64;

/// Files from which on whole file systems are synced: 16,000 files of one ingest, one by one, took four times as long as all
/// else, and the kernel's time for it was five times the program's own.
#[cfg(target_os = "linux")]
const MANY: usize = 100;

/// Folders above a file that may be new with it: that of its year, of its cell, and of the warehouse.
const FOLDERS: usize = 3;

/// Syncs files, then the folders in which they are, each once; those that are not on a local disk, or gone, are left out.
///
/// Whoever names files durably calls this first. A store has done as much when it answers.
pub(crate) async fn sync(urls: impl IntoIterator<Item = Url>) -> Result<(), ObjectError> {
    let files = urls.into_iter().filter(|url| url.scheme() == "file").filter_map(|url| url.to_file_path().ok());
    let files: Vec<PathBuf> = files.collect();
    let folders = files.iter().flat_map(|file| file.ancestors().skip(1).take(FOLDERS).map(Path::to_owned));
    let folders: BTreeSet<PathBuf> = folders.collect();
    #[cfg(target_os = "linux")]
    if files.len() >= MANY {
        let synced = tokio::task::spawn_blocking(move || sync_file_systems(&folders));
        return synced.await.map_err(|e| ObjectError::file("sync")(io::Error::other(e)))?;
    }
    sync_all(files).await?;
    // The innermost first: a folder is entered in the one above it.
    sync_all(folders.into_iter().rev().collect()).await
}

/// Syncs the file systems on which folders are, each once, with all that is on them.
#[cfg(target_os = "linux")]
fn sync_file_systems(folders: &BTreeSet<PathBuf>) -> Result<(), ObjectError> {
    use std::os::unix::fs::MetadataExt;

    let mut synced = BTreeSet::new();
    for folder in folders {
        let failed = |e: io::Error| ObjectError::file(folder.display().to_string())(e);
        let opened = match File::open(folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            opened => opened.map_err(failed)?,
        };
        if synced.insert(opened.metadata().map_err(failed)?.dev()) {
            rustix::fs::syncfs(&opened).map_err(|e| failed(e.into()))?;
        }
    }
    Ok(())
}

async fn sync_all(paths: Vec<PathBuf>) -> Result<(), ObjectError> {
    let chunks: Vec<_> = paths.chunks(FILES_AT_ONCE).map(<[PathBuf]>::to_vec).collect();
    let synced = futures::stream::iter(chunks).map(|paths| async move {
        let synced = tokio::task::spawn_blocking(move || paths.iter().try_for_each(|path| sync_one(path)));
        synced.await.map_err(|e| ObjectError::file("sync")(io::Error::other(e)))?
    });
    synced.buffer_unordered(CONCURRENCY).try_collect().await
}

fn sync_one(path: &Path) -> Result<(), ObjectError> {
    match File::open(path).and_then(|file| file.sync_all()) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        synced => synced.map_err(ObjectError::file(path.display().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_local_is_synced_with_its_folders_and_the_rest_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/c.parquet");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "x").unwrap();
        let urls = [Url::from_file_path(&file).unwrap(), Url::from_file_path(folder.path().join("gone")).unwrap()];
        sync(urls.into_iter().chain([Url::parse("memory://x/y").unwrap()])).await.unwrap();
    }

    #[tokio::test]
    async fn so_are_many_files_also_where_some_folders_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = |i: usize| folder.path().join(format!("{}/{i}.parquet", i % 7));
        for i in 0..200 {
            std::fs::create_dir_all(file(i).parent().unwrap()).unwrap();
            std::fs::write(file(i), "x").unwrap();
        }
        std::fs::remove_dir_all(folder.path().join("3")).unwrap();
        sync((0..200).map(|i| Url::from_file_path(file(i)).unwrap())).await.unwrap();
    }
}
