//! Brings files to the store: small ones each with one request, several at a time, large ones in parts; and removes
//! them again if the attempt fails.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use bytes::Bytes;
use datafusion::common::runtime::JoinSet;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::metrics::Time;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::local_files::write_files;
use crate::stores::delete;

/// Requests in flight at a time: small files of one attempt, or parts of one large file.
const IN_FLIGHT: usize = 16;
const PARTS_IN_FLIGHT: usize = 4;

/// Local files, and bytes, that are written per thread switch; and how many such batches at a time.
const BATCH_FILES: usize = 16;
const BATCH_BYTES: usize = 1 << 20;
const BATCHES_IN_FLIGHT: usize = 2;

/// Bytes of a part of a large file, and the size from which on a file is written in parts.
const PART_BYTES: usize = 16 << 20;

/// The files of one attempt at a partition. Unless they are [kept](Self::keep), they are removed when this is dropped:
/// no record names them.
#[derive(Debug)]
pub struct Uploads {
    store: Arc<dyn ObjectStore>,
    local: Option<LocalBatch>,
    /// Of every file that was begun.
    paths: Vec<Path>,
    puts: JoinSet<Result<()>>,
    write_time: Time,
}

/// Small files that wait to be written to a local disk together.
#[derive(Debug, Default)]
struct LocalBatch {
    files: Vec<(PathBuf, Bytes)>,
    bytes: usize,
}

impl Uploads {
    /// Uploads to `store`, which is that of local files if `local`.
    pub fn new(store: Arc<dyn ObjectStore>, local: bool, write_time: Time) -> Self {
        let local = local.then(LocalBatch::default);
        Self { store, local, paths: vec![], puts: JoinSet::new(), write_time }
    }

    /// Starts to write a small file, after waiting for others if too many are in flight.
    pub async fn put(&mut self, path: Path, bytes: Bytes) -> Result<()> {
        if let Some(batch) = &mut self.local {
            let file = LocalFileSystem::new().path_to_filesystem(&path).map_err(store_error)?;
            self.paths.push(path);
            batch.bytes += bytes.len();
            batch.files.push((file, bytes));
            if batch.files.len() >= BATCH_FILES || batch.bytes >= BATCH_BYTES {
                self.write_batch().await?;
            }
            return Ok(());
        }
        while self.puts.len() >= IN_FLIGHT {
            self.join_one().await?;
        }
        self.paths.push(path.clone());
        let store = Arc::clone(&self.store);
        let write_time = self.write_time.clone();
        self.puts.spawn(async move {
            let start = Instant::now();
            store.put(&path, PutPayload::from_bytes(bytes)).await.map_err(store_error)?;
            write_time.add_elapsed(start);
            Ok(())
        });
        Ok(())
    }

    /// Starts to write the local files that wait for it.
    async fn write_batch(&mut self) -> Result<()> {
        let files = self.local.as_mut().map(|batch| std::mem::take(batch).files).unwrap_or_default();
        if files.is_empty() {
            return Ok(());
        }
        while self.puts.len() >= BATCHES_IN_FLIGHT {
            self.join_one().await?;
        }
        let write_time = self.write_time.clone();
        self.puts.spawn_blocking(move || {
            let _timer = write_time.timer();
            Ok(write_files(files)?)
        });
        Ok(())
    }

    /// Begins a large file.
    pub fn begin_large(&mut self, path: Path) -> LargeUpload {
        self.paths.push(path.clone());
        LargeUpload { store: Arc::clone(&self.store), path, parts: None, write_time: self.write_time.clone() }
    }

    /// Waits until every file is written.
    pub async fn finish(&mut self) -> Result<()> {
        self.write_batch().await?;
        while !self.puts.is_empty() {
            self.join_one().await?;
        }
        Ok(())
    }

    /// Keeps the files: the attempt has succeeded.
    pub fn keep(mut self) -> KeptFiles {
        let (store, paths, _) = self.take();
        KeptFiles { store, paths }
    }

    /// Removes the files, as far as the store lets it; what stays is unreferenced.
    pub async fn remove(mut self) {
        let (store, paths, puts) = self.take();
        remove(store, paths, puts).await;
    }

    fn take(&mut self) -> (Arc<dyn ObjectStore>, Vec<Path>, JoinSet<Result<()>>) {
        let puts = std::mem::replace(&mut self.puts, JoinSet::new());
        (Arc::clone(&self.store), std::mem::take(&mut self.paths), puts)
    }

    async fn join_one(&mut self) -> Result<()> {
        match self.puts.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(DataFusionError::ExecutionJoin(Box::new(error))),
            None => Ok(()),
        }
    }
}

/// Files that stay, unless they are removed on purpose.
#[derive(Debug)]
pub struct KeptFiles {
    store: Arc<dyn ObjectStore>,
    paths: Vec<Path>,
}

impl KeptFiles {
    /// Removes the files, as far as the store lets it; what stays is unreferenced.
    pub async fn remove(self) {
        drop(delete(&self.store, self.paths).await);
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        if self.paths.is_empty() {
            return;
        }
        // Without a runtime the process is about to end, and the files stay as orphans.
        if let Ok(runtime) = Handle::try_current() {
            let (store, paths, puts) = self.take();
            let removal = Removal::begin();
            runtime.spawn(async move {
                remove(store, paths, puts).await;
                drop(removal);
            });
        }
    }
}

/// Removals that go on behind attempts which were dropped.
static REMOVALS: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));

/// One of [`REMOVALS`], until it is dropped.
struct Removal;

impl Removal {
    fn begin() -> Self {
        REMOVALS.send_modify(|n| *n += 1);
        Self
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        REMOVALS.send_modify(|n| *n -= 1);
    }
}

/// Waits until the files of all attempts that were dropped are removed.
pub async fn removals() {
    // The sender lives as long as the process, so this does not fail.
    drop(REMOVALS.subscribe().wait_for(|n| *n == 0).await);
}

/// Removes files; first waits for those in flight, because a local write that has begun cannot be stopped.
async fn remove(store: Arc<dyn ObjectStore>, paths: Vec<Path>, mut puts: JoinSet<Result<()>>) {
    while puts.join_next().await.is_some() {}
    // A file that was begun may not exist, and one that stays is unreferenced: every outcome is fine.
    drop(delete(&store, paths).await);
}

/// A file that is written in parts from `PART_BYTES` on, so that memory stays bounded.
#[derive(Debug)]
pub struct LargeUpload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    parts: Option<WriteMultipart>,
    write_time: Time,
}

impl LargeUpload {
    /// Begins a file that appears, or replaces an older one, when it is [finished](Self::finish).
    pub fn begin(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, path, parts: None, write_time: Time::new() }
    }

    /// Leaves nothing of the file behind.
    pub async fn abort(mut self) -> Result<()> {
        match self.parts.take() {
            Some(parts) => parts.abort().await.map_err(store_error),
            None => Ok(()),
        }
    }

    /// Writes bytes that more will follow.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let start = Instant::now();
        let parts = match &mut self.parts {
            Some(parts) => parts,
            parts => {
                let upload = self.store.put_multipart(&self.path).await.map_err(store_error)?;
                parts.insert(WriteMultipart::new_with_chunk_size(upload, PART_BYTES))
            }
        };
        parts.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(store_error)?;
        parts.put(bytes.into());
        self.write_time.add_elapsed(start);
        Ok(())
    }

    /// Writes the last bytes, and waits until the file is there.
    pub async fn finish(mut self, last: Vec<u8>) -> Result<()> {
        if self.parts.is_some() || last.len() >= PART_BYTES {
            self.write(last).await?;
        } else {
            self.store.put(&self.path, last.into()).await.map_err(store_error)?;
        }
        match self.parts.take() {
            // `finish` aborts the upload if it fails.
            Some(parts) => parts.finish().await.map(|_| ()).map_err(store_error),
            None => Ok(()),
        }
    }
}

impl Drop for LargeUpload {
    /// Drops the parts of a file that was not finished, as far as the store lets it.
    fn drop(&mut self) {
        if let (Some(parts), Ok(runtime)) = (self.parts.take(), Handle::try_current()) {
            runtime.spawn(parts.abort());
        }
    }
}

fn store_error(error: object_store::Error) -> DataFusionError {
    DataFusionError::ObjectStore(Box::new(error))
}
