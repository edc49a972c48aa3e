//! Where the shared data is: real Items, and a generator of ITS_LIVE-like ones.

use std::path::{Path, PathBuf};

/// The data folder: `EARTHCATALOG_DATA`, or `../shared/data` beside the checkout.
///
/// `None` where there is none; a test then says so and passes, except in CI, where it fails.
pub fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("EARTHCATALOG_DATA").map_or(beside, PathBuf::from);
    match folder.canonicalize() {
        Ok(folder) => Some(folder),
        Err(error) if std::env::var_os("CI").is_some() => panic!("{}: {error}", folder.display()),
        Err(error) => {
            println!("skipped: {}: {error}", folder.display());
            None
        }
    }
}
