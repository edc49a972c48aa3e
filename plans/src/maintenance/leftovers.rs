//! What killed processes leave on a local disk beside whole files: half-written files and empty folders.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use super::summary::ExpireSummary;
use crate::model::layout;
use crate::table::Warehouse;
use crate::table::leases::error::{MaintenanceError, Result};

/// Leftovers of a warehouse; none where that is not on a local disk.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    location: String,
    /// `object_store` writes `<file>#<n>`, which no listing shows, and renames it when it is whole.
    half_written: Vec<PathBuf>,
    /// Runs' folders; cells' folders and within them years', innermost first.
    folders: Vec<PathBuf>,
}

impl Leftovers {
    pub async fn find(warehouse: &Warehouse) -> Result<Self> {
        let location = warehouse.url().to_string();
        let Some(root) = (warehouse.url().scheme() == "file").then(|| warehouse.url().to_file_path().ok()).flatten()
        else {
            return Ok(Self::default());
        };
        let searched = tokio::task::spawn_blocking(move || search(&root));
        let found = searched.await.map_err(io::Error::other).flatten();
        let (half_written, folders) = found.map_err(MaintenanceError::file(&location))?;
        Ok(Self { location, half_written, folders })
    }

    /// Half-written files.
    pub fn half_written(&self) -> &[PathBuf] {
        &self.half_written
    }

    /// Removes half-written files that were written last until `cutoff`, and folders that are empty.
    pub async fn remove(self, cutoff: DateTime<Utc>, dry_run: bool) -> Result<ExpireSummary> {
        let location = self.location.clone();
        let removed = tokio::task::spawn_blocking(move || self.remove_blocking(cutoff, dry_run));
        removed.await.map_err(io::Error::other).flatten().map_err(MaintenanceError::file(location))
    }

    fn remove_blocking(self, cutoff: DateTime<Utc>, dry_run: bool) -> io::Result<ExpireSummary> {
        let mut summary = ExpireSummary::default();
        for file in self.half_written {
            // It may be whole by now, or gone.
            let Ok(metadata) = fs::metadata(&file) else { continue };
            if DateTime::<Utc>::from(metadata.modified().unwrap_or(SystemTime::now())) > cutoff {
                continue;
            }
            if !dry_run {
                match fs::remove_file(&file) {
                    Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                    removed => removed?,
                }
            }
            summary.orphans_removed += 1;
            summary.bytes_removed += metadata.len();
        }
        for folder in self.folders.iter().filter(|_| !dry_run) {
            // Only an empty folder can be removed. A writer that has just made it makes it again: object_store does so
            // until its file is open.
            drop(fs::remove_dir(folder));
        }
        Ok(summary)
    }
}

type Found = (Vec<PathBuf>, Vec<PathBuf>);

fn search(root: &Path) -> io::Result<Found> {
    let (mut half_written, mut folders) = (vec![], vec![]);
    for (name, path) in entries(root)? {
        if name == layout::METADATA || name == layout::RUNS {
            half_written.extend(staged(&path)?);
        } else if name == layout::REJECTS || name == layout::INGESTED {
            for (_, run) in entries(&path)?.into_iter().filter(|(_, run)| run.is_dir()) {
                half_written.extend(staged(&run)?);
                folders.push(run);
            }
        } else if layout::is_bucket_folder(&name, None) && path.is_dir() {
            for (year, path) in entries(&path)? {
                if layout::is_bucket_folder(&name, Some(&year)) && path.is_dir() {
                    half_written.extend(staged(&path)?);
                    folders.push(path);
                }
            }
            folders.push(path);
        }
    }
    Ok((half_written, folders))
}

/// Half-written files of ours in a folder.
fn staged(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_staged = |name: &str| {
        let Some((whole, number)) = name.rsplit_once('#') else { return false };
        let ours = [".parquet", ".avro", ".json"].iter().any(|end| whole.ends_with(end));
        ours && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    };
    Ok(entries(folder)?.into_iter().filter(|(name, _)| is_staged(name)).map(|(_, path)| path).collect())
}

/// Names, where they are text, and paths in a folder; nothing where there is no such folder any more.
fn entries(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let listed = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        listed => listed?,
    };
    let mut found = vec![];
    for entry in listed {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}
