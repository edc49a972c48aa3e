//! Creates the table of a warehouse, in a folder that holds no other one's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iceberg::MetadataLocation;
use iceberg::spec::TableMetadata;
use url::Url;

use super::catalog::{Catalog, Proposed, backoff};
use super::create::Warehouse;
use super::error::{Result, WarehouseError};
use super::folder::metadata_in;
use super::leases::error::Result as Maintained;
use super::leases::{Acquired, Lease, LeaseGuard};
use super::location::{to_location, to_url};
use super::schema;
use super::state::TableState;
use super::storage::file_io;
use crate::model::items::ItemSchema;
use crate::model::layout;
use crate::stores::{self, ConditionalObject, below, folder_url};

/// How often it looks whether another process has created the table: a minute in all, after which that one counts as gone.
const LOOKS: usize = 120;

/// How often a catalog is asked to enter the table that may or may not have done so.
const ENTRIES: usize = 5;

impl Warehouse {
    /// Opens the table of `catalog`, or creates it, and with it the catalog, over the folder `warehouse`.
    /// Of several processes that create it at once, one does, and the others open it.
    ///
    /// Errors: an existing table has another location, other promoted columns or another resolution; the folder holds
    /// another table.
    pub async fn open_or_create(catalog: &str, warehouse: &str, items: &ItemSchema, h3_resolution: u8) -> Result<Self> {
        let file = Catalog::at(catalog)?;
        let folder = folder_url(warehouse)?;
        let mut created = false;
        if !has_table(&file).await? {
            let location = to_location(&folder)?.trim_end_matches('/').to_owned();
            let metadata = schema::new_metadata(items, h3_resolution, &location)?;
            created = create_table(&file, &folder, &metadata).await?;
        }
        let opened = Self::open(catalog).await?.agreeing(warehouse, items, h3_resolution)?;
        Ok(opened.created(created))
    }

    /// As [`Self::open_or_create`], but where there is no table, nothing is created: what is returned is empty, and can
    /// be planned with.
    pub async fn open_or_plan(catalog: &str, warehouse: &str, items: &ItemSchema, h3_resolution: u8) -> Result<Self> {
        match Self::open(catalog).await {
            Ok(existing) => existing.agreeing(warehouse, items, h3_resolution),
            Err(WarehouseError::NoCatalog { .. } | WarehouseError::NoTable { .. }) => {
                let folder = folder_url(warehouse)?;
                let file = Catalog::at(catalog)?;
                let is_free = async || {
                    let creating = Creation::files(&file, &folder).await?;
                    refuse_another_table(&file, &folder, &creating).await
                };
                if is_free().await.is_err() {
                    // Another process may have created it meanwhile, or begun to.
                    if has_table(&file).await? {
                        return Self::open(catalog).await?.agreeing(warehouse, items, h3_resolution);
                    }
                    is_free().await?;
                }
                let location = to_location(&folder)?.trim_end_matches('/').to_owned();
                let metadata = schema::new_metadata(items, h3_resolution, &location)?;
                let metadata_location = MetadataLocation::new_with_metadata(&location, &metadata).to_string();
                let state = TableState { metadata: Arc::new(metadata), metadata_location };
                Self::planned(Catalog::at(catalog)?, state)
            }
            Err(e) => Err(e),
        }
    }

    fn agreeing(self, warehouse: &str, items: &ItemSchema, h3_resolution: u8) -> Result<Self> {
        self.check_location(Some(warehouse))?;
        self.check_promoted(items.promoted())?;
        self.check_resolution(h3_resolution)?;
        Ok(self)
    }
}

/// Creates the table in the catalog, and with it the catalog, unless there is one by then; whether it did.
///
/// A folder takes one table: whoever creates one holds the folder's lease meanwhile. A process that dies in the middle
/// leaves the lease behind, which names its metadata file and those of the ones that died before it, so that the next one of
/// the same catalog knows them for no table.
///
/// Errors: [`WarehouseError::AnotherTable`] where the folder holds metadata of a table.
async fn create_table(catalog: &Catalog, folder: &Url, metadata: &TableMetadata) -> Result<bool> {
    let first = MetadataLocation::new_with_metadata(metadata.location(), metadata).to_string();
    let lock = Creation::lock(folder)?;
    let failed =
        |e: &dyn std::fmt::Display| WarehouseError::Creation { folder: folder.to_string(), reason: e.to_string() };
    let mut looks = 0;
    let (guard, creation) = loop {
        match Creation::begin(lock.clone(), &first, catalog).await.map_err(|e| failed(&e))? {
            (Acquired::Held(guard), creation) => break (guard, creation),
            (Acquired::By(holder), _) if looks == LOOKS => return Err(failed(&holder)),
            (Acquired::By(_), _) if has_table(catalog).await? => return Ok(false),
            (Acquired::By(_), _) => tokio::time::sleep(backoff(100) + Duration::from_millis(10)).await,
        }
        looks += 1;
    };
    let created = create_alone(catalog, folder, metadata, &creation).await;
    // A lease that cannot be given up becomes stale.
    drop(guard.release().await);
    if created.as_ref().is_err_and(|e| !matches!(e, WarehouseError::AnotherTable { .. })) {
        // As a process that died would have left it, for the metadata file may be there.
        let gone = Lease::given_up(&creation.purpose(&catalog.to_string()));
        drop(lock.create(gone.to_bytes()).await);
    }
    created
}

/// Creates the table while nobody else creates one in the folder.
async fn create_alone(catalog: &Catalog, folder: &Url, metadata: &TableMetadata, creation: &Creation) -> Result<bool> {
    if has_table(catalog).await? {
        return Ok(false);
    }
    refuse_another_table(catalog, folder, &creation.abandoned).await?;
    let (io, first) = (file_io(), creation.first.as_str());
    for abandoned in &creation.abandoned {
        io.delete(abandoned).await.map_err(WarehouseError::metadata(abandoned))?;
    }
    catalog.initialize().await?;
    let location = first.parse::<MetadataLocation>().map_err(WarehouseError::metadata(first))?;
    let writes = !catalog.writes_metadata();
    if writes {
        metadata.write_to(&io, &location).await.map_err(WarehouseError::metadata(first))?;
        stores::sync([to_url(first)?]).await?;
    }
    let next = Proposed { metadata: metadata.clone().into(), location: writes.then(|| first.to_owned()) };
    let mut entry = catalog.create(&next).await;
    for _ in 1..ENTRIES {
        if entry.is_ok() {
            break;
        }
        // Whether an attempt that failed came through is seen by the next one.
        entry = catalog.create(&next).await;
    }
    if entry? || catalog.metadata_location().await?.is_some_and(|location| location == first) {
        return Ok(true);
    }
    // Another process was faster, and nothing names our file.
    io.delete(first).await.map_err(WarehouseError::metadata(first))?;
    Ok(false)
}

/// Errors where the folder holds metadata of a table, but for the files `except`.
pub(super) async fn refuse_another_table(catalog: &Catalog, folder: &Url, except: &[String]) -> Result<()> {
    let found = metadata_in(folder, |location| except.iter().all(|except| except != location)).await?;
    // Any one suffices: none can be of the table that is to be.
    match found.last() {
        None => Ok(()),
        Some(there) => Err(WarehouseError::AnotherTable {
            folder: folder.to_string(),
            metadata: there.location.clone(),
            table: there.table,
            catalog: catalog.to_string(),
        }),
    }
}

/// Whether the catalog has a table.
pub(super) async fn has_table(catalog: &Catalog) -> Result<bool> {
    match catalog.metadata_location().await {
        Ok(location) => Ok(location.is_some()),
        Err(WarehouseError::NoCatalog { .. }) => Ok(false),
        Err(e) => Err(e),
    }
}

/// What the lease of a folder says of a process that creates a table in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Creation {
    /// The metadata file of the table.
    first: String,
    /// Those of processes that died while they created the table of the same catalog. A process that dies before it has
    /// deleted them hands them on.
    abandoned: Vec<String>,
}

impl Creation {
    /// The lease of a folder.
    fn lock(folder: &Url) -> Result<ConditionalObject> {
        Ok(ConditionalObject::at(&below(folder, &format!("{}/{}", layout::METADATA, layout::CREATING))?)?)
    }

    /// The metadata files of a table that a process creates in a folder for this catalog, or began to when it died.
    async fn files(catalog: &Catalog, folder: &Url) -> Result<Vec<String>> {
        let lock = Self::lock(folder)?;
        let Some(version) = lock.read().await? else { return Ok(vec![]) };
        let failed = |e: super::leases::MaintenanceError| WarehouseError::Creation {
            folder: folder.to_string(),
            reason: e.to_string(),
        };
        let lease = Lease::parse(&version.bytes, lock.location()).map_err(failed)?;
        let creation = Self::parse(&lease.purpose, &catalog.to_string());
        Ok(creation.map_or(vec![], |Self { first, abandoned }| [vec![first], abandoned].concat()))
    }

    /// Acquires the lease, from one that died if need be, and says what that one has left.
    async fn begin(lock: ConditionalObject, first: &str, catalog: &Catalog) -> Maintained<(Acquired, Self)> {
        let begun = Arc::new(Mutex::new(Self { first: first.to_owned(), abandoned: vec![] }));
        let (last, catalog) = (Arc::clone(&begun), catalog.to_string());
        let purpose = move |dead: Option<&Lease>| {
            let mut creation = last.lock().unwrap_or_else(PoisonError::into_inner);
            let dead = dead.and_then(|dead| Self::parse(&dead.purpose, &catalog));
            creation.abandoned = dead.map_or(vec![], |Self { first, abandoned }| [vec![first], abandoned].concat());
            creation.purpose(&catalog)
        };
        let acquired = LeaseGuard::acquire_after(lock, purpose).await?;
        let creation = begun.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((acquired, creation))
    }

    /// The purpose of the lease.
    fn purpose(&self, catalog: &str) -> String {
        let files = [std::slice::from_ref(&self.first), &self.abandoned].concat();
        format!("create {} for {catalog}", files.join("\n"))
    }

    /// Reads [`Self::purpose`]; `None` of another catalog's.
    fn parse(purpose: &str, catalog: &str) -> Option<Self> {
        let (files, of) = purpose.strip_prefix("create ")?.rsplit_once(" for ")?;
        let mut files = files.split('\n').map(str::to_owned);
        let first = files.next().filter(|_| of == catalog)?;
        Some(Self { first, abandoned: files.collect() })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::table::testing::items;

    /// One process after the other dies while it creates the table, each at another point; the next one creates it.
    #[tokio::test]
    async fn what_several_processes_left_that_died_is_no_table() {
        let folder = tempfile::tempdir().unwrap();
        let (warehouse, catalog) = (folder.path().join("wh"), folder.path().join("c.db"));
        let (warehouse, catalog) = (warehouse.to_str().unwrap(), catalog.to_str().unwrap());
        let (file, url) = (Catalog::at(catalog).unwrap(), folder_url(warehouse).unwrap());
        let location = to_location(&url).unwrap().trim_end_matches('/').to_owned();
        let lock = below(&url, &format!("{}/{}", layout::METADATA, layout::CREATING)).unwrap();
        let lock = ConditionalObject::at(&lock).unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let mut expected = vec![];
        for writes_its_file in [true, false, true] {
            let metadata = schema::new_metadata(&items(), 1, &location).unwrap();
            let first = MetadataLocation::new_with_metadata(&location, &metadata);
            let (acquired, creation) = Creation::begin(lock.clone(), &first.to_string(), &file).await.unwrap();
            assert!(matches!(acquired, Acquired::Held(_)));
            assert_eq!(creation.abandoned, expected);
            if writes_its_file {
                metadata.write_to(&file_io(), &first).await.unwrap();
            }
            expected.insert(0, first.to_string());
            // It dies, and its lease stays.
            drop(acquired);
            let dead = Lease { pid: child.id(), ..Lease::new(&creation.purpose(&file.to_string())) };
            lock.create(dead.to_bytes()).await.unwrap().unwrap();
            // Who plans the table before it creates it takes that for no table, either; of another catalog it may be one.
            Warehouse::open_or_plan(catalog, warehouse, &items(), 1).await.unwrap();
            let other = format!("{catalog}-other");
            let planned = Warehouse::open_or_plan(&other, warehouse, &items(), 1).await;
            assert_eq!(planned.is_err(), expected.len() > 1 || writes_its_file);
        }
        let created = Warehouse::open_or_create(catalog, warehouse, &items(), 1).await.unwrap();
        assert!(created.is_new());
        let found = metadata_in(&url, |_| true).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].location, created.load().await.unwrap().metadata_location);
    }
}
