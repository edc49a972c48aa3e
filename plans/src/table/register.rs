//! [`Warehouse::register`]: takes the table that lies in a folder into a catalog.

use iceberg::spec::TableMetadata;
use url::Url;
use uuid::Uuid;

use super::catalog::Catalog;
use super::create::Warehouse;
use super::error::{Result, WarehouseError};
use super::folder::{metadata_in, newest_by_table};
use super::location::to_location;
use super::new_table::has_table;
use super::state::TableState;
use super::storage::file_io;
use crate::stores::folder_url;

impl Warehouse {
    /// Enters the table in the folder `warehouse` into `catalog`, as its newest metadata file says, and makes the catalog
    /// where there is none. The newest is the one with the highest number in its name; of several, the one that was
    /// updated last.
    ///
    /// Errors: the catalog has a table already; the folder has none, or several; the table's files are elsewhere; it is
    /// not a table of Items.
    pub async fn register(catalog: &str, warehouse: &str) -> Result<Self> {
        let file = Catalog::at(catalog)?;
        let folder = folder_url(warehouse)?;
        let taken = || WarehouseError::HasTable { catalog: file.to_string() };
        if has_table(&file).await? {
            return Err(taken());
        }
        let state = newest_in(&folder).await?;
        let location = state.metadata_location.clone();
        let (lies, says) = (to_location(&folder)?, state.metadata.location().to_owned());
        if lies.trim_end_matches('/') != says.trim_end_matches('/') {
            let catalog = file.to_string();
            return Err(WarehouseError::Moved { metadata: location, says, lies, catalog });
        }
        // Errors here, and nothing was entered.
        Self::of_state(Catalog::at(catalog)?, file_io(), state)?;
        file.initialize().await?;
        if !file.register(&location).await? {
            return Err(taken());
        }
        Self::open(catalog).await
    }
}

/// The newest state of the table that lies in a folder.
///
/// Errors: the folder has no table, or several.
pub(super) async fn newest_in(folder: &Url) -> Result<TableState> {
    let found = metadata_in(folder, |_| true).await?;
    let newest = newest_by_table(&found);
    let (table, version) = match newest.values().collect::<Vec<_>>()[..] {
        [] => return Err(WarehouseError::NoMetadata { folder: folder.to_string() }),
        [newest] => (newest.table, newest.version),
        _ => {
            let tables = newest.values().map(|found| format!("{} ({})", found.table, found.location));
            let (folder, tables) = (folder.to_string(), tables.collect::<Vec<_>>().join(", "));
            return Err(WarehouseError::SeveralTables { folder, tables });
        }
    };
    let candidates = found.iter().filter(|found| (found.table, found.version) == (table, version));
    let location = latest(candidates.map(|found| found.location.as_str()), table).await?;
    super::create::read(&file_io(), &location).await
}

/// Of several metadata files with the highest number, the one that was updated last: the others are of commits that lost.
async fn latest<'a>(locations: impl Iterator<Item = &'a str>, table: Uuid) -> Result<String> {
    let io = file_io();
    let mut latest: Option<(i64, String)> = None;
    for location in locations {
        let metadata = TableMetadata::read_from(&io, location).await.map_err(WarehouseError::metadata(location))?;
        let found = (metadata.last_updated_ms(), location.to_owned());
        if latest.as_ref().is_none_or(|latest| *latest < found) {
            latest = Some(found);
        }
    }
    let gone = || WarehouseError::NoMetadata { folder: table.to_string() };
    latest.map(|(_, location)| location).ok_or_else(gone)
}

#[cfg(test)]
mod tests {
    use super::super::commit::{Change, Committer};
    use super::super::testing::{record, warehouse};
    use super::*;

    fn paths(folder: &tempfile::TempDir) -> [String; 2] {
        ["catalog.db", "wh"].map(|name| folder.path().join(name).to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn a_lost_catalog_is_made_again_from_the_newest_metadata() {
        let folder = tempfile::tempdir().unwrap();
        let [catalog, files] = paths(&folder);
        let lost = warehouse(&folder).await;
        for n in 0..12 {
            let change = Change { add: vec![record(&lost, "81a", Some(2020), &n.to_string())], ..Change::default() };
            Committer::new(lost.clone()).commit(change).await.unwrap();
        }
        let state = lost.load().await.unwrap();
        let error = Warehouse::register(&catalog, &files).await.unwrap_err().to_string();
        assert!(error.contains("already has a table"), "{error}");
        std::fs::remove_file(&catalog).unwrap();
        let registered = Warehouse::register(&catalog, &files).await.unwrap();
        assert_eq!(registered.load().await.unwrap().metadata_location, state.metadata_location);
        let change = Change { add: vec![record(&registered, "81a", Some(2020), "new")], ..Change::default() };
        Committer::new(registered.clone()).commit(change).await.unwrap();
        assert_eq!(registered.load().await.unwrap().metadata.snapshots().len(), 13);
    }

    #[tokio::test]
    async fn what_cannot_be_registered_is_said_and_no_catalog_is_made() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [catalog, files] = paths(&folder);
        let error = Warehouse::register(&catalog, &files).await.unwrap_err().to_string();
        assert!(error.contains("holds no table"), "{error}");
        let tables = [warehouse(&folder).await, warehouse(&elsewhere).await];
        let moved = folder.path().join("moved");
        std::fs::create_dir_all(moved.join("metadata")).unwrap();
        let copy = |from: &Warehouse, to: &std::path::Path| {
            let metadata = from.url().to_file_path().unwrap().join("metadata");
            for entry in std::fs::read_dir(metadata).unwrap() {
                let path = entry.unwrap().path();
                std::fs::copy(&path, to.join("metadata").join(path.file_name().unwrap())).unwrap();
            }
        };
        copy(&tables[0], &moved);
        std::fs::remove_file(&catalog).unwrap();
        let error = Warehouse::register(&catalog, moved.to_str().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains("moved") && error.contains("/wh"), "{error}");
        copy(&tables[1], std::path::Path::new(&files));
        let error = Warehouse::register(&catalog, &files).await.unwrap_err().to_string();
        for table in &tables {
            let uuid = table.load().await;
            let uuid = uuid.map(|state| state.metadata.uuid().to_string());
            assert!(uuid.is_err() || error.contains(&uuid.unwrap()), "{error}");
        }
        assert!(error.contains("several tables"), "{error}");
        assert!(!std::path::Path::new(&catalog).exists());
    }
}
