//! [`Stored`]: which files there are, and [`Unnamed`]: those that nothing has named yet; from one listing.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use url::Url;

use crate::maintenance::expire::hash;
use crate::maintenance::orphans::{name, old_files};
use crate::stores::{ObjectError, stores};
use crate::table::leases::error::Result;
use crate::table::{Warehouse, WarehouseError};

/// The files of a warehouse with names that we give, by hashes: 16 bytes a file. Others are asked for one by one.
#[derive(Debug)]
pub(super) struct Stored {
    warehouse: Url,
    /// Bytes by the path in the store.
    bytes: HashMap<u64, u64>,
}

/// Of those files, the ones that nothing has named yet: hashes of their names, 8 bytes a file.
#[derive(Debug, Default)]
pub(super) struct Unnamed(pub HashSet<u64>);

impl Unnamed {
    /// Notes that something names the file at a location.
    pub fn is_named(&mut self, location: &str) {
        self.0.remove(&hash(name(location)));
    }
}

impl Stored {
    pub async fn list(warehouse: &Warehouse) -> Result<(Self, Unnamed)> {
        let mut stored = Self { warehouse: warehouse.url().clone(), bytes: HashMap::new() };
        let mut unnamed = Unnamed::default();
        let mut files = old_files(warehouse, DateTime::<Utc>::MAX_UTC)?;
        while let Some(file) = files.try_next().await? {
            stored.bytes.insert(hash(file.location.as_ref()), file.size);
            unnamed.0.insert(hash(name(file.location.as_ref())));
        }
        Ok((stored, unnamed))
    }

    /// The bytes of a file; `None` where there is none.
    ///
    /// Errors: the store does not say.
    pub async fn bytes_of(&self, url: &Url) -> Result<Option<u64>> {
        let (_, path) = stores().locate(url)?;
        if url.as_str().starts_with(self.warehouse.as_str())
            && let Some(bytes) = self.bytes.get(&hash(path.as_ref()))
        {
            return Ok(Some(*bytes));
        }
        // Not one of ours, or one that came after the listing.
        self.bytes_now(url).await
    }

    /// The same, whatever was listed.
    pub async fn bytes_now(&self, url: &Url) -> Result<Option<u64>> {
        let (store, path) = stores().locate(url)?;
        match store.head(&path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(WarehouseError::from(ObjectError::store(url.as_str())(e)).into()),
        }
    }
}
