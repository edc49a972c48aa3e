//! The one place that opens object stores: by URL, once per process, configured by the environment.
//!
//! | scheme | store | configured by |
//! |---|---|---|
//! | `file` (or a plain path) | local file system | |
//! | `s3`, `s3a` | Amazon S3 and compatible | `AWS_*`: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_SKIP_SIGNATURE`, `AWS_ALLOW_HTTP`, …; without keys there, a profile in `~/.aws` |
//! | `gs` | Google Cloud Storage | `GOOGLE_*` |
//! | `az`, `abfs`, `abfss` | Azure Blob Storage | `AZURE_*` |
//! | `http`, `https` | WebDAV or plain GET | |
//! | `memory` | this process's memory, one store per authority | |

mod advice;
mod aws_profile;
mod checked_pages;
mod conditional;
mod delete;
pub mod faults;
mod open;
mod parquet;
mod resume;
mod retry;
mod sync;

use std::collections::HashMap;
use std::path::Path as FilePath;
use std::sync::{Arc, LazyLock, RwLock};

use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use object_store::path::Path;
use thiserror::Error;
use url::Url;

pub use self::advice::Service;
pub(crate) use self::checked_pages::{CheckedPages, DamagedFile};
pub use self::conditional::{ConditionalObject, ObjectError, Version};
pub(crate) use self::delete::delete;
pub use self::open::HandedKeys;
pub use self::parquet::ParquetObject;
pub use self::retry::Retrying;
pub(crate) use self::sync::sync;

/// Why a location names no object store.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("{location} is neither a path nor a URL: {reason}")]
    InvalidLocation { location: String, reason: String },
    #[error("{url}: no object store for scheme {scheme}; use file, s3, gs, az, http, https or memory")]
    UnknownScheme { url: Url, scheme: String },
    #[error(
        "cannot open {url}: {source}; its credentials and endpoint come from the environment (AWS_*, GOOGLE_*, AZURE_*)"
    )]
    Open { url: Url, source: Box<object_store::Error> },
    #[error("{url}: there are no credentials; {advice}")]
    NoCredentials { url: Url, advice: &'static str },
    #[error("{0}; name another one, or none, to use the other variables AWS_*")]
    Profile(String),
    #[error("AWS_ENDPOINT_URL is {endpoint:?}, which is no URL; write https://HOST or http://HOST:PORT")]
    Endpoint { endpoint: String },
    #[error("EARTHCATALOG_FAULTS: {reason}")]
    Faults { reason: String },
}

impl From<StoreError> for DataFusionError {
    fn from(error: StoreError) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

/// The stores of this process. Sessions, Iceberg and every operator share them, and with them their connections.
pub fn stores() -> &'static Arc<StoreRegistry> {
    static STORES: LazyLock<Arc<StoreRegistry>> = LazyLock::new(Arc::default);
    &STORES
}

/// Object stores by scheme and authority, opened at first use.
#[derive(Debug, Default)]
pub struct StoreRegistry {
    open: RwLock<HashMap<String, Arc<dyn ObjectStore>>>,
}

impl StoreRegistry {
    /// The store behind `url`, and the path of `url` within it.
    pub fn locate(&self, url: &Url) -> Result<(Arc<dyn ObjectStore>, Path), StoreError> {
        let invalid = |reason: String| StoreError::InvalidLocation { location: url.to_string(), reason };
        let path = match url.scheme() {
            "file" => {
                let file = url.to_file_path().map_err(|()| invalid("not a local file".into()))?;
                Path::from_absolute_path(file).map_err(|e| invalid(e.to_string()))?
            }
            _ => Path::from_url_path(url.path()).map_err(|e| invalid(e.to_string()))?,
        };
        Ok((self.open(url)?, path))
    }

    /// Has an S3 bucket opened with keys that were handed out for it, unless this process has keys of its own. Whoever has it
    /// open keeps what they have.
    pub fn hand_keys(&self, url: &Url, keys: HandedKeys) {
        // Where it cannot be opened, whoever needs it is told why.
        if let Some(Ok(store)) = open::with_handed_keys(url, keys) {
            self.open.write().unwrap_or_else(|e| e.into_inner()).insert(key(url), store);
        }
    }

    fn open(&self, url: &Url) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let key = key(url);
        // A poisoned lock holds a map that is whole: entries are inserted in one step.
        if let Some(store) = self.open.read().unwrap_or_else(|e| e.into_inner()).get(&key) {
            return Ok(Arc::clone(store));
        }
        let mut open = self.open.write().unwrap_or_else(|e| e.into_inner());
        if let Some(store) = open.get(&key) {
            return Ok(Arc::clone(store));
        }
        let store = open::open(url)?;
        open.insert(key, Arc::clone(&store));
        Ok(store)
    }
}

impl ObjectStoreRegistry for StoreRegistry {
    fn register_store(&self, url: &Url, store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        self.open.write().unwrap_or_else(|e| e.into_inner()).insert(key(url), store)
    }

    fn deregister_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        let removed = self.open.write().unwrap_or_else(|e| e.into_inner()).remove(&key(url));
        removed.ok_or_else(|| DataFusionError::Execution(format!("no open store for {url}")))
    }

    fn get_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        Ok(self.open(url)?)
    }
}

/// The URL of a location that a user wrote: a URL, or a path relative to the working directory.
pub fn location_url(location: &str) -> Result<Url, StoreError> {
    let invalid = |reason: String| StoreError::InvalidLocation { location: location.to_owned(), reason };
    if let Some((scheme, _)) = location.split_once("://")
        && scheme.chars().all(|c| c.is_ascii_alphanumeric())
    {
        return Url::parse(location).map_err(|e| invalid(e.to_string()));
    }
    let path = std::path::absolute(FilePath::new(location)).map_err(|e| invalid(e.to_string()))?;
    let url = Url::from_file_path(path).map_err(|()| invalid("not an absolute path".into()))?;
    // Parsing takes `..` out, which no object store knows.
    Url::parse(url.as_str()).map_err(|e| invalid(e.to_string()))
}

/// As [`location_url`], for a folder or prefix: the URL ends in `/`, so that names can be joined to it.
pub fn folder_url(location: &str) -> Result<Url, StoreError> {
    let mut url = location_url(location)?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// The URL of a path below `folder`, whose URL ends in `/`. The path is text, none of it encoded: its segments are names.
///
/// Errors where one of them would lead elsewhere.
pub fn below(folder: &Url, path: &str) -> Result<Url, StoreError> {
    let invalid =
        |reason: &str| StoreError::InvalidLocation { location: format!("{folder}{path}"), reason: reason.into() };
    let names = path.strip_suffix('/').unwrap_or(path);
    if names.split('/').any(|name| matches!(name, "" | "." | "..")) || path.contains('\\') {
        return Err(invalid("it leads out of the folder"));
    }
    let mut url = folder.clone();
    let mut segments = url.path_segments_mut().map_err(|()| invalid("a URL without a path"))?;
    segments.pop_if_empty().extend(path.split('/'));
    drop(segments);
    Ok(url)
}

/// The URL of the folder that holds `file`, ending in `/`.
pub fn folder_of(file: &Url) -> Url {
    let mut folder = file.clone();
    let kept = file.path().rfind('/').map_or("/", |slash| &file.path()[..=slash]);
    folder.set_path(kept);
    folder
}

fn key(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.authority())
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;

    #[test]
    fn a_plain_path_is_a_file_relative_to_the_working_directory() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(location_url("a b/c.csv").unwrap().to_file_path().unwrap(), here.join("a b/c.csv"));
        assert_eq!(location_url("/a/b/../c d").unwrap().as_str(), "file:///a/c%20d");
        assert_eq!(location_url("s3://bucket/key").unwrap().as_str(), "s3://bucket/key");
        assert_eq!(folder_url("s3://bucket/wh").unwrap().as_str(), "s3://bucket/wh/");
    }

    #[test]
    fn a_file_lies_in_its_folder() {
        for (file, folder) in [("s3://b/x/c%20d.db", "s3://b/x/"), ("file:///c.db", "file:///"), ("s3://b/", "s3://b/")]
        {
            assert_eq!(folder_of(&Url::parse(file).unwrap()).as_str(), folder);
        }
    }

    #[tokio::test]
    async fn a_path_with_spaces_and_percent_signs_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("100% ice, é+%20.json");
        std::fs::write(&file, "{}").unwrap();
        let (store, path) = stores().locate(&location_url(file.to_str().unwrap()).unwrap()).unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "{}");
    }

    #[tokio::test]
    async fn what_lies_below_a_folder_is_never_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let url = Url::from_directory_path(folder.path()).unwrap();
        for wrong in ["", "..", "a/../../b", "./a", "/a", "a//b", "..\\a"] {
            assert!(below(&url, wrong).is_err(), "{wrong:?}");
        }
        for name in ["a b", "100%", "%20", "what#ever?", "é", "a:b", "..."] {
            std::fs::write(folder.path().join(name), name).unwrap();
            let found = below(&url, name).unwrap();
            assert_eq!(found.to_file_path().unwrap(), folder.path().join(name));
            let (store, path) = stores().locate(&found).unwrap();
            assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), name);
        }
        assert!(below(&url, "a/b/").unwrap().as_str().ends_with("/a/b/"));
    }

    #[test]
    fn one_store_per_authority() {
        let store = |url: &str| stores().locate(&Url::parse(url).unwrap()).unwrap().0;
        assert!(Arc::ptr_eq(&store("memory://one/a"), &store("memory://one/b")));
        assert!(!Arc::ptr_eq(&store("memory://one/a"), &store("memory://two/a")));
    }

    #[test]
    fn an_unknown_scheme_says_which_ones_there_are() {
        let error = stores().locate(&Url::parse("ftp://host/x").unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ftp://host/x: no object store for scheme ftp; use file, s3, gs, az, http, https or memory"
        );
    }
}
