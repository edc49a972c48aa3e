//! Rows that another engine has deleted without writing their files again: the delete files of version 2 of Iceberg's format.
//!
//! - [`DeleteFile`]: a file of deletions, and the data files that it may be about; [`Deletes`]: those of a snapshot.
//! - [`DeletedRows`]: which rows of a data file are deleted.
//! - `positions`, `equality`: what delete files say, in rows of data files.
//!
//! We write none. A scan reads the files concerned without these rows, and a compaction writes them again, so that nobody
//! needs the deletions from then on. <https://iceberg.apache.org/spec/#delete-formats>

mod delete_file;
mod deleted_rows;
mod equality;
mod positions;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::DataFusionError;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::io::FileIO;
use iceberg::spec::{ManifestFile, TableMetadata};

pub(crate) use self::delete_file::DeleteFile;
pub(crate) use self::deleted_rows::DeletedRows;
use self::equality::EqualityKeys;
use super::error::{Result, WarehouseError};
use super::manifests::files::LiveFile;
use super::manifests::read_manifest;
use crate::model::bucket::Bucket;

/// Files that are read at a time.
const CONCURRENCY: usize = 8;

/// The delete files of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Deletes {
    files: Vec<DeleteFile>,
    /// Which of them are about files of a bucket alone, and which about any.
    of_buckets: HashMap<Bucket, Vec<usize>>,
    of_table: Vec<usize>,
    /// Of the data files that were asked for, by location.
    known: Mutex<HashMap<String, Arc<DeletedRows>>>,
}

impl Deletes {
    /// Those that `manifests`, which are of deletes, list.
    ///
    /// Errors: a manifest is gone or damaged; a delete file is of a kind that is not read.
    pub async fn read(io: &FileIO, metadata: &TableMetadata, manifests: &[ManifestFile]) -> Result<Self> {
        let read = |manifest: ManifestFile| async move {
            let entries = read_manifest(io, &manifest).await?;
            let live = entries.entries().iter().filter(|entry| entry.is_alive());
            live.map(|entry| DeleteFile::new(entry, &manifest, metadata)).collect::<Result<Vec<_>>>()
        };
        let read = stream::iter(manifests.to_vec()).map(read).buffered(CONCURRENCY);
        let mut deletes = Self { files: read.try_collect::<Vec<_>>().await?.concat(), ..Self::default() };
        for (i, file) in deletes.files.iter().enumerate() {
            match file.bucket() {
                Some(bucket) => deletes.of_buckets.entry(bucket.clone()).or_default().push(i),
                None => deletes.of_table.push(i),
            }
        }
        Ok(deletes)
    }

    pub fn files(&self) -> &[DeleteFile] {
        &self.files
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Those that may be about rows of a data file.
    pub fn about<'a, 'b>(&'a self, file: &'b LiveFile) -> impl Iterator<Item = &'a DeleteFile> + use<'a, 'b> {
        let bucket = || Some(Bucket { cell: file.cell.clone()?, year: file.year });
        let of_bucket = if self.of_buckets.is_empty() { None } else { bucket() };
        let of_bucket = of_bucket.and_then(|bucket| self.of_buckets.get(&bucket));
        let numbers = of_bucket.into_iter().flatten().chain(&self.of_table);
        numbers.map(|i| &self.files[*i]).filter(|deletes| deletes.may_be_about(file))
    }

    /// Which rows of these data files are deleted, by location; a file of which none is, is not there.
    pub async fn rows_of(&self, files: &[LiveFile]) -> Result<HashMap<String, Arc<DeletedRows>>> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let concerned: Vec<&LiveFile> = files.iter().filter(|file| self.about(file).next().is_some()).collect();
        let asked: Vec<&LiveFile> =
            concerned.iter().copied().filter(|file| !known().contains_key(&file.location)).collect();
        if !asked.is_empty() {
            let mut positions = positions::of(self, &asked).await?;
            let keys = EqualityKeys::read(self, &asked).await?;
            let find = |file: &LiveFile| {
                let positions = positions.remove(&file.location).unwrap_or_default();
                let (file, keys) = (file.clone(), &keys);
                async move {
                    let rows = keys.rows_of(self, &file).await?.into_iter().chain(positions);
                    Ok::<_, WarehouseError>((file.location, Arc::new(DeletedRows::new(rows))))
                }
            };
            let finds: Vec<_> = asked.iter().copied().map(find).collect();
            let found: Vec<_> = stream::iter(finds).buffered(CONCURRENCY).try_collect().await?;
            known().extend(found);
        }
        let known = known();
        let rows =
            concerned.iter().filter_map(|file| Some((file.location.clone(), known.get(&file.location)?.clone())));
        Ok(rows.filter(|(_, rows)| rows.count() > 0).collect())
    }
}

/// That a delete file cannot be read.
fn delete_file(location: &str) -> impl Fn(DataFusionError) -> WarehouseError + '_ {
    |error| WarehouseError::DeleteFile { location: location.to_owned(), reason: error.strip_backtrace() }
}

/// That a data file cannot be read.
fn data_file(location: &str) -> impl Fn(DataFusionError) -> WarehouseError + '_ {
    |error| WarehouseError::DataFile { location: location.to_owned(), reason: error.strip_backtrace() }
}
