//! The catalog: what points at the table's current metadata. It is a SQLite file, on a local disk or in an object store, or a
//! server that speaks Iceberg's REST protocol.
//!
//! - `file`: the catalog in a file; `database` is the file itself, which other engines open, and `remote` the file as an
//!   object, replaced as a whole.
//! - `rest`: the catalog behind a server, which is told what changes; `difference` says what that is.
//! - `backoff`: how long to wait for other writers.

mod backoff;
mod database;
mod difference;
mod file;
mod remote;
mod rest;

use std::fmt;

use iceberg::spec::TableMetadataRef;
use url::Url;

pub(crate) use self::backoff::backoff;
pub use self::database::TableEntry;
use self::file::FileCatalog;
use self::rest::{Address, RestCatalog};
use super::error::{Result, WarehouseError};
use super::state::TableState;

/// Name of the catalog in the file (`catalog_name`).
pub const CATALOG: &str = "earthcatalog";
/// Namespace of the table, where none is named.
pub const NAMESPACE: &str = "earthcatalog";
/// Name of the table, where none is named.
pub const TABLE: &str = "items";

/// A catalog, displayed as its path or URL. Cheap to clone; clones share what they have read.
#[derive(Debug, Clone)]
pub struct Catalog(Kind);

#[derive(Debug, Clone)]
enum Kind {
    File(FileCatalog),
    Rest(RestCatalog),
}

/// What a catalog says of its table.
#[derive(Debug, Clone)]
pub struct Current {
    /// Location of the table's current metadata.
    pub location: String,
    /// The metadata, from a catalog that has read it.
    pub metadata: Option<TableMetadataRef>,
}

/// The metadata that is to follow.
#[derive(Debug, Clone)]
pub struct Proposed {
    pub metadata: TableMetadataRef,
    /// Where it was written; `None` where the catalog itself writes metadata.
    pub location: Option<String>,
}

/// What became of a change of the table in its catalog.
#[derive(Debug)]
pub enum Swap {
    /// The table has the new metadata, which lies at this location.
    Done(String),
    /// Nothing was written: the table has changed, or the catalog was busy for too long.
    Lost,
    /// Nothing was written, and trying again is of no use.
    Refused(WarehouseError),
    /// The catalog failed half-way; whether the table has the new metadata must be read again.
    Unknown(WarehouseError),
}

/// How a place that a user names as a catalog is understood.
///
/// Errors: it is the URL of a REST catalog, and has something in it that such a URL cannot have.
fn address_of(location: &str) -> Result<Option<Address>> {
    Ok(Address::parse(location)?)
}

impl Catalog {
    /// The catalog at a path or URL, which need not exist yet. A URL of HTTP is that of a REST catalog, unless its path ends as
    /// the name of a SQLite file does.
    pub fn at(location: &str) -> Result<Self> {
        Ok(Self(match address_of(location)? {
            Some(address) => Kind::Rest(RestCatalog::at(address)?),
            None => Kind::File(FileCatalog::at(location)?),
        }))
    }

    /// The URL of the file; `None` of a catalog that is no file.
    pub fn file(&self) -> Option<&Url> {
        match &self.0 {
            Kind::File(file) => Some(file.url()),
            Kind::Rest(_) => None,
        }
    }

    /// How PyIceberg opens a catalog that is no file: the base of its URL, and its warehouse.
    pub fn rest_endpoint(&self) -> Option<(&str, Option<&str>)> {
        match &self.0 {
            Kind::File(_) => None,
            Kind::Rest(rest) => Some((rest.address().base(), rest.address().warehouse())),
        }
    }

    /// Name of the table, with its namespace.
    pub fn table(&self) -> String {
        match &self.0 {
            Kind::File(_) => format!("{NAMESPACE}.{TABLE}"),
            Kind::Rest(rest) => rest.address().table_name(),
        }
    }

    /// Whether the catalog writes the table's metadata, and says where; else whoever changes the table writes it first.
    pub fn writes_metadata(&self) -> bool {
        matches!(self.0, Kind::Rest(_))
    }

    /// Makes the catalog, where it is absent, so that a table can be entered: the file and its tables, or the namespace.
    pub async fn initialize(&self) -> Result<()> {
        match &self.0 {
            Kind::File(file) => file.initialize().await,
            Kind::Rest(rest) => Ok(rest.create_namespace().await?),
        }
    }

    /// The table as it is now; `None` where the catalog has none.
    pub async fn load(&self) -> Result<Option<Current>> {
        match &self.0 {
            Kind::File(file) => {
                Ok(file.metadata_location().await?.map(|location| Current { location, metadata: None }))
            }
            Kind::Rest(rest) => Ok(rest.load().await?),
        }
    }

    /// Location of the table's current metadata; `None` where the catalog has no table.
    pub async fn metadata_location(&self) -> Result<Option<String>> {
        Ok(self.load().await?.map(|current| current.location))
    }

    /// Enters a new table, unless there is one: then `false`, and nothing changes.
    pub async fn create(&self, first: &Proposed) -> Result<bool> {
        match (&self.0, &first.location) {
            (Kind::Rest(rest), _) => Ok(rest.create(&first.metadata).await?),
            (Kind::File(file), Some(location)) => file.insert(location).await,
            (Kind::File(_), None) => Err(self.unwritten()),
        }
    }

    /// Enters a table that is there, by the location of its metadata, unless the catalog has one: then `false`, and nothing
    /// changes.
    pub async fn register(&self, metadata_location: &str) -> Result<bool> {
        match &self.0 {
            Kind::File(file) => file.insert(metadata_location).await,
            Kind::Rest(rest) => Ok(rest.register(metadata_location).await?),
        }
    }

    /// Gives the table the metadata that is to follow `base`, if the table is still that.
    pub async fn commit(&self, base: &TableState, next: &Proposed) -> Swap {
        match (&self.0, &next.location) {
            (Kind::Rest(rest), _) => rest.commit(base, &next.metadata).await,
            (Kind::File(file), Some(location)) => file.swap(&base.metadata_location, location).await,
            (Kind::File(_), None) => Swap::Refused(self.unwritten()),
        }
    }

    /// Whether what was to follow `base` has become visible, by what the table is `now`.
    pub fn shows(&self, now: &TableState, base: &TableState, next: &Proposed) -> bool {
        let is_or_was = |location: &String| {
            let mut log = now.metadata.metadata_log().iter();
            now.metadata_location == *location || log.any(|log| log.metadata_file == *location)
        };
        match &next.location {
            Some(location) => is_or_was(location),
            None => {
                now.metadata_location != base.metadata_location
                    && difference::is_in(&now.metadata, &base.metadata, &next.metadata)
            }
        }
    }

    /// A file can only point at metadata that is written.
    fn unwritten(&self) -> WarehouseError {
        let reason = "its metadata was not written before it was to be entered".to_owned();
        WarehouseError::InvalidLocation { location: self.to_string(), reason }
    }
}

impl fmt::Display for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(file) => file.fmt(f),
            Kind::Rest(rest) => rest.address().fmt(f),
        }
    }
}

/// The tables that the SQLite file of a catalog names, whoever keeps them.
///
/// Errors: there is no such file, or it is no catalog.
pub(crate) async fn tables_in(file: &Url) -> Result<Vec<TableEntry>> {
    FileCatalog::at(file.as_str())?.tables().await
}

/// Whether a place that a user names as a catalog is the URL of a REST catalog.
///
/// Errors: as of [`Catalog::at`].
pub fn is_rest(location: &str) -> Result<bool> {
    Ok(address_of(location)?.is_some())
}
