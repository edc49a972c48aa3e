//! Where the shared data is: real Items, and a generator of ITS_LIVE-like ones.
//!
//! Tests that need it are ignored where it was not there when they were built: see `build.rs`.

use std::path::{Path, PathBuf};

/// The data folder: `EARTHCATALOG_DATA`, or `../shared/data` beside the checkout.
pub fn folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("EARTHCATALOG_DATA").map_or(beside, PathBuf::from);
    folder.canonicalize().unwrap_or_else(|error| panic!("{}: {error}; set EARTHCATALOG_DATA", folder.display()))
}
