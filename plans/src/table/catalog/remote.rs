//! [`RemoteCatalog`]: the catalog's SQLite file as one object, downloaded, changed in a temporary folder and uploaded
//! on condition that nobody else was faster.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use url::Url;

use super::Swap;
use super::database::{Database, Swapped, TableEntry};
use crate::stores::{ConditionalObject, Version};
use crate::table::error::{Result, WarehouseError};

/// A catalog in an object store.
#[derive(Debug, Clone)]
pub(super) struct RemoteCatalog {
    object: ConditionalObject,
    seen: Arc<Mutex<Option<Seen>>>,
    /// Once the store is known to keep to the conditions of a write.
    checked: Arc<OnceCell<()>>,
}

/// The catalog as it was read or written last.
#[derive(Debug, Clone)]
struct Seen {
    version: Version,
    /// Where it points.
    metadata_location: Option<String>,
}

impl RemoteCatalog {
    pub fn at(url: &Url) -> Result<Self> {
        Ok(Self { object: ConditionalObject::at(url)?, seen: Arc::default(), checked: Arc::default() })
    }

    /// Creates the object with empty tables, unless there is one.
    pub async fn initialize(&self) -> Result<()> {
        if self.object.read().await?.is_none() {
            let copy = self.copy(None).await?;
            copy.database.initialize().await.map_err(|e| self.failed(e))?;
            // Otherwise somebody else was faster, with the same.
            self.object.create(self.bytes(copy).await?).await?;
        }
        Ok(())
    }

    /// As the catalog is now. It is transferred only if it has changed since the last time.
    pub async fn metadata_location(&self) -> Result<Option<String>> {
        Ok(self.read().await?.metadata_location)
    }

    /// The tables that the catalog names, of whichever catalogs.
    pub async fn tables(&self) -> Result<Vec<TableEntry>> {
        let version = self.object.read().await?.ok_or_else(|| self.no_catalog())?;
        let copy = self.copy(Some(&version.bytes)).await?;
        copy.database.tables().await.map_err(|e| self.failed(e))
    }

    pub async fn insert(&self, metadata_location: &str) -> Result<bool> {
        loop {
            let seen = self.read().await?;
            if seen.metadata_location.is_some() {
                return Ok(false);
            }
            let copy = self.copy(Some(&seen.version.bytes)).await?;
            if !copy.database.insert(metadata_location).await.map_err(|e| self.failed(e))? {
                return Ok(false);
            }
            if self.replace(&seen, copy, metadata_location).await? {
                return Ok(true);
            }
        }
    }

    pub async fn swap(&self, expected: &str, new: &str) -> Swap {
        let changed = async {
            let seen = self.read().await?;
            if seen.metadata_location.as_deref() != Some(expected) {
                return Ok(None);
            }
            let copy = self.copy(Some(&seen.version.bytes)).await?;
            match copy.database.swap(expected, new).await {
                Swapped::Yes => Ok(Some((seen, copy))),
                Swapped::No => Ok(None),
                Swapped::Refused(e) | Swapped::Unknown(e) => Err(self.failed(e)),
            }
        };
        let (seen, copy) = match changed.await {
            Ok(Some(changed)) => changed,
            Ok(None) => return Swap::Lost,
            // Nothing has left this machine yet.
            Err(e) => return Swap::Refused(e),
        };
        match self.replace(&seen, copy, new).await {
            Ok(true) => Swap::Done(new.to_owned()),
            Ok(false) => Swap::Lost,
            Err(WarehouseError::CatalogObject(e)) if !e.is_refusal() => Swap::Unknown(e.into()),
            Err(e) => Swap::Refused(e),
        }
    }

    async fn read(&self) -> Result<Seen> {
        let last = self.last();
        let version = self.object.read_since(last.as_ref().map(|last| &last.version)).await?;
        let version = version.ok_or_else(|| self.no_catalog())?;
        if let Some(last) = last.filter(|last| last.version.is(&version)) {
            return Ok(last);
        }
        let copy = self.copy(Some(&version.bytes)).await?;
        let metadata_location = copy.database.metadata_location().await.map_err(|e| self.failed(e))?;
        let seen = Seen { version, metadata_location };
        self.remember(&seen);
        Ok(seen)
    }

    /// Uploads a changed copy of what was `seen`; `false` if the catalog is no longer that.
    async fn replace(&self, seen: &Seen, copy: Copy, metadata_location: &str) -> Result<bool> {
        let bytes = self.bytes(copy).await?;
        self.checked.get_or_try_init(|| self.object.check_store()).await?;
        let Some(version) = self.object.replace(&seen.version, bytes).await? else { return Ok(false) };
        self.remember(&Seen { version, metadata_location: Some(metadata_location.to_owned()) });
        Ok(true)
    }

    async fn copy(&self, bytes: Option<&Bytes>) -> Result<Copy> {
        let made = async {
            let folder = TempDir::with_prefix("earthcatalog-")?;
            let file = folder.path().join("catalog.db");
            if let Some(bytes) = bytes {
                tokio::fs::write(&file, bytes).await?;
            }
            Ok(Copy { database: Database::scratch(file), _folder: folder })
        };
        made.await.map_err(|e| self.failed(sqlx::Error::Io(e)))
    }

    async fn bytes(&self, copy: Copy) -> Result<Bytes> {
        let read = tokio::fs::read(copy.database.file()).await;
        Ok(read.map_err(|e| self.failed(sqlx::Error::Io(e)))?.into())
    }

    fn last(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, seen: &Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen.clone());
    }

    fn no_catalog(&self) -> WarehouseError {
        WarehouseError::NoCatalog { catalog: self.object.location().to_owned() }
    }

    fn failed(&self, source: sqlx::Error) -> WarehouseError {
        WarehouseError::Database { catalog: self.object.location().to_owned(), source }
    }
}

/// The file among the temporary ones; gone when this is dropped.
#[derive(Debug)]
struct Copy {
    database: Database,
    _folder: TempDir,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use datafusion::execution::object_store::ObjectStoreRegistry;
    use futures::future::join_all;
    use object_store::memory::InMemory;
    use uuid::Uuid;

    use super::super::file::tests::is_entered_once_and_moves_from_where_it_is;
    use super::super::file::{FileCatalog, Place};
    use super::*;
    use crate::stores::faults::{Fault, Faults, Faulty, Operation};
    use crate::stores::{Retrying, Service, stores};
    use crate::table::testing::{items, record};
    use crate::table::{Change, Committer, Warehouse};

    fn catalog() -> FileCatalog {
        FileCatalog::at(&format!("memory://{}/deep/catalog.db", Uuid::new_v4())).unwrap()
    }

    #[tokio::test]
    async fn the_table_is_entered_once_and_moves_only_from_where_it_is_expected() {
        let catalog = catalog();
        is_entered_once_and_moves_from_where_it_is(&catalog).await;
        // Another process, which has seen nothing yet.
        let other = FileCatalog::at(&catalog.to_string()).unwrap();
        assert_eq!(other.metadata_location().await.unwrap().as_deref(), Some("v1"));
        assert!(matches!(other.swap("v1", "v2").await, Swap::Done(_)));
        assert_eq!(catalog.metadata_location().await.unwrap().as_deref(), Some("v2"));
    }

    #[tokio::test]
    async fn the_object_is_a_whole_sqlite_file_without_a_write_ahead_log() {
        let catalog = catalog();
        catalog.initialize().await.unwrap();
        catalog.insert("v0").await.unwrap();
        let object = ConditionalObject::at(catalog.url()).unwrap();
        let seen = object.read().await.unwrap().unwrap();
        // File format, section 1.3.3: 1 is the rollback journal, 2 the write-ahead log.
        assert_eq!((&seen.bytes[..15], &seen.bytes[18..20]), (&b"SQLite format 3"[..], &[1, 1][..]));

        // Given a file with a write-ahead log, as earlier versions and other engines make it,
        let folder = tempfile::tempdir().unwrap();
        let local = FileCatalog::at(folder.path().join("catalog.db").to_str().unwrap()).unwrap();
        local.initialize().await.unwrap();
        local.insert("v0").await.unwrap();
        let wal = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("catalog.db"));
        let wal = wal.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
        sqlx::Connection::close(sqlx::ConnectOptions::connect(&wal).await.unwrap()).await.unwrap();
        let copied = std::fs::read(folder.path().join("catalog.db")).unwrap();
        assert_eq!(copied[18..20], [2, 2]);
        object.replace(&seen, copied.into()).await.unwrap().unwrap();
        // a commit takes it out.
        assert!(matches!(catalog.swap("v0", "v1").await, Swap::Done(_)));
        assert_eq!(object.read().await.unwrap().unwrap().bytes[18..20], [1, 1]);
        assert_eq!(catalog.metadata_location().await.unwrap().as_deref(), Some("v1"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_may_create_the_same_catalog_and_swap_at_once_and_one_wins() {
        let place = catalog().to_string();
        let tasks = (0..8).map(|i| {
            let catalog = FileCatalog::at(&place).unwrap();
            tokio::spawn(async move {
                catalog.initialize().await.unwrap();
                let inserted = catalog.insert(&format!("v{i}")).await.unwrap();
                let base = catalog.metadata_location().await.unwrap().unwrap();
                (inserted, matches!(catalog.swap(&base, "next").await, Swap::Done(_)) && base != "next")
            })
        });
        let won: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(won.iter().filter(|(inserted, _)| *inserted).count(), 1);
        assert_eq!(won.iter().filter(|(_, swapped)| *swapped).count(), 1);
    }

    #[tokio::test]
    async fn an_object_that_is_no_database_is_named_in_the_error() {
        let catalog = catalog();
        let object = ConditionalObject::at(catalog.url()).unwrap();
        object.create("this is not a database, by no means; it is text".into()).await.unwrap();
        let error = catalog.metadata_location().await.unwrap_err().to_string();
        assert!(error.contains("deep/catalog.db") && error.contains("not a database"), "{error}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_many_commits_at_once_on_a_store_that_fails_every_one_is_kept() {
        let kinds = [Fault::Before, Fault::After, Fault::Throttle, Fault::Body];
        for seed in 0..3 {
            let faults = Arc::new(Faults::new(seed, 0.05, &kinds));
            let place = Url::parse(&format!("memory://{}/", Uuid::new_v4())).unwrap();
            let store = Arc::new(Faulty::over(Arc::new(InMemory::new()), Arc::clone(&faults)));
            let store = Retrying::over(store.clone(), store, Service::Other).with_backoff(Duration::from_millis(1));
            stores().register_store(&place, Arc::new(store));
            let at = |name: &str| place.join(name).unwrap().to_string();
            Warehouse::open_or_create(&at("catalog.db"), &at("wh"), &items(), 1).await.unwrap();
            let tasks = (0..4).map(|task| {
                let catalog = at("catalog.db");
                tokio::spawn(async move {
                    let warehouse = Warehouse::open(&catalog).await.unwrap();
                    for n in 0..10 {
                        let file = record(&warehouse, "81a", Some(2020), &format!("{task}-{n}"));
                        let change = Change { add: vec![file], ..Change::default() };
                        Committer::new(warehouse.clone()).commit(change).await.unwrap();
                    }
                })
            });
            join_all(tasks).await.into_iter().for_each(|done| done.unwrap());
            let state = Warehouse::open(&at("catalog.db")).await.unwrap().load().await.unwrap();
            assert_eq!(state.metadata.snapshots().len(), 40);
            let summary = state.metadata.current_snapshot().unwrap().summary();
            assert_eq!(summary.additional_properties["total-data-files"], "40");
        }
    }

    #[tokio::test]
    async fn a_catalog_that_has_not_changed_is_not_transferred_again() {
        let catalog = catalog();
        let faults = Arc::new(Faults::new(0, 0., &[]));
        stores().register_store(catalog.url(), Arc::new(Faulty::over(Arc::new(InMemory::new()), Arc::clone(&faults))));
        let catalog = FileCatalog::at(catalog.url().as_str()).unwrap();
        catalog.initialize().await.unwrap();
        catalog.insert("v0").await.unwrap();
        let Place::Remote(remote) = &catalog.place else { panic!("it is remote") };
        let bytes = |remote: &RemoteCatalog| remote.last().unwrap().version.bytes.as_ptr();
        let before = bytes(remote);
        for _ in 0..5 {
            assert_eq!(catalog.metadata_location().await.unwrap().as_deref(), Some("v0"));
        }
        assert_eq!(bytes(remote), before);
        assert_eq!(faults.requests(Operation::Get, "catalog.db"), 5 + 2);
    }
}
