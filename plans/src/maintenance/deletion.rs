//! Deletes files of a warehouse, and counts.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use url::Url;

use crate::stores::{self, stores};
use crate::table::Warehouse;
use crate::table::leases::error::{MaintenanceError, Result};
use crate::table::location::to_url;

/// Requests for sizes at a time.
const CONCURRENCY: usize = 16;

/// Files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Deleted {
    pub files: u64,
    pub bytes: u64,
}

/// A file to delete, by its Iceberg location; without a size, the store is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doomed {
    pub location: String,
    pub bytes: Option<u64>,
}

/// Deletes files, or with `dry_run` only counts them. Those that are gone already do not count, and those outside the
/// warehouse stay: another table may need them.
pub(super) async fn delete(warehouse: &Warehouse, doomed: Vec<Doomed>, dry_run: bool) -> Result<Deleted> {
    let at = || MaintenanceError::store(warehouse.url().as_str());
    let (store, root) = stores().locate(warehouse.url())?;
    let mut found: Vec<(Path, Option<u64>)> = vec![];
    for file in doomed {
        let url = to_url(&file.location)?;
        // The same path in another bucket is another file.
        let is_of_store = |a: &Url, b: &Url| (a.scheme(), a.authority()) == (b.scheme(), b.authority());
        let (_, path) = stores().locate(&url)?;
        if is_of_store(&url, warehouse.url()) && path.prefix_matches(&root) {
            found.push((path, file.bytes));
        }
    }
    let sized = futures::stream::iter(found).map(|(path, bytes)| {
        let store = store.clone();
        async move {
            match bytes {
                Some(bytes) => Ok(Some((path, bytes))),
                None => match store.head(&path).await {
                    Ok(meta) => Ok(Some((path, meta.size))),
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    Err(e) => Err(e),
                },
            }
        }
    });
    let sized: HashMap<Path, u64> =
        sized.buffered(CONCURRENCY).try_filter_map(async |f| Ok(f)).try_collect().await.map_err(at())?;
    delete_found(warehouse, sized, dry_run).await
}

/// As [`delete`], for files by their paths in the store of the warehouse.
pub(super) async fn delete_found(warehouse: &Warehouse, files: HashMap<Path, u64>, dry_run: bool) -> Result<Deleted> {
    let (store, _) = stores().locate(warehouse.url())?;
    if dry_run {
        return Ok(Deleted { files: files.len() as u64, bytes: files.values().sum() });
    }
    let deleted = stores::delete(&store, files.keys().cloned()).await;
    if let Some(e) = deleted.failed {
        return Err(MaintenanceError::store(warehouse.url().as_str())(e));
    }
    let bytes = deleted.paths.iter().filter_map(|path| files.get(path)).sum();
    Ok(Deleted { files: deleted.paths.len() as u64, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::items::ItemSchema;
    use crate::table::location::to_location;

    #[tokio::test]
    async fn the_same_path_in_another_bucket_is_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = folder.path().join("catalog.db");
        let items = ItemSchema::try_new(vec![]).unwrap();
        let (here, there) = ("memory://deleted-here/wh/", "memory://not-deleted-there/wh/");
        let warehouse = Warehouse::open_or_create(catalog.to_str().unwrap(), here, &items, 1).await.unwrap();
        let put = async |url: String| {
            let url = Url::parse(&url).unwrap();
            let (store, path) = stores().locate(&url).unwrap();
            store.put(&path, "x".into()).await.unwrap();
            Doomed { location: to_location(&url).unwrap(), bytes: Some(1) }
        };
        let [one, other] = [put(format!("{here}1.parquet")).await, put(format!("{there}2.parquet")).await];
        put(format!("{here}2.parquet")).await;

        let deleted = delete(&warehouse, vec![one, other], false).await.unwrap();

        assert_eq!(deleted, Deleted { files: 1, bytes: 1 });
        let is_there = async |url: String| {
            let (store, path) = stores().locate(&Url::parse(&url).unwrap()).unwrap();
            store.head(&path).await.is_ok()
        };
        assert!(!is_there(format!("{here}1.parquet")).await);
        assert!(is_there(format!("{here}2.parquet")).await && is_there(format!("{there}2.parquet")).await);
    }
}
