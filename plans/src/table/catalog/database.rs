//! [`Database`]: the catalog's SQLite file, in the schema that PyIceberg's `SqlCatalog` and Apache's
//! `iceberg-catalog-sql` share.
//!
//! A connection lives for one operation.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};

use super::{CATALOG, NAMESPACE, TABLE};

type Result<T> = std::result::Result<T, sqlx::Error>;

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

/// A SQLite file, and how it is worked on.
#[derive(Debug, Clone)]
pub(super) struct Database {
    file: PathBuf,
    /// Whether no other process knows of the file, and nobody misses it after a crash.
    scratch: bool,
}

impl Database {
    /// A file that others work on at the same time. The last to close folds the write-ahead log back, so that between
    /// operations the file alone is the whole catalog and can be copied.
    pub fn shared(file: PathBuf) -> Self {
        Self { file, scratch: false }
    }

    /// A copy that is nobody else's. It has no write-ahead log, so that it can be read where nothing can be written.
    pub fn scratch(file: PathBuf) -> Self {
        Self { file, scratch: true }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Creates the file and its tables where they are absent.
    pub async fn initialize(&self) -> Result<()> {
        // Switching a new file to WAL reports "locked" at once, whatever the busy timeout.
        let start = Instant::now();
        let mut connection = loop {
            let mut options = self.options().create_if_missing(true);
            if !self.scratch {
                options = options.journal_mode(SqliteJournalMode::Wal);
            }
            match options.connect().await {
                Err(e) if is_busy(&e) && start.elapsed() < BUSY_TIMEOUT => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                outcome => break outcome?,
            }
        };
        for statement in CREATE_TABLES {
            sqlx::query(statement).execute(&mut connection).await?;
        }
        connection.close().await
    }

    /// Location of the table's current metadata; `None` where the catalog has no table.
    pub async fn metadata_location(&self) -> Result<Option<String>> {
        let mut connection = self.options().connect().await?;
        let row = sqlx::query(
            "SELECT metadata_location FROM iceberg_tables
             WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?",
        )
        .bind(CATALOG)
        .bind(NAMESPACE)
        .bind(TABLE)
        .fetch_optional(&mut connection)
        .await?;
        let location = row.map(|row| row.try_get(0)).transpose()?;
        connection.close().await?;
        Ok(location)
    }

    /// Enters the table, unless there is one: then `false`, and nothing changes.
    pub async fn insert(&self, metadata_location: &str) -> Result<bool> {
        let mut connection = self.options().connect().await?;
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
        let inserted: Result<bool> = inserted.await;
        let inserted = inserted?;
        connection.close().await?;
        Ok(inserted)
    }

    /// Points the table from `expected` to `new`, if it points at `expected`.
    pub async fn swap(&self, expected: &str, new: &str) -> Swapped {
        // A connection that never opened has changed nothing.
        let Ok(mut connection) = self.options().connect().await else { return Swapped::No };
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
            Ok(done) if done.rows_affected() == 1 => Swapped::Yes,
            Ok(_) => Swapped::No,
            Err(e) if is_busy(&e) => Swapped::No,
            Err(e) => Swapped::Unknown(e),
        }
    }

    fn options(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new().filename(&self.file).disable_statement_logging();
        match self.scratch {
            true => options.journal_mode(SqliteJournalMode::Delete).synchronous(SqliteSynchronous::Off),
            false => options.busy_timeout(BUSY_TIMEOUT).synchronous(SqliteSynchronous::Full),
        }
    }
}

/// Whether the table was pointed elsewhere.
#[derive(Debug)]
pub(super) enum Swapped {
    Yes,
    No,
    Unknown(sqlx::Error),
}

/// SQLITE_BUSY or SQLITE_LOCKED, whatever the extended code: the statement was not executed.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}
