//! [`data_files`]: what a table consists of, whoever keeps it and whatever its columns are.

use super::create::read;
use super::error::{Result, WarehouseError};
use super::manifests::files::LiveFile;
use super::manifests::{apart, list, live_manifests};
use super::storage::file_io;

/// The live data files of the table whose current metadata lies at `metadata_location`, by their locations.
///
/// Errors: metadata, a list or a manifest is gone or damaged; the table has delete files.
pub(crate) async fn data_files(metadata_location: &str) -> Result<Vec<LiveFile>> {
    let io = file_io();
    let state = read(&io, metadata_location).await?;
    let Some(snapshot) = state.metadata.current_snapshot() else { return Ok(vec![]) };
    let (deletes, manifests) = apart(live_manifests(&io, &state.metadata, snapshot).await?);
    if let Some(manifest) = deletes.into_iter().next() {
        return Err(WarehouseError::DeleteFiles { manifest: manifest.manifest_path });
    }
    let listed = list(&io, manifests).await?;
    let mut files: Vec<_> = listed.into_iter().flat_map(|(_, files)| files).collect();
    files.sort_unstable_by(|a, b| a.location.cmp(&b.location));
    Ok(files)
}
