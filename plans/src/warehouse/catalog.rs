//! The catalog: a SQLite file that points at the table's current metadata, in the schema that PyIceberg's
//! `SqlCatalog` and Apache's `iceberg-catalog-sql` share.
//!
//! A connection lives for one operation. The last one to close folds the write-ahead log back, so that between
//! operations `catalog.db` alone is the whole catalog and can be copied.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};

use super::error::{Result, WarehouseError};
use crate::stores::location_url;

/// Name of the catalog in the file (`catalog_name`).
pub const CATALOG: &str = "earthcatalog";
/// Namespace of the table.
pub const NAMESPACE: &str = "earthcatalog";
/// Name of the table.
pub const TABLE: &str = "items";

/// How long a connection waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

const CREATE_TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS iceberg_tables (
        catalog_name VARCHAR(255) NOT NULL,
        table_namespace VARCHAR(255) NOT NULL,
        table_name VARCHAR(255) NOT NULL,
        metadata_location VARCHAR(1000),
        previous_metadata_location VARCHAR(1000),
        iceberg_type VARCHAR(5),
        PRIMARY KEY (catalog_name, table_namespace, table_name))",
    "CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
        catalog_name VARCHAR(255) NOT NULL,
        namespace VARCHAR(255) NOT NULL,
        property_key VARCHAR(255) NOT NULL,
        property_value VARCHAR(1000) NOT NULL,
        PRIMARY KEY (catalog_name, namespace, property_key))",
];

/// A catalog file on a local disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    file: PathBuf,
}

/// What became of a compare-and-swap of the table's metadata location.
#[derive(Debug)]
pub enum Swap {
    /// The table points at the new metadata.
    Done,
    /// Nothing was written: the table points elsewhere, or the catalog was busy for too long.
    Lost,
    /// The catalog failed half-way; whether the table points at the new metadata must be read again.
    Unknown(sqlx::Error),
}

impl Catalog {
    /// The catalog at a path or `file` URL; the file need not exist yet.
    pub fn at(location: &str) -> Result<Self> {
        let url = location_url(location)?;
        let remote = || WarehouseError::RemoteCatalog { catalog: location.to_owned() };
        if url.scheme() != "file" {
            return Err(remote());
        }
        Ok(Self { file: url.to_file_path().map_err(|()| remote())? })
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Creates the file and its tables where they are absent.
    pub async fn initialize(&self) -> Result<()> {
        if let Some(folder) = self.file.parent() {
            let created = tokio::fs::create_dir_all(folder).await;
            created.map_err(|e| self.failed(sqlx::Error::Io(e)))?;
        }
        // Switching a new file to WAL reports "locked" at once, whatever the busy timeout.
        let start = Instant::now();
        let mut connection = loop {
            let options = self.options().create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
            match options.connect().await {
                Err(e) if is_busy(&e) && start.elapsed() < BUSY_TIMEOUT => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                outcome => break outcome.map_err(|e| self.failed(e))?,
            }
        };
        for statement in CREATE_TABLES {
            sqlx::query(statement).execute(&mut connection).await.map_err(|e| self.failed(e))?;
        }
        self.close(connection).await
    }

    /// Location of the table's current metadata; `None` where the catalog has no table.
    pub async fn metadata_location(&self) -> Result<Option<String>> {
        if !tokio::fs::try_exists(&self.file).await.unwrap_or(false) {
            return Err(WarehouseError::NoCatalog { catalog: self.file.display().to_string() });
        }
        let mut connection = self.options().connect().await.map_err(|e| self.failed(e))?;
        let row = sqlx::query(
            "SELECT metadata_location FROM iceberg_tables
             WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
        )
        .bind(CATALOG)
        .bind(NAMESPACE)
        .bind(TABLE)
        .fetch_optional(&mut connection)
        .await
        .map_err(|e| self.failed(e))?;
        let location = row.map(|row| row.try_get(0)).transpose().map_err(|e| self.failed(e))?;
        self.close(connection).await?;
        Ok(location)
    }

    /// Enters the table, unless there is one: then `false`, and nothing changes.
    pub async fn insert(&self, metadata_location: &str) -> Result<bool> {
        let mut connection = self.options().connect().await.map_err(|e| self.failed(e))?;
        let inserted = async {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query(
                "INSERT OR IGNORE INTO iceberg_namespace_properties
                 (catalog_name, namespace, property_key, property_value) VALUES (?, ?, 'exists', 'true')",
            )
            .bind(CATALOG)
            .bind(NAMESPACE)
            .execute(&mut *transaction)
            .await?;
            // No iceberg_type: PyIceberg's own catalogs lack that column, and null means a table everywhere.
            let table = sqlx::query(
                "INSERT OR IGNORE INTO iceberg_tables
                 (catalog_name, table_namespace, table_name, metadata_location) VALUES (?, ?, ?, ?)",
            )
            .bind(CATALOG)
            .bind(NAMESPACE)
            .bind(TABLE)
            .bind(metadata_location)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(table.rows_affected() == 1)
        };
        let inserted = inserted.await.map_err(|e| self.failed(e))?;
        self.close(connection).await?;
        Ok(inserted)
    }

    /// Points the table from `expected` to `new`, if it points at `expected`.
    pub async fn swap(&self, expected: &str, new: &str) -> Swap {
        // A connection that never opened has changed nothing.
        let Ok(mut connection) = self.options().connect().await else { return Swap::Lost };
        let updated = sqlx::query(
            "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
             WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?",
        )
        .bind(new)
        .bind(expected)
        .bind(CATALOG)
        .bind(NAMESPACE)
        .bind(TABLE)
        .bind(expected)
        .execute(&mut connection)
        .await;
        // The statement commits by itself; how the connection closes does not matter any more.
        let _ = connection.close().await;
        match updated {
            Ok(done) if done.rows_affected() == 1 => Swap::Done,
            Ok(_) => Swap::Lost,
            Err(e) if is_busy(&e) => Swap::Lost,
            Err(e) => Swap::Unknown(e),
        }
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.file)
            .busy_timeout(BUSY_TIMEOUT)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging()
    }

    async fn close(&self, connection: SqliteConnection) -> Result<()> {
        connection.close().await.map_err(|e| self.failed(e))
    }

    fn failed(&self, source: sqlx::Error) -> WarehouseError {
        WarehouseError::Database { catalog: self.file.display().to_string(), source }
    }
}

/// SQLITE_BUSY or SQLITE_LOCKED, whatever the extended code: the statement was not executed.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_table_is_entered_once_and_moves_only_from_where_it_is_expected() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::at(folder.path().join("new/catalog.db").to_str().unwrap()).unwrap();
        assert!(matches!(catalog.metadata_location().await, Err(WarehouseError::NoCatalog { .. })));

        catalog.initialize().await.unwrap();
        catalog.initialize().await.unwrap();
        assert_eq!(catalog.metadata_location().await.unwrap(), None);

        assert!(catalog.insert("v0").await.unwrap());
        assert!(!catalog.insert("other").await.unwrap());
        assert!(matches!(catalog.swap("v0", "v1").await, Swap::Done));
        assert!(matches!(catalog.swap("v0", "v2").await, Swap::Lost));
        assert_eq!(catalog.metadata_location().await.unwrap().as_deref(), Some("v1"));
        assert!(!folder.path().join("new/catalog.db-wal").exists(), "the file alone is the catalog");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_may_create_the_same_catalog_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::at(folder.path().join("catalog.db").to_str().unwrap()).unwrap();
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
        let error = Catalog::at(file.to_str().unwrap()).unwrap().metadata_location().await.unwrap_err();
        assert!(error.to_string().contains("catalog.db") && error.to_string().contains("not a database"), "{error}");
    }

    #[test]
    fn a_catalog_on_an_object_store_says_what_works_instead() {
        let error = Catalog::at("s3://bucket/catalog.db").unwrap_err().to_string();
        assert!(error.contains("s3://bucket/catalog.db") && error.contains("local disk"), "{error}");
    }
}
