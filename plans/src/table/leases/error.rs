//! [`MaintenanceError`]: why a warehouse could not be cleaned, or a lease not be held.

use std::time::Duration;

use datafusion::common::DataFusionError;
use thiserror::Error;
use uuid::Uuid;

use crate::stores::{ObjectError, StoreError};
use crate::table::WarehouseError;

pub type Result<T, E = MaintenanceError> = std::result::Result<T, E>;

/// Why maintenance stopped.
#[derive(Debug, Error)]
pub enum MaintenanceError {
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    #[error(transparent)]
    Location(#[from] StoreError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(
        "{lock} is held by {holder}, last heard of {} ago; wait for it, or end that process, or do without the lock: it saves work, and nothing depends on it",
        seconds(.heard)
    )]
    Locked { lock: String, holder: String, heard: Duration },
    #[error(
        "no file was looked for that nothing names, because another table lies in the same folder: {metadata} (table-uuid {table}); its files are not this table's to delete: move one of the two to a folder of its own"
    )]
    AnotherTable { metadata: String, table: Uuid },
    #[error(
        "nothing was removed, because the table says gc.enabled=false: others may need its files; set gc.enabled to true with the engine that set it, if nobody does"
    )]
    GcDisabled,
    #[error(transparent)]
    Checkpoints(Box<DataFusionError>),
    #[error("{location} is no lease: {reason}; delete it, if nobody works on the warehouse")]
    InvalidLease { location: String, reason: String },
    #[error(
        "lease {location} was taken away, because nothing was heard of this process for too long: its files may be gone; start again"
    )]
    LeaseLost { location: String },
    #[error(
        "whether the metadata in {catalog} was replaced is unknown: {reason}; nothing was deleted, and the next clean-up goes on from what it finds"
    )]
    UnknownOutcome { catalog: String, reason: String },
}

impl From<DataFusionError> for MaintenanceError {
    fn from(error: DataFusionError) -> Self {
        Self::Checkpoints(Box::new(error))
    }
}

impl MaintenanceError {
    /// Whether files must not be deleted, for a reason that lies in the table or its folder: what was done before stands.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::GcDisabled | Self::AnotherTable { .. })
    }

    /// Turns a store's error about `location` into one of ours; for `map_err`.
    pub(crate) fn store(location: impl Into<String>) -> impl FnOnce(object_store::Error) -> Self {
        let named = ObjectError::store(location);
        move |source| named(source).into()
    }

    /// Turns the file system's error about `location` into one of ours; for `map_err`.
    pub(crate) fn file(location: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let named = ObjectError::file(location);
        move |source| named(source).into()
    }
}

impl From<MaintenanceError> for DataFusionError {
    fn from(error: MaintenanceError) -> Self {
        Self::External(Box::new(error))
    }
}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs())
}
