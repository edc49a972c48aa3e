//! [`Database`]: the catalog's SQLite file, in the schema that PyIceberg's `SqlCatalog` and Apache's
//! `iceberg-catalog-sql` share.
//!
//! A connection lives for one operation.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tempfile::TempDir;

use super::{CATALOG, NAMESPACE, TABLE};
use crate::table::sqlite::{advice, primary_code};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// How long a connection waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of the header that say how a file is written and read: 1 for a rollback journal, 2 for a write-ahead log (file
/// format, section 1.3.3).
const JOURNAL: Range<usize> = 18..20;

/// Name of a copy in its temporary folder.
const COPY: &str = "catalog.db";

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

/// A table that a catalog names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableEntry {
    pub catalog: String,
    pub namespace: String,
    pub name: String,
    /// Location of the table's current metadata.
    pub metadata_location: String,
}

impl TableEntry {
    fn is_ours(&self) -> bool {
        (&*self.catalog, &*self.namespace, &*self.name) == (CATALOG, NAMESPACE, TABLE)
    }
}

/// A SQLite file, and how it is worked on.
#[derive(Debug, Clone)]
pub(super) struct Database {
    file: PathBuf,
    /// Whether no other process knows of the file, and nobody misses it after a crash.
    scratch: bool,
}

impl Database {
    /// A file that others work on at the same time. It has no write-ahead log: between operations the file alone is the
    /// whole catalog and can be copied, and to read it takes the permission to read it, and leaves nothing behind. A log
    /// that an earlier version, or another engine, made is folded back by the next operation that writes.
    pub fn shared(file: PathBuf) -> Self {
        Self { file, scratch: false }
    }

    /// A copy that is nobody else's.
    pub fn scratch(file: PathBuf) -> Self {
        Self { file, scratch: true }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Creates the file and its tables where they are absent.
    pub async fn initialize(&self) -> Result<()> {
        let mut connection = self.connect(self.options().create_if_missing(true)).await?;
        for statement in CREATE_TABLES {
            sqlx::query(statement).execute(&mut connection).await?;
        }
        connection.close().await
    }

    /// Location of the table's current metadata; `None` where the catalog has no table.
    pub async fn metadata_location(&self) -> Result<Option<String>> {
        Ok(self.tables().await?.into_iter().find(TableEntry::is_ours).map(|table| table.metadata_location))
    }

    /// The tables that the file names, of whichever catalogs.
    pub async fn tables(&self) -> Result<Vec<TableEntry>> {
        if !self.scratch
            && let Some(copy) = without_log(&self.file).await.map_err(sqlx::Error::Io)?
        {
            return Box::pin(Self::scratch(copy.path().join(COPY)).tables()).await;
        }
        match self.read(self.read_options()).await {
            // A writer died in the middle of a change: the first to open the file with permission to write undoes that.
            Err(e) if is_unfinished(&e) && !self.scratch => match self.read(self.options()).await {
                Err(e) if advice(&e).is_some() => {
                    let copy = with_journal(&self.file).await.map_err(sqlx::Error::Io)?;
                    let copied = Self::scratch(copy.path().join(COPY));
                    copied.read(copied.options()).await
                }
                read => read,
            },
            read => read,
        }
    }

    async fn read(&self, options: SqliteConnectOptions) -> Result<Vec<TableEntry>> {
        let mut connection = self.connect(options).await?;
        // Whoever creates the catalog makes the file first, and may have come no further.
        let tables = sqlx::query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'iceberg_tables'");
        if tables.fetch_optional(&mut connection).await?.is_none() {
            connection.close().await?;
            return Ok(vec![]);
        }
        // A view has no location of a table's metadata.
        let rows = sqlx::query(
            "SELECT catalog_name, table_namespace, table_name, metadata_location FROM iceberg_tables
             WHERE metadata_location IS NOT NULL ORDER BY 1, 2, 3",
        );
        let entry = |row: SqliteRow| {
            let [catalog, namespace, name] = [0, 1, 2].map(|i| row.try_get(i));
            Ok(TableEntry { catalog: catalog?, namespace: namespace?, name: name?, metadata_location: row.try_get(3)? })
        };
        let entries = rows.fetch_all(&mut connection).await?.into_iter().map(entry).collect::<Result<_>>()?;
        connection.close().await?;
        Ok(entries)
    }

    /// Enters the table, unless there is one: then `false`, and nothing changes.
    pub async fn insert(&self, metadata_location: &str) -> Result<bool> {
        let mut connection = self.connect(self.options()).await?;
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
        let mut connection = match self.connect(self.options()).await {
            Ok(connection) => connection,
            Err(e) if is_busy(&e) => return Swapped::No,
            // A connection that never opened has changed nothing.
            Err(e) => return Swapped::Refused(e),
        };
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
            // SQLite rolled the statement back.
            Err(e) if advice(&e).is_some() => Swapped::Refused(e),
            Err(e) => Swapped::Unknown(e),
        }
    }

    /// Opens the file. What else waits for its turn does so in SQLite; but a change of the journal mode is told "locked"
    /// at once.
    async fn connect(&self, options: SqliteConnectOptions) -> Result<SqliteConnection> {
        let start = Instant::now();
        loop {
            match options.connect().await {
                Err(e) if is_busy(&e) && start.elapsed() < BUSY_TIMEOUT => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                outcome => return outcome,
            }
        }
    }

    fn options(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new().filename(&self.file).disable_statement_logging();
        let options = options.journal_mode(SqliteJournalMode::Delete);
        match self.scratch {
            true => options.synchronous(SqliteSynchronous::Off),
            // The folder is synced, too: a journal that comes back after a power cut would undo the commit.
            false => options.busy_timeout(BUSY_TIMEOUT).synchronous(SqliteSynchronous::Extra),
        }
    }

    fn read_options(&self) -> SqliteConnectOptions {
        let options = SqliteConnectOptions::new().filename(&self.file).disable_statement_logging();
        options.busy_timeout(BUSY_TIMEOUT).read_only(true)
    }
}

/// Whether the table was pointed elsewhere.
#[derive(Debug)]
pub(super) enum Swapped {
    Yes,
    No,
    /// Nothing was changed, and trying again is of no use.
    Refused(sqlx::Error),
    Unknown(sqlx::Error),
}

/// A copy, under the name [`COPY`] in a temporary folder, of a file that says that it has a write-ahead log where there is
/// none, with the log switched off: to read such a file itself, SQLite makes the log, for which it needs the permission to
/// write, and which stays behind where it has that of somebody else. `None` for any other file.
async fn without_log(file: &Path) -> io::Result<Option<TempDir>> {
    let file = file.to_owned();
    let copied = tokio::task::spawn_blocking(move || {
        let mut header = [0; JOURNAL.end];
        let has_header = File::open(&file).and_then(|mut opened| opened.read_exact(&mut header)).is_ok();
        if !has_header || header[JOURNAL] != [2, 2] || beside(&file, "-wal").exists() {
            return Ok(None);
        }
        let mut bytes = fs::read(&file)?;
        bytes[JOURNAL].fill(1);
        let folder = TempDir::with_prefix("earthcatalog-")?;
        fs::write(folder.path().join(COPY), bytes)?;
        Ok(Some(folder))
    });
    copied.await.map_err(io::Error::other)?
}

/// A copy, under the name [`COPY`] in a temporary folder, of a file and the journal that undoes the last change of it.
async fn with_journal(file: &Path) -> io::Result<TempDir> {
    let file = file.to_owned();
    let copied = tokio::task::spawn_blocking(move || {
        let folder = TempDir::with_prefix("earthcatalog-")?;
        let copy = folder.path().join(COPY);
        // In this order: somebody may undo the change meanwhile, and then there is no journal any more.
        let journaled = fs::copy(beside(&file, "-journal"), beside(&copy, "-journal"));
        fs::copy(&file, &copy)?;
        match journaled {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(folder),
        }
    });
    copied.await.map_err(io::Error::other)?
}

/// The file that SQLite keeps beside another.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}

/// SQLITE_READONLY_ROLLBACK: to read the file, a change that was not finished has to be undone.
fn is_unfinished(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == "776")
}

/// SQLITE_BUSY or SQLITE_LOCKED, whatever the extended code: the statement was not executed.
fn is_busy(error: &sqlx::Error) -> bool {
    primary_code(error).is_some_and(|code| matches!(code, 5 | 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_that_its_writer_did_not_live_to_finish_is_undone_by_whoever_reads_next() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let database = Database::shared(file("catalog.db"));
        database.initialize().await.unwrap();
        assert!(database.insert("v0").await.unwrap());
        // Without waiting for the disk, the journal is complete at once.
        let options = database.options().synchronous(SqliteSynchronous::Off);
        let mut writer = options.connect().await.unwrap();
        for statement in ["BEGIN IMMEDIATE", "UPDATE iceberg_tables SET metadata_location = 'torn'"] {
            sqlx::query(statement).execute(&mut writer).await.unwrap();
        }
        for name in ["killed.db", "unwritable.db"] {
            fs::copy(file("catalog.db"), file(name)).unwrap();
            fs::copy(file("catalog.db-journal"), file(&format!("{name}-journal"))).unwrap();
        }
        drop(writer);

        let killed = Database::shared(file("killed.db"));
        let error = killed.read(killed.read_options()).await.unwrap_err();
        assert!(is_unfinished(&error), "{error}");
        assert_eq!(killed.metadata_location().await.unwrap().as_deref(), Some("v0"));
        assert!(!file("killed.db-journal").exists(), "it is undone for good");
        // Who may not write reads a copy.
        let copy = with_journal(&file("unwritable.db")).await.unwrap();
        let copied = Database::scratch(copy.path().join(COPY));
        assert_eq!(copied.read(copied.options()).await.unwrap()[0].metadata_location, "v0");
        assert!(file("unwritable.db-journal").exists());
    }
}
