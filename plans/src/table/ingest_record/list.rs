//! [`RecordList`]: the files of the ingest record.

use iceberg::io::FileIO;
use serde::{Deserialize, Serialize};

use crate::model::task_files::RecordFile;
use crate::table::{TableState, WarehouseError};

/// The document that lists the files of the record, in the order of their commits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordList {
    pub files: Vec<RecordFile>,
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

    /// The list of a table; empty where nothing is recorded.
    pub async fn of(io: &FileIO, table: &TableState) -> Result<Self, WarehouseError> {
        match table.inherited(Self::PROPERTY) {
            Some(location) => Self::read(io, location).await,
            None => Ok(Self::default()),
        }
    }
}
