//! [`ConditionalObject`]: a small object that is created, replaced and deleted only if it is what the caller believes.

use std::fs::{self, File};
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::DataFusionError;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use thiserror::Error;
use url::Url;

use super::{StoreError, stores};

type Result<T> = std::result::Result<T, ObjectError>;

/// Why an object could not be read or changed.
#[derive(Debug, Error)]
pub enum ObjectError {
    #[error("{location}: {source}")]
    Store { location: String, source: Box<object_store::Error> },
    #[error(
        "{location}: its store takes a write on condition (If-Match) for any other, so that one of two writers at once would be lost without a word; keep the catalog on a disk, or in a store that has conditional writes"
    )]
    Unconditional { location: String },
    #[error("{location}: {source}")]
    File { location: String, source: io::Error },
}

impl ObjectError {
    /// Turns a store's error about `location` into one of ours; for `map_err`.
    pub(crate) fn store(location: impl Into<String>) -> impl FnOnce(object_store::Error) -> Self {
        let location = location.into();
        move |source| Self::Store { location, source: Box::new(source) }
    }

    /// Turns the file system's error about `location` into one of ours; for `map_err`.
    pub(crate) fn file(location: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let location = location.into();
        move |source| Self::File { location, source }
    }

    /// Whether the store said no: then a change has not been made, and asking again is of no use.
    pub fn is_refusal(&self) -> bool {
        use object_store::Error::*;
        let Self::Store { source, .. } = self else { return matches!(self, Self::Unconditional { .. }) };
        matches!(
            **source,
            NotFound { .. }
                | PermissionDenied { .. }
                | Unauthenticated { .. }
                | NotSupported { .. }
                | NotImplemented { .. }
                | UnknownConfigurationKey { .. }
        )
    }
}

impl From<ObjectError> for DataFusionError {
    fn from(error: ObjectError) -> Self {
        Self::External(Box::new(error))
    }
}

/// A small object in any store. On a local disk compare-and-swap is made with the lock of the file, elsewhere with the
/// store's own (If-Match).
#[derive(Debug, Clone)]
pub struct ConditionalObject {
    location: String,
    store: Arc<dyn ObjectStore>,
    path: Path,
    local: Option<PathBuf>,
}

/// An object as it was found or written.
#[derive(Debug, Clone)]
pub struct Version {
    pub bytes: Bytes,
    tag: UpdateVersion,
}

impl Version {
    /// Whether both are the same state of an object, as far as the store tells.
    pub fn is(&self, other: &Self) -> bool {
        self.tag.e_tag.is_some() && self.tag == other.tag
    }
}

impl ConditionalObject {
    /// The object at `url`, which need not exist.
    pub fn at(url: &Url) -> std::result::Result<Self, StoreError> {
        let (store, path) = stores().locate(url)?;
        let local = if url.scheme() == "file" { url.to_file_path().ok() } else { None };
        Ok(Self { location: url.to_string(), store, path, local })
    }

    /// Its URL.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The object, if there is one.
    pub async fn read(&self) -> Result<Option<Version>> {
        self.read_since(None).await
    }

    /// As [`Self::read`]; an object that is still what was `seen` is not transferred again.
    pub async fn read_since(&self, seen: Option<&Version>) -> Result<Option<Version>> {
        loop {
            let read = async {
                let if_none_match = seen.and_then(|seen| seen.tag.e_tag.clone());
                let options = GetOptions { if_none_match, ..GetOptions::default() };
                let found = self.store.get_opts(&self.path, options).await?;
                let tag = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                Ok(Version { tag, bytes: found.bytes().await? })
            };
            return match read.await {
                Ok(version) => Ok(Some(version)),
                Err(object_store::Error::NotModified { .. }) if seen.is_some() => Ok(seen.cloned()),
                // It broke off, and was replaced before it could be resumed.
                Err(object_store::Error::Precondition { .. }) => continue,
                // A bucket that is not there must not look like an object that may be created.
                Err(e @ object_store::Error::NotFound { .. }) if !is_bucket(&e) => Ok(None),
                Err(e) => Err(ObjectError::store(&self.location)(e)),
            };
        }
    }

    /// Creates the object; `None` if there is one.
    pub async fn create(&self, bytes: Bytes) -> Result<Option<Version>> {
        self.put(bytes, PutMode::Create).await
    }

    /// Writes `bytes` in place of what was `seen`; `None` if that is no longer what is there.
    pub async fn replace(&self, seen: &Version, bytes: Bytes) -> Result<Option<Version>> {
        let Some(file) = &self.local else { return self.put(bytes, PutMode::Update(seen.tag.clone())).await };
        let (file, seen, next) = (file.clone(), seen.bytes.clone(), bytes.clone());
        let replaced = blocking(move || {
            if_unchanged(&file, &seen, || {
                // Of a name that object_store does not give, for it begins at 1; whoever holds the lock owns it.
                let mut staged = file.clone().into_os_string();
                staged.push("#0");
                fs::write(&staged, &next)?;
                fs::rename(&staged, &file)
            })
        });
        let replaced = replaced.await.map_err(ObjectError::file(&self.location))?;
        let tag = UpdateVersion { e_tag: None, version: None };
        Ok(replaced.then_some(Version { bytes, tag }))
    }

    /// Errors with [`ObjectError::Unconditional`] where the store takes a write although its condition is not met: of an object
    /// beside this one, which is not there.
    pub async fn check_store(&self) -> Result<()> {
        if self.local.is_some() {
            return Ok(());
        }
        let beside = Path::from(format!("{}.probe-{}", self.path, uuid::Uuid::new_v4()));
        let other = PutMode::Update(UpdateVersion { e_tag: Some("\"0\"".to_owned()), version: None });
        match self.store.put_opts(&beside, Bytes::new().into(), PutOptions::from(other)).await {
            Ok(_) => {
                // If it stays, it is an empty object of a name that tells what it was for.
                drop(self.store.delete(&beside).await);
                Err(ObjectError::Unconditional { location: self.location.clone() })
            }
            // However it says no. Where it says nothing, the write that follows will.
            Err(_) => Ok(()),
        }
    }

    /// Deletes what was `seen`; `false` if that is no longer what is there.
    ///
    /// No object store deletes conditionally: there the object first becomes `last`, which everybody else must take for
    /// somebody's, and then goes.
    pub async fn delete(&self, seen: &Version, last: Bytes) -> Result<bool> {
        if let Some(file) = &self.local {
            let (file, seen) = (file.clone(), seen.bytes.clone());
            let deleted = blocking(move || if_unchanged(&file, &seen, || fs::remove_file(&file))).await;
            return deleted.map_err(ObjectError::file(&self.location));
        }
        if self.replace(seen, last).await?.is_none() {
            return Ok(false);
        }
        match self.store.delete(&self.path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(e) => Err(ObjectError::store(&self.location)(e)),
        }
    }

    /// As [`Self::delete`], for `Drop`: deletes what `is_ours` says yes to. Does nothing where only a request could.
    pub fn delete_local(&self, is_ours: impl FnOnce(&[u8]) -> bool) -> io::Result<bool> {
        let Some(file) = &self.local else { return Ok(false) };
        match fs::read(file) {
            Ok(seen) if is_ours(&seen) => if_unchanged(file, &seen, || fs::remove_file(file)),
            _ => Ok(false),
        }
    }

    async fn put(&self, bytes: Bytes, mode: PutMode) -> Result<Option<Version>> {
        let update = matches!(mode, PutMode::Update(_));
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&self.path, bytes.clone().into(), options).await {
            Ok(put) => Ok(Some(Version { bytes, tag: UpdateVersion { e_tag: put.e_tag, version: put.version } })),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(None),
            // A bucket that is not there must not look like an object that is.
            Err(object_store::Error::NotFound { .. }) if update => Ok(None),
            Err(e) => Err(ObjectError::store(&self.location)(e)),
        }
    }
}

/// Whether it is the bucket that was not found, which only the text of a store's answer tells.
fn is_bucket(error: &object_store::Error) -> bool {
    error.to_string().contains("NoSuchBucket")
}

/// Makes a change to `file` if it is what was `seen`; `false` if not.
///
/// `LocalFileSystem` has no compare-and-swap, so everyone who changes an existing object takes the advisory lock of the
/// file first. A change puts another file in its place: whoever waited for the lock of the old one then finds other
/// bytes under the name. Bytes never come back, because every version counts up.
fn if_unchanged(file: &FilePath, seen: &[u8], change: impl FnOnce() -> io::Result<()>) -> io::Result<bool> {
    let locked = match File::open(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    locked.lock()?;
    match fs::read(file) {
        Ok(now) if now == seen => change().map(|()| true),
        Ok(_) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    fn places() -> (tempfile::TempDir, [ConditionalObject; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let file = Url::from_file_path(folder.path().join("new folder/a.json")).unwrap();
        let memory = Url::parse(&format!("memory://{}/a.json", uuid::Uuid::new_v4())).unwrap();
        (folder, [&file, &memory].map(|url| ConditionalObject::at(url).unwrap()))
    }

    #[tokio::test]
    async fn an_object_is_created_once_and_replaced_and_deleted_only_as_it_was_seen() {
        let (_folder, places) = places();
        for object in places {
            assert!(object.read().await.unwrap().is_none());
            let one = object.create("1".into()).await.unwrap().unwrap();
            assert!(object.create("other".into()).await.unwrap().is_none());
            let two = object.replace(&one, "2".into()).await.unwrap().unwrap();
            assert!(object.replace(&one, "other".into()).await.unwrap().is_none());
            assert!(!object.delete(&one, "0".into()).await.unwrap());
            assert_eq!(object.read().await.unwrap().unwrap().bytes, "2");
            assert!(object.delete(&two, "3".into()).await.unwrap());
            assert!(object.read().await.unwrap().is_none());
            assert!(object.replace(&two, "4".into()).await.unwrap().is_none());
            assert!(!object.delete(&two, "4".into()).await.unwrap());
        }
    }

    /// A store that takes every write, as some that call themselves compatible do.
    #[derive(Debug)]
    struct Unconditional(object_store::memory::InMemory);

    impl std::fmt::Display for Unconditional {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.fmt(f)
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Unconditional {
        async fn put_opts(
            &self,
            path: &Path,
            bytes: object_store::PutPayload,
            _: PutOptions,
        ) -> object_store::Result<object_store::PutResult> {
            self.0.put_opts(path, bytes, PutOptions::default()).await
        }

        async fn put_multipart_opts(
            &self,
            path: &Path,
            options: object_store::PutMultipartOptions,
        ) -> object_store::Result<Box<dyn object_store::MultipartUpload>> {
            self.0.put_multipart_opts(path, options).await
        }

        async fn get_opts(&self, path: &Path, options: GetOptions) -> object_store::Result<object_store::GetResult> {
            self.0.get_opts(path, options).await
        }

        fn delete_stream(
            &self,
            paths: futures::stream::BoxStream<'static, object_store::Result<Path>>,
        ) -> futures::stream::BoxStream<'static, object_store::Result<Path>> {
            self.0.delete_stream(paths)
        }

        fn list(
            &self,
            prefix: Option<&Path>,
        ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::ObjectMeta>> {
            self.0.list(prefix)
        }

        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<object_store::ListResult> {
            self.0.list_with_delimiter(prefix).await
        }

        async fn copy_opts(
            &self,
            from: &Path,
            to: &Path,
            options: object_store::CopyOptions,
        ) -> object_store::Result<()> {
            self.0.copy_opts(from, to, options).await
        }
    }

    #[tokio::test]
    async fn a_store_that_takes_every_write_is_found_out_and_nothing_stays_there() {
        let (_folder, places) = places();
        for object in places {
            object.check_store().await.unwrap();
        }
        let store = Arc::new(Unconditional(object_store::memory::InMemory::new()));
        let object = ConditionalObject {
            location: "s3://bucket/catalog.db".to_owned(),
            store: store.clone(),
            path: Path::from("catalog.db"),
            local: None,
        };
        let error = object.check_store().await.unwrap_err();
        assert!(error.is_refusal() && error.to_string().contains("s3://bucket/catalog.db"), "{error}");
        assert_eq!(store.0.list_with_delimiter(None).await.unwrap().objects, []);
    }

    #[tokio::test]
    async fn an_object_that_is_as_it_was_seen_is_not_transferred_again() {
        let (_folder, places) = places();
        for object in places {
            object.create("1".into()).await.unwrap().unwrap();
            let seen = object.read_since(None).await.unwrap().unwrap();
            let again = object.read_since(Some(&seen)).await.unwrap().unwrap();
            assert!(again.is(&seen) && again.bytes.as_ptr() == seen.bytes.as_ptr());
            object.replace(&seen, "22".into()).await.unwrap().unwrap();
            let newer = object.read_since(Some(&seen)).await.unwrap().unwrap();
            assert!(!newer.is(&seen) && newer.bytes == "22");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_many_that_replace_the_same_version_one_does() {
        let (_folder, places) = places();
        for object in places {
            let mut seen = object.create("0".into()).await.unwrap().unwrap();
            for round in 1..20 {
                let tries = (0..8).map(|n| {
                    let (object, seen) = (object.clone(), seen.clone());
                    tokio::spawn(async move { object.replace(&seen, format!("{round} {n}").into()).await.unwrap() })
                });
                let won: Vec<_> = join_all(tries).await.into_iter().filter_map(|won| won.unwrap()).collect();
                assert_eq!(won.len(), 1);
                seen = object.read().await.unwrap().unwrap();
                assert_eq!(seen.bytes, won[0].bytes);
            }
        }
    }
}
