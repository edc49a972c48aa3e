//! The files that a task writes beside its part files, and that its commit takes over.

use serde::{Deserialize, Serialize};

/// A file of the ingest record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordFile {
    /// URL.
    pub path: String,
    /// Objects.
    pub rows: u64,
    pub bytes: u64,
    /// Newest `last_modified` of its objects, in milliseconds since 1970 UTC; `None` where one is not known.
    pub newest: Option<i64>,
}

/// A file with a list of ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdFile {
    /// URL.
    pub path: String,
    /// Hashes.
    pub ids: u64,
    pub bytes: u64,
}
