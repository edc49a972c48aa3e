//! [`FileCache`]: what was read of manifests, and lists of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use iceberg::io::FileIO;
use iceberg::spec::{ManifestFile, Snapshot, TableMetadata};

use super::deletes::Deletes;
use super::error::Result;
use super::manifests::files::LiveFiles;
use super::manifests::{apart, list_with_bounds, live_manifests, to_be_read};
use super::schema::Columns;

/// Files whose statistics stay in memory between statements; one takes about 2 kB.
const CACHED_FILES: usize = 50_000;

/// Snapshots whose lists of manifests stay in memory; a manifest takes about 500 bytes.
const CACHED_LISTS: usize = 4;

/// What a snapshot consists of, to be read.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Of data files. Where entries are partitioned otherwise than by cell and year, a manifest says nothing of those, and neither
    /// do its files.
    pub manifests: Arc<[ManifestFile]>,
    pub deletes: Arc<Deletes>,
}

impl Contents {
    /// Those of a snapshot.
    ///
    /// Errors: the list or a manifest of deletes is gone or damaged; a delete file is of a kind that is not read.
    pub async fn read(io: &FileIO, metadata: &TableMetadata, snapshot: &Snapshot) -> Result<Self> {
        let (deletes, data) = apart(live_manifests(io, metadata, snapshot).await?);
        let deletes = Deletes::read(io, metadata, &deletes).await?;
        let manifests = data.into_iter().map(|manifest| to_be_read(manifest, metadata));
        Ok(Self { manifests: manifests.collect(), deletes: Arc::new(deletes) })
    }
}

/// Manifests and lists of them never change, so that what was read of one holds for every later statement, and every later
/// snapshot that lists it.
#[derive(Debug, Default)]
pub struct FileCache {
    read: Mutex<Read>,
    /// By the location of their list; the oldest first.
    lists: Mutex<VecDeque<(String, Arc<Contents>)>>,
}

#[derive(Debug, Default)]
struct Read {
    by_manifest: HashMap<String, Arc<LiveFiles>>,
    oldest_first: VecDeque<String>,
    files: usize,
}

impl FileCache {
    /// What a snapshot consists of.
    pub async fn contents(&self, io: &FileIO, metadata: &TableMetadata, snapshot: &Snapshot) -> Result<Arc<Contents>> {
        let lists = || self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let list = snapshot.manifest_list();
        if let Some((_, contents)) = lists().iter().find(|(location, _)| location == list) {
            return Ok(Arc::clone(contents));
        }
        let contents = Arc::new(Contents::read(io, metadata, snapshot).await?);
        let mut lists = lists();
        if lists.len() == CACHED_LISTS {
            lists.pop_front();
        }
        lists.push_back((list.to_owned(), Arc::clone(&contents)));
        Ok(contents)
    }

    /// The live files of `manifests`, in order.
    pub async fn load(
        &self,
        io: &FileIO,
        manifests: &[ManifestFile],
        columns: &Arc<Columns>,
    ) -> Result<Vec<Arc<LiveFiles>>> {
        let (mut known, mut missing) = (HashMap::new(), vec![]);
        {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            for manifest in manifests {
                match read.by_manifest.get(&manifest.manifest_path) {
                    Some(files) => _ = known.insert(manifest.manifest_path.clone(), Arc::clone(files)),
                    None => missing.push(manifest.clone()),
                }
            }
        }
        for (path, files) in list_with_bounds(io, missing, columns).await? {
            let files = Arc::new(files);
            self.read.lock().unwrap_or_else(PoisonError::into_inner).keep(path.clone(), Arc::clone(&files));
            known.insert(path, files);
        }
        Ok(manifests.iter().filter_map(|manifest| known.get(&manifest.manifest_path).cloned()).collect())
    }
}

impl Read {
    fn keep(&mut self, path: String, files: Arc<LiveFiles>) {
        let added = files.files.len();
        if self.by_manifest.insert(path.clone(), files).is_none() {
            self.files += added;
            self.oldest_first.push_back(path);
        }
        while self.files > CACHED_FILES {
            let Some(oldest) = self.oldest_first.pop_front() else { break };
            self.files -= self.by_manifest.remove(&oldest).map_or(0, |files| files.files.len());
        }
    }
}
