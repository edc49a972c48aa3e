//! [`WarehouseError`]: what can go wrong between a warehouse, its catalog and its Iceberg table.

use datafusion::common::DataFusionError;
use thiserror::Error;
use uuid::Uuid;

use super::rest_error::RestError;
use crate::model::items::ItemSchemaError;
use crate::stores::{ObjectError, StoreError};

pub type Result<T, E = WarehouseError> = std::result::Result<T, E>;

/// Why a warehouse could not be opened, read or committed to.
#[derive(Debug, Error)]
pub enum WarehouseError {
    #[error("there is no catalog at {catalog}; an ingest creates it, or name another one")]
    NoCatalog { catalog: String },
    #[error("catalog {catalog} has no table {table}; an ingest creates it, or name another catalog")]
    NoTable { catalog: String, table: String },
    #[error("catalog {catalog} has no table yet; to create one, name the folder or URL of its files with --warehouse")]
    NoLocation { catalog: String },
    #[error("catalog {catalog} cannot be read or written: {source}{}", super::sqlite::advice(.source).map_or(String::new(), |advice| format!("; {advice}")))]
    Database { catalog: String, source: sqlx::Error },
    #[error("the catalog cannot be read or written: {0}")]
    CatalogObject(#[from] ObjectError),
    #[error(
        "the index {location} cannot be read: {reason}; delete the file, and questions do without it, or build it again with `earthcatalog index`"
    )]
    Index { location: String, reason: String },
    #[error(transparent)]
    Rest(#[from] RestError),
    #[error(
        "the REST catalog {catalog} names table {table} where it was, and cannot be told that its files are in {folder} now; drop the table there without its files, and give the command again: it enters the table anew"
    )]
    Pinned { catalog: String, table: String, folder: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{location}: {source}")]
    Metadata { location: String, source: Box<iceberg::Error> },
    #[error(
        "{location} is damaged: {reason}; put it back from a backup, or take an older state of the table into a new catalog with `earthcatalog register`"
    )]
    Damaged { location: String, reason: String },
    #[error("{location} is no table of Items: {reason}")]
    NotItems { location: String, reason: String },
    #[error("the table in {catalog} has {what} {existing}, not {wanted}; {way_out}")]
    Disagrees { catalog: String, what: &'static str, existing: String, wanted: String, way_out: &'static str },
    #[error(
        "{folder} holds another table: {metadata} (table-uuid {table}); take that one into the catalog with `earthcatalog register --catalog {catalog} --warehouse {folder}`, or choose another folder for a new table"
    )]
    AnotherTable { folder: String, metadata: String, table: Uuid, catalog: String },
    #[error("whether a table may be created in {folder} cannot be told: {reason}; try again")]
    Creation { folder: String, reason: String },
    #[error("catalog {catalog} already has a table; register into a catalog that has none")]
    HasTable { catalog: String },
    #[error(
        "{folder} holds no table: there is no metadata file (metadata/*.metadata.json) in it; an ingest creates a table"
    )]
    NoMetadata { folder: String },
    #[error("{folder} holds the metadata of several tables: {tables}; move those away that are not to be registered")]
    SeveralTables { folder: String, tables: String },
    #[error(
        "{metadata} is of a table in {says}, and lies in {lies}; Iceberg's metadata names files by their whole path: `earthcatalog relocate --catalog {catalog} --warehouse {lies}` writes it for where they are"
    )]
    Moved { metadata: String, says: String, lies: String, catalog: String },
    #[error(
        "{count} of the files of the table are not in {folder} as they were in {from}, such as {path}: {reason}; copy the whole folder, and give the command again"
    )]
    NotCopied { count: usize, path: String, reason: String, from: String, folder: String },
    #[error(
        "catalog {catalog} names {named}, and the newest state in the folder is {newest}; copy the whole folder again while nobody writes, or name a catalog that has no table"
    )]
    NamesAnother { catalog: String, named: String, newest: String },
    #[error(transparent)]
    Schema(#[from] ItemSchemaError),
    #[error("column {column} cannot be changed: {reason}")]
    Column { column: String, reason: String },
    #[error("{location}: {reason}")]
    InvalidLocation { location: String, reason: String },
    #[error("part file {path} cannot be committed: {reason}")]
    InvalidPartFile { path: String, reason: String },
    #[error("the table in {catalog} is not as it was when this began: its {what} was {was}, is {is}; start again")]
    Changed { catalog: String, what: &'static str, was: String, is: String },
    #[error(
        "{} of the files to add are in the table already, such as {}: an earlier start committed them; `earthcatalog runs --discard RUN` removes what is left of that run", .paths.len(), .paths.first().map_or("", String::as_str)
    )]
    AlreadyLive { paths: Vec<String> },
    #[error(
        "{count} of the files to add are gone or damaged, such as {path}: {reason}; remove what is left of the run with `earthcatalog runs --discard RUN`, and start it again"
    )]
    MissingPartFiles { count: usize, path: String, reason: String },
    #[error("another writer has replaced {} of the files that this began with, such as {}; nothing was changed: start again", missing.len(), missing.first().map_or("", String::as_str))]
    Conflict { missing: Vec<String> },
    #[error(
        "{location} is gone with a state of the table that a clean-up removed while it was read; nothing was changed: start again"
    )]
    Expired { location: String },
    #[error("the table has no {wanted}, or no longer; {there}")]
    NoSnapshot { wanted: String, there: String },
    #[error("the table has a {kind} '{name}' already, of snapshot {snapshot}; drop it first, or choose another name")]
    HasReference { kind: &'static str, name: String, snapshot: i64 },
    #[error("the table has no {kind} '{name}'; it has {}", quoted(.names))]
    NoReference { kind: &'static str, name: String, names: Vec<String> },
    #[error("'{name}' cannot be a name: {reason}; choose another one")]
    ReservedName { name: String, reason: &'static str },
    #[error("the tags and branches of the table cannot be read: {reason}")]
    InvalidReferences { reason: String },
    #[error("commit gave up after {attempts} attempts: other writers were always faster; try again")]
    Contention { attempts: usize },
    #[error(
        "the outcome of the commit to {catalog} is unknown: {reason}; the files are kept, look for snapshot {snapshot} before trying again"
    )]
    UnknownOutcome { catalog: String, snapshot: i64, reason: String },
    #[error("a run is committed once: snapshot {snapshot} already has run {run}")]
    CommittedBefore { run: String, snapshot: i64 },
    #[error("there is nothing to commit: no file to add, none to remove")]
    NothingToCommit,
    #[error("the lists of the ids in the table cannot be read: {reason}")]
    Ids { reason: String },
    #[error("a task was cancelled: {0}")]
    Cancelled(tokio::task::JoinError),
    #[error(
        "the table has delete files (such as {manifest}), which cannot be taken along; have them applied first: a warehouse of earthcatalog by `earthcatalog compact`, then `earthcatalog expire`, another table by the engine that wrote them"
    )]
    DeleteFiles { manifest: String },
    #[error(
        "file {location}, by which another engine has deleted rows, cannot be read: {reason}; have that engine compact the table, bring the file back from a backup, or roll the table back to before it"
    )]
    DeleteFile { location: String, reason: String },
    #[error(
        "data file {location} cannot be read: {reason}; start again if another command has replaced it meanwhile, or bring it back from a backup"
    )]
    DataFile { location: String, reason: String },
}

impl WarehouseError {
    /// Turns Iceberg's error about `location` into one of ours; for `map_err`.
    pub(crate) fn metadata(location: impl Into<String>) -> impl FnOnce(iceberg::Error) -> Self {
        let location = location.into();
        move |source| Self::Metadata { location, source: Box::new(source) }
    }
}

impl From<WarehouseError> for DataFusionError {
    fn from(error: WarehouseError) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

fn quoted(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", "),
    }
}
