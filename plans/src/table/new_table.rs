//! Creates the table of a warehouse, in a folder that holds no other one's.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use iceberg::MetadataLocation;
use iceberg::spec::TableMetadata;
use url::Url;

use super::catalog::{Catalog, backoff};
use super::create::{TableState, Warehouse};
use super::error::{Result, WarehouseError};
use super::folder::metadata_in;
use super::leases::{Acquired, Lease, LeaseGuard};
use super::location::{to_location, to_url};
use super::schema;
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
                refuse_another_table(&Catalog::at(catalog)?, &folder, None).await?;
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
/// leaves the lease behind, which names its metadata file, so that the next one of the same catalog knows it for no table.
///
/// Errors: [`WarehouseError::AnotherTable`] where the folder holds metadata of a table.
async fn create_table(catalog: &Catalog, folder: &Url, metadata: &TableMetadata) -> Result<bool> {
    let first = MetadataLocation::new_with_metadata(metadata.location(), metadata).to_string();
    let lock = ConditionalObject::at(&below(folder, &format!("{}/{}", layout::METADATA, layout::CREATING))?)?;
    let purpose = format!("create {first} for {catalog}");
    let failed =
        |e: &dyn std::fmt::Display| WarehouseError::Creation { folder: folder.to_string(), reason: e.to_string() };
    let mut looks = 0;
    let (guard, abandoned) = loop {
        let abandoned = lock.read().await?.and_then(|seen| abandoned(&seen.bytes, lock.location(), catalog));
        match LeaseGuard::acquire(lock.clone(), &purpose).await.map_err(|e| failed(&e))? {
            Acquired::Held(guard) => break (guard, abandoned),
            Acquired::By(holder) if looks == LOOKS => return Err(failed(&holder)),
            Acquired::By(_) if has_table(catalog).await? => return Ok(false),
            Acquired::By(_) => tokio::time::sleep(backoff(100) + Duration::from_millis(10)).await,
        }
        looks += 1;
    };
    let created = create_alone(catalog, folder, metadata, &first, abandoned.as_deref()).await;
    // A lease that cannot be given up becomes stale.
    drop(guard.release().await);
    if created.as_ref().is_err_and(|e| !matches!(e, WarehouseError::AnotherTable { .. })) {
        // As a process that died would have left it, for the metadata file may be there.
        let gone = Lease { machine: None, heartbeat: DateTime::<Utc>::UNIX_EPOCH, ..Lease::new(&purpose) };
        drop(lock.create(gone.to_bytes()).await);
    }
    created
}

/// Creates the table while nobody else creates one in the folder.
async fn create_alone(
    catalog: &Catalog,
    folder: &Url,
    metadata: &TableMetadata,
    first: &str,
    abandoned: Option<&str>,
) -> Result<bool> {
    if has_table(catalog).await? {
        return Ok(false);
    }
    refuse_another_table(catalog, folder, abandoned).await?;
    let io = file_io();
    if let Some(abandoned) = abandoned {
        io.delete(abandoned).await.map_err(WarehouseError::metadata(abandoned))?;
    }
    catalog.initialize().await?;
    let location = first.parse::<MetadataLocation>().map_err(WarehouseError::metadata(first))?;
    metadata.write_to(&io, &location).await.map_err(WarehouseError::metadata(first))?;
    stores::sync([to_url(first)?]).await?;
    let mut entry = catalog.insert(first).await;
    for _ in 1..ENTRIES {
        if entry.is_ok() {
            break;
        }
        // Whether an attempt that failed came through is seen by the next one.
        entry = catalog.insert(first).await;
    }
    if entry? || catalog.metadata_location().await?.is_some_and(|location| location == first) {
        return Ok(true);
    }
    // Another process was faster, and nothing names our file.
    io.delete(first).await.map_err(WarehouseError::metadata(first))?;
    Ok(false)
}

/// Errors where the folder holds metadata of a table, but for the file `except`.
pub(super) async fn refuse_another_table(catalog: &Catalog, folder: &Url, except: Option<&str>) -> Result<()> {
    let found = metadata_in(folder, |location| Some(location) != except).await?;
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

/// The metadata file of a process that died while it created the table of the same catalog.
fn abandoned(lease: &[u8], location: &str, catalog: &Catalog) -> Option<String> {
    let lease = Lease::parse(lease, location).ok().filter(|lease| !lease.is_alive(Utc::now()))?;
    let (metadata, of) = lease.purpose.strip_prefix("create ")?.rsplit_once(" for ")?;
    (of == catalog.to_string()).then(|| metadata.to_owned())
}
