//! [`KnownIds`]: the document that names the lists of ids of a snapshot.

use std::collections::HashSet;

use datafusion::common::Result;
use datafusion::physical_plan::common::collect;
use iceberg::io::FileIO;
use iceberg::spec::Snapshot;
use serde::{Deserialize, Serialize};
use url::Url;

use super::file::IdHash;
use super::merge::sorted;
use crate::model::task_files::IdFile;
use crate::table::gone::unless_gone;
use crate::table::location::to_location;
use crate::table::{TableState, WarehouseError};

/// The ids of a table as of one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownIds {
    /// Every id of the table is in one of these lists; the oldest first.
    pub lists: Vec<IdFile>,
    /// Those that it may hold in more than one version; `None` where there are none.
    #[serde(default)]
    pub repeated: Option<IdFile>,
}

/// The ids that a table may hold in more than one version.
pub type Repeated = HashSet<IdHash>;

impl TableState {
    /// The location of what is known of the ids in the current snapshot, if something is.
    pub fn known_ids(&self) -> Option<&str> {
        let snapshot = self.metadata.current_snapshot()?;
        snapshot.summary().additional_properties.get(KnownIds::PROPERTY).map(String::as_str)
    }
}

impl KnownIds {
    /// Summary property of a snapshot with the location of its document.
    pub const PROPERTY: &str = "earthcatalog.known-items";

    /// Summary property of a snapshot with the number of ids that may have more than one version.
    pub const REPEATED: &str = "earthcatalog.known-items.repeated";

    /// Up to so many of those are looked up one by one.
    const MOST_REPEATED: u64 = 1_000_000;

    /// The document at an Iceberg location.
    pub async fn read(io: &FileIO, location: &str) -> Result<Self, WarehouseError> {
        let read = async { io.new_input(location)?.read().await };
        let bytes = read.await.map_err(WarehouseError::metadata(location))?;
        let invalid = |e: serde_json::Error| iceberg::Error::new(iceberg::ErrorKind::DataInvalid, e.to_string());
        serde_json::from_slice(&bytes).map_err(invalid).map_err(WarehouseError::metadata(location))
    }

    /// What is known of the current snapshot of a table; `None` if another engine made it, or deleted the document, and so
    /// nothing is.
    pub async fn of(io: &FileIO, table: &TableState) -> Result<Option<Self>, WarehouseError> {
        match (table.metadata.current_snapshot(), table.known_ids()) {
            (None, _) => Ok(Some(Self::default())),
            (_, Some(location)) => unless_gone(io, location, Self::read(io, location)).await,
            (Some(_), None) => Ok(None),
        }
    }

    /// The properties of a snapshot for which the document at `location` holds.
    pub fn properties(&self, location: String) -> [(String, String); 2] {
        let repeated = self.repeated.as_ref().map_or(0, |file| file.ids);
        [(Self::PROPERTY.to_owned(), location), (Self::REPEATED.to_owned(), repeated.to_string())]
    }

    /// The properties with which a snapshot says what `before` said.
    pub fn same_properties(before: &Snapshot) -> impl Iterator<Item = (String, String)> {
        let of = &before.summary().additional_properties;
        [Self::PROPERTY, Self::REPEATED].into_iter().filter_map(|key| Some((key.to_owned(), of.get(key)?.clone())))
    }

    /// The ids of which a snapshot may hold more than one version; `None` if that is not known, or they are too many.
    pub async fn repeated_in(io: &FileIO, snapshot: &Snapshot) -> Result<Option<Repeated>> {
        let property = |key: &str| snapshot.summary().additional_properties.get(key);
        let count = property(Self::REPEATED).and_then(|count| count.parse::<u64>().ok());
        match (property(Self::PROPERTY), count) {
            (Some(_), Some(0)) => Ok(Some(Repeated::new())),
            (Some(location), Some(count)) if count <= Self::MOST_REPEATED => {
                let Some(known) = unless_gone(io, location, Self::read(io, location)).await? else { return Ok(None) };
                match known.repeated().await {
                    Err(_) if known.is_incomplete(io).await => Ok(None),
                    repeated => repeated.map(Some),
                }
            }
            _ => Ok(None),
        }
    }

    /// Every file that the document names.
    pub fn files(&self) -> impl Iterator<Item = &IdFile> {
        self.lists.iter().chain(&self.repeated)
    }

    /// Whether a file that the document names is gone.
    pub async fn is_incomplete(&self, io: &FileIO) -> bool {
        for file in self.files() {
            let location = Url::parse(&file.path).ok().and_then(|url| to_location(&url).ok());
            if let Some(location) = location
                && matches!(io.exists(&location).await, Ok(false))
            {
                return true;
            }
        }
        false
    }

    /// The ids that may have more than one version.
    pub async fn repeated(&self) -> Result<Repeated> {
        let Some(file) = &self.repeated else { return Ok(Repeated::new()) };
        let batches = collect(sorted(&[], std::slice::from_ref(file)).await?).await?;
        Ok(batches.iter().flat_map(super::merge::hashes).map(IdHash).collect())
    }
}
