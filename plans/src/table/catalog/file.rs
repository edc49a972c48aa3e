//! [`FileCatalog`]: a SQLite file that points at the table's current metadata, on a local disk or in an object store.

use std::fmt;

use url::Url;

use super::Swap;
use super::database::{Database, Swapped, TableEntry};
use super::remote::RemoteCatalog;
use crate::stores::location_url;
use crate::table::error::{Result, WarehouseError};

/// A catalog file, displayed as its path or URL. Clones share what they have read.
#[derive(Debug, Clone)]
pub(super) struct FileCatalog {
    url: Url,
    pub(super) place: Place,
}

#[derive(Debug, Clone)]
pub(super) enum Place {
    Local(Database),
    Remote(RemoteCatalog),
}

impl FileCatalog {
    /// The catalog at a path or URL; the file need not exist yet.
    pub fn at(location: &str) -> Result<Self> {
        let url = location_url(location)?;
        let place = if url.scheme() == "file" {
            let invalid = || WarehouseError::InvalidLocation { location: location.into(), reason: "not a path".into() };
            let file = url.to_file_path().map_err(|()| invalid())?;
            if file.is_dir() {
                let reason = "it is a folder, and a catalog is a file, such as catalog.db in it".to_owned();
                return Err(WarehouseError::InvalidLocation { location: location.to_owned(), reason });
            }
            Place::Local(Database::shared(file))
        } else {
            Place::Remote(RemoteCatalog::at(&url)?)
        };
        Ok(Self { url, place })
    }

    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Creates the file and its tables where they are absent.
    pub async fn initialize(&self) -> Result<()> {
        let file = match &self.place {
            Place::Remote(remote) => return remote.initialize().await,
            Place::Local(file) => file,
        };
        if let Some(folder) = file.file().parent() {
            let created = tokio::fs::create_dir_all(folder).await;
            created.map_err(|e| self.failed(sqlx::Error::Io(e)))?;
        }
        file.initialize().await.map_err(|e| self.failed(e))
    }

    /// Location of the table's current metadata; `None` where the catalog has no table.
    pub async fn metadata_location(&self) -> Result<Option<String>> {
        match &self.place {
            Place::Remote(remote) => remote.metadata_location().await,
            Place::Local(database) => {
                let location = self.existing(database).await?.metadata_location().await;
                location.map_err(|e| self.failed(e))
            }
        }
    }

    /// The tables that the file names, of whichever catalogs.
    pub async fn tables(&self) -> Result<Vec<TableEntry>> {
        match &self.place {
            Place::Remote(remote) => remote.tables().await,
            Place::Local(database) => self.existing(database).await?.tables().await.map_err(|e| self.failed(e)),
        }
    }

    /// Enters the table, unless there is one: then `false`, and nothing changes.
    pub async fn insert(&self, metadata_location: &str) -> Result<bool> {
        match &self.place {
            Place::Remote(remote) => remote.insert(metadata_location).await,
            Place::Local(database) => database.insert(metadata_location).await.map_err(|e| self.failed(e)),
        }
    }

    /// Points the table from `expected` to `new`, if it points at `expected`.
    pub async fn swap(&self, expected: &str, new: &str) -> Swap {
        match &self.place {
            Place::Remote(remote) => remote.swap(expected, new).await,
            Place::Local(database) => match database.swap(expected, new).await {
                Swapped::Yes => Swap::Done(new.to_owned()),
                Swapped::No => Swap::Lost,
                Swapped::Refused(e) => Swap::Refused(self.failed(e)),
                Swapped::Unknown(e) => Swap::Unknown(self.failed(e)),
            },
        }
    }

    async fn existing<'a>(&self, database: &'a Database) -> Result<&'a Database> {
        match tokio::fs::try_exists(database.file()).await.unwrap_or(false) {
            true => Ok(database),
            false => Err(WarehouseError::NoCatalog { catalog: self.to_string() }),
        }
    }

    fn failed(&self, source: sqlx::Error) -> WarehouseError {
        WarehouseError::Database { catalog: self.to_string(), source }
    }
}

impl fmt::Display for FileCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Local(database) => database.file().display().fmt(f),
            Place::Remote(_) => self.url.fmt(f),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[tokio::test]
    async fn the_table_is_entered_once_and_moves_only_from_where_it_is_expected() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = FileCatalog::at(folder.path().join("new/catalog.db").to_str().unwrap()).unwrap();
        is_entered_once_and_moves_from_where_it_is(&catalog).await;
        assert_eq!(catalog.metadata_location().await.unwrap().as_deref(), Some("v1"));
        assert!(!folder.path().join("new/catalog.db-wal").exists(), "the file alone is the catalog");
    }

    /// Of a catalog that is not there yet; afterwards its table is at `v1`.
    pub(in super::super) async fn is_entered_once_and_moves_from_where_it_is(catalog: &FileCatalog) {
        assert!(matches!(catalog.metadata_location().await, Err(WarehouseError::NoCatalog { .. })));

        catalog.initialize().await.unwrap();
        catalog.initialize().await.unwrap();
        assert_eq!(catalog.metadata_location().await.unwrap(), None);

        assert!(catalog.insert("v0").await.unwrap());
        assert!(!catalog.insert("other").await.unwrap());
        assert!(matches!(catalog.swap("v0", "v1").await, Swap::Done(_)));
        assert!(matches!(catalog.swap("v0", "v2").await, Swap::Lost));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_may_create_the_same_catalog_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = FileCatalog::at(folder.path().join("catalog.db").to_str().unwrap()).unwrap();
        let tasks = (0..8).map(|i| {
            let catalog = catalog.clone();
            tokio::spawn(async move {
                catalog.initialize().await.unwrap();
                catalog.insert(&format!("v{i}")).await.unwrap()
            })
        });
        let won = futures::future::join_all(tasks).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
        assert_eq!(won, 1);
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.db");
        std::fs::write(&file, "this is not a database, by no means; it is text").unwrap();
        let error = FileCatalog::at(file.to_str().unwrap()).unwrap().metadata_location().await.unwrap_err();
        assert!(error.to_string().contains("catalog.db") && error.to_string().contains("not a database"), "{error}");
    }

    #[tokio::test]
    async fn a_catalog_whose_creation_was_cut_off_has_no_table_yet() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.db");
        std::fs::write(&file, "").unwrap();
        let catalog = FileCatalog::at(file.to_str().unwrap()).unwrap();
        assert_eq!(catalog.metadata_location().await.unwrap(), None);
        catalog.initialize().await.unwrap();
        assert!(catalog.insert("v0").await.unwrap());
    }

    #[test]
    fn a_catalog_is_called_by_its_path_or_url() {
        assert_eq!(FileCatalog::at("/data/my catalog.db").unwrap().to_string(), "/data/my catalog.db");
        assert_eq!(FileCatalog::at("memory://bucket/catalog.db").unwrap().to_string(), "memory://bucket/catalog.db");
    }

    /// A catalog as earlier versions made it.
    async fn with_a_write_ahead_log(file: &std::path::Path) {
        use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
        use sqlx::{ConnectOptions, Connection};
        let catalog = FileCatalog::at(file.to_str().unwrap()).unwrap();
        catalog.initialize().await.unwrap();
        catalog.insert("v0").await.unwrap();
        let options = SqliteConnectOptions::new().filename(file).journal_mode(SqliteJournalMode::Wal);
        options.connect().await.unwrap().close().await.unwrap();
        assert_eq!(journal(file), [2, 2]);
    }

    /// File format, section 1.3.3: 1 is the rollback journal, 2 the write-ahead log.
    fn journal(file: &std::path::Path) -> Vec<u8> {
        std::fs::read(file).unwrap()[18..20].to_vec()
    }

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_catalog_has_no_write_ahead_log_and_loses_that_of_earlier_versions_with_its_next_commit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.db");
        let catalog = FileCatalog::at(file.to_str().unwrap()).unwrap();
        catalog.initialize().await.unwrap();
        assert_eq!(journal(&file), [1, 1]);
        std::fs::remove_file(&file).unwrap();

        with_a_write_ahead_log(&file).await;
        let before = std::fs::read(&file).unwrap();
        // A reader leaves it as it is, and nothing beside it.
        assert_eq!(catalog.metadata_location().await.unwrap().as_deref(), Some("v0"));
        assert!(std::fs::read(&file).unwrap() == before);
        assert_eq!(names(&folder), ["catalog.db"]);

        assert!(matches!(catalog.swap("v0", "v1").await, Swap::Done(_)));
        assert_eq!((journal(&file), names(&folder)), (vec![1, 1], vec!["catalog.db".to_owned()]));
        assert_eq!(catalog.metadata_location().await.unwrap().as_deref(), Some("v1"));
    }

    #[tokio::test]
    async fn what_sqlite_refuses_is_no_lost_race() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("text.db"), "this is not a database, by no means; it is text").unwrap();
        std::fs::create_dir(path("folder.db")).unwrap();
        let swap = FileCatalog::at(&path("text.db")).unwrap().swap("v0", "v1").await;
        let Swap::Refused(error) = swap else { panic!("{swap:?}") };
        assert!(error.to_string().contains("text.db") && error.to_string().contains("not a SQLite file"), "{error}");
        let error = FileCatalog::at(&path("folder.db")).unwrap_err().to_string();
        assert!(error.contains("folder.db: it is a folder"), "{error}");
    }
}
