//! [`RecordList`]: the files of the ingest record.

use iceberg::io::FileIO;
use serde::{Deserialize, Serialize};

use crate::model::task_files::RecordFile;
use crate::table::gone::unless_gone;
use crate::table::{TableState, Warehouse, WarehouseError};

/// The document that lists the files of the record, in the order of their commits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordList {
    pub files: Vec<RecordFile>,
}

impl TableState {
    /// The snapshot of which the current one inherits the record of what was ingested; `None` if there is no such record.
    pub fn keeper_of_record(&self) -> Option<i64> {
        self.keeper(RecordList::PROPERTY).map(|keeper| keeper.snapshot_id())
    }
}

impl RecordList {
    /// Summary property of a snapshot with the location of its list.
    pub const PROPERTY: &str = "earthcatalog.ingested";

    /// The list at an Iceberg location.
    pub async fn read(io: &FileIO, location: &str) -> Result<Self, WarehouseError> {
        let read = async { io.new_input(location)?.read().await };
        let bytes = read.await.map_err(WarehouseError::metadata(location))?;
        let invalid = |e: serde_json::Error| iceberg::Error::new(iceberg::ErrorKind::DataInvalid, e.to_string());
        serde_json::from_slice(&bytes).map_err(invalid).map_err(WarehouseError::metadata(location))
    }

    /// The list of a state of a table; empty where nothing is recorded, or another engine has deleted the list.
    ///
    /// Errors: [`WarehouseError::Expired`] where the list is gone because the state is: what it said is not unknown, but elsewhere.
    pub async fn of(warehouse: &Warehouse, table: &TableState) -> Result<Self, WarehouseError> {
        let Some(location) = table.inherited(Self::PROPERTY) else { return Ok(Self::default()) };
        if let Some(list) = unless_gone(warehouse.io(), location, Self::read(warehouse.io(), location)).await? {
            return Ok(list);
        }
        match warehouse.load().await?.inherited(Self::PROPERTY) {
            Some(now) if now == location => Ok(Self::default()),
            _ => Err(WarehouseError::Expired { location: location.to_owned() }),
        }
    }
}
