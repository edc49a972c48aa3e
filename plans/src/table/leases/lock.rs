//! [`CatalogLock`]: the advisory lock of `--use-lock`.

use chrono::Utc;
use url::Url;

use super::error::{MaintenanceError, Result};
use super::lease::{Acquired, LeaseGuard};
use crate::model::layout;
use crate::stores::{ConditionalObject, below};
use crate::table::Catalog;

/// Held while one command works on a table, so that a second one does not do the same work for nothing. Commits are
/// safe without it. The object is `<catalog file>.lock`, of a catalog that is no file `metadata/catalog.lock` in the warehouse; it goes when the lock is released or dropped, and what a killed
/// process leaves behind is taken over.
#[derive(Debug)]
pub struct CatalogLock(LeaseGuard);

impl CatalogLock {
    /// Takes the lock of a catalog, whose table's files are below `folder`, for `purpose`, such as `compact`.
    ///
    /// Errors: [`MaintenanceError::Locked`] if a process that is alive holds it.
    pub async fn acquire(catalog: &Catalog, folder: &Url, purpose: &str) -> Result<Self> {
        let (url, shown) = match catalog.file() {
            Some(file) => {
                let mut url = file.clone();
                url.set_path(&format!("{}.lock", file.path()));
                (url, format!("{catalog}.lock"))
            }
            None => {
                let url = below(folder, &format!("{}/{}", layout::METADATA, layout::LOCK))?;
                let shown = url.to_string();
                (url, shown)
            }
        };
        match LeaseGuard::acquire(ConditionalObject::at(&url)?, purpose).await? {
            Acquired::Held(guard) => Ok(Self(guard)),
            Acquired::By(holder) => Err(MaintenanceError::Locked {
                lock: shown,
                heard: (Utc::now() - holder.heartbeat).to_std().unwrap_or_default(),
                holder: holder.to_string(),
            }),
        }
    }

    /// Gives the lock back.
    pub async fn release(self) -> Result<()> {
        self.0.release().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_is_told_who_holds_the_lock_and_gets_it_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::at(folder.path().join("my catalog.db").to_str().unwrap()).unwrap();
        let lock = CatalogLock::acquire(&catalog, catalog.file().unwrap(), "compact").await.unwrap();
        assert!(folder.path().join("my catalog.db.lock").exists());

        let error = CatalogLock::acquire(&catalog, catalog.file().unwrap(), "compact").await.unwrap_err().to_string();
        let process = format!("compact (process {} on ", std::process::id());
        for part in ["my catalog.db.lock is held by", &process, "last heard of 0 s ago", "or do without the lock"] {
            assert!(error.contains(part), "{error}");
        }

        lock.release().await.unwrap();
        drop(CatalogLock::acquire(&catalog, catalog.file().unwrap(), "compact").await.unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_cancelled_command_gives_the_lock_back() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::at(folder.path().join("catalog.db").to_str().unwrap()).unwrap();
        let exists = || folder.path().join("catalog.db.lock").exists();
        let command = async {
            let _lock = CatalogLock::acquire(&catalog, catalog.file().unwrap(), "compact").await.unwrap();
            std::future::pending::<()>().await;
        };
        // As soon as the lock is written, which may be before the command knows that it holds it.
        let interrupted = async {
            while !exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = command => unreachable!("it never ends"),
            () = interrupted => {}
        }
        while exists() {
            tokio::task::yield_now().await;
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_lock_of_a_process_that_is_gone_is_taken_over() {
        use crate::table::leases::lease::Lease;

        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::at(folder.path().join("catalog.db").to_str().unwrap()).unwrap();
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let lease = Lease { pid: gone.id(), ..Lease::new("compact") };
        std::fs::write(folder.path().join("catalog.db.lock"), serde_json::to_vec(&lease).unwrap()).unwrap();
        CatalogLock::acquire(&catalog, catalog.file().unwrap(), "compact").await.unwrap().release().await.unwrap();
    }
}
