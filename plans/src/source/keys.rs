//! From a bucket and a key to an object: its store and path, and its URL.

use std::collections::HashMap;
use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use datafusion::common::Result;
use object_store::ObjectStore;
use object_store::path::Path;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use super::spool::Entry;
use crate::model::chunk::IngestedObject;
use crate::stores::{StoreError, location_url, stores};

/// Characters that do not stand for themselves in the path of a URL.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Where an object is.
#[derive(Debug, Clone)]
pub(super) enum ObjectPlace {
    File(PathBuf),
    Remote(Arc<dyn ObjectStore>, Path),
}

/// Why an object is nowhere.
#[derive(Debug)]
pub(super) enum NoPlace {
    /// No store can have an object of this name.
    Key(String),
    /// The store of this and other objects cannot be opened.
    Store(StoreError),
}

impl From<StoreError> for NoPlace {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::InvalidLocation { .. } | StoreError::UnknownScheme { .. } => Self::Key(error.to_string()),
            error => Self::Store(error),
        }
    }
}

/// What keys of an inventory are relative to.
#[derive(Debug)]
pub(super) struct KeyBase {
    /// Folder of keys without a bucket.
    folder: Folder,
    /// Stands for every bucket.
    base: Option<Folder>,
    buckets: RwLock<HashMap<String, Arc<dyn ObjectStore>>>,
}

#[derive(Debug)]
struct Folder {
    /// Ends in `/`.
    url: Url,
    place: ObjectPlace,
}

impl Folder {
    fn open(url: Url) -> Result<Self, StoreError> {
        let place = match file_path(&url) {
            Some(path) => ObjectPlace::File(path),
            None => {
                let (store, path) = stores().locate(&url)?;
                ObjectPlace::Remote(store, path)
            }
        };
        Ok(Self { url, place })
    }

    fn locate(&self, key: &str) -> Result<ObjectPlace, NoPlace> {
        match &self.place {
            ObjectPlace::File(folder) => Ok(ObjectPlace::File(folder.join(key))),
            ObjectPlace::Remote(store, prefix) if prefix.as_ref().is_empty() => remote(store, key),
            ObjectPlace::Remote(store, prefix) => remote(store, &format!("{prefix}/{key}")),
        }
    }

    fn url_of(&self, key: &str) -> String {
        format!("{}{}", self.url, utf8_percent_encode(key, PATH))
    }
}

impl KeyBase {
    /// Keys of the inventory at `location` (or of the folder, if it ends in `/`), its buckets replaced by `base`.
    pub fn try_new(location: &Url, base: Option<&Url>) -> Result<Self, StoreError> {
        let invalid =
            |e: url::ParseError| StoreError::InvalidLocation { location: location.to_string(), reason: e.to_string() };
        let base = base.cloned().map(Folder::open).transpose()?;
        let folder = Folder::open(location.join(".").map_err(invalid)?)?;
        Ok(Self { folder, base, buckets: RwLock::default() })
    }

    /// The folder of keys without a bucket, and what stands for every bucket.
    pub fn urls(&self) -> (&Url, Option<&Url>) {
        (&self.folder.url, self.base.as_ref().map(|base| &base.url))
    }

    /// The object of an entry.
    pub fn locate(&self, entry: &Entry) -> Result<ObjectPlace, NoPlace> {
        if entry.bucket.is_empty() {
            return self.locate_plain(&entry.key);
        }
        match &self.base {
            Some(base) => {
                // A key is a name; only a listing of paths may leave its folder.
                if FilePath::new(&entry.key).components().any(|c| !matches!(c, Component::Normal(_))) {
                    return Err(NoPlace::Key("the key leaves the folder of option 'base'".into()));
                }
                base.locate(&entry.key)
            }
            None => remote(&self.bucket(&entry.bucket)?, &entry.key),
        }
    }

    fn locate_plain(&self, key: &str) -> Result<ObjectPlace, NoPlace> {
        if key.contains("://") {
            let url = location_url(key)?;
            if let Some(path) = file_path(&url) {
                return Ok(ObjectPlace::File(path));
            }
            let (store, path) = stores().locate(&url)?;
            return Ok(ObjectPlace::Remote(store, path));
        }
        if key.starts_with('/') {
            return Ok(ObjectPlace::File(PathBuf::from(key)));
        }
        self.base.as_ref().unwrap_or(&self.folder).locate(key.trim_start_matches("./"))
    }

    fn bucket(&self, bucket: &str) -> Result<Arc<dyn ObjectStore>, NoPlace> {
        // A poisoned lock holds a map that is whole: entries are inserted in one step.
        if let Some(store) = self.buckets.read().unwrap_or_else(PoisonError::into_inner).get(bucket) {
            return Ok(Arc::clone(store));
        }
        let url = Url::parse(&bucket_url(bucket)).map_err(|e| NoPlace::Key(format!("bucket {bucket:?}: {e}")))?;
        let (store, _) = stores().locate(&url)?;
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        buckets.insert(bucket.to_owned(), Arc::clone(&store));
        Ok(store)
    }

    /// The name of an entry's object, which option `base` does not change.
    pub fn name(&self, entry: &Entry) -> String {
        match entry.bucket.is_empty() {
            true => self.url(entry),
            false => format!("{}{}", bucket_url(&entry.bucket), utf8_percent_encode(&entry.key, PATH)),
        }
    }

    /// An entry's object, with its version as far as the listing tells it.
    pub fn ingested(&self, entry: &Entry) -> IngestedObject {
        let version = &entry.version;
        let e_tag = Some(version.e_tag.clone()).filter(|e_tag| !e_tag.is_empty());
        IngestedObject { object: self.name(entry), e_tag, last_modified: version.last_modified, item: None }
    }

    /// The URL of an entry's object.
    pub fn url(&self, entry: &Entry) -> String {
        let Entry { bucket, key, .. } = entry;
        match &self.base {
            _ if bucket.is_empty() && key.contains("://") => {
                location_url(key).map(String::from).unwrap_or_else(|_| key.clone())
            }
            _ if bucket.is_empty() && key.starts_with('/') => format!("file://{}", utf8_percent_encode(key, PATH)),
            None if !bucket.is_empty() => format!("{}{}", bucket_url(bucket), utf8_percent_encode(key, PATH)),
            None => self.folder.url_of(key.trim_start_matches("./")),
            Some(base) if bucket.is_empty() => base.url_of(key.trim_start_matches("./")),
            Some(base) => base.url_of(key),
        }
    }
}

/// The URL of a bucket: of S3, unless it is a URL already.
fn bucket_url(bucket: &str) -> String {
    if bucket.contains("://") { format!("{bucket}/") } else { format!("s3://{bucket}/") }
}

fn file_path(url: &Url) -> Option<PathBuf> {
    (url.scheme() == "file").then(|| url.to_file_path().ok()).flatten()
}

/// Keys that `object_store` cannot name (`a//b`, `a/../b`, control characters) are errors, never another object.
fn remote(store: &Arc<dyn ObjectStore>, key: &str) -> Result<ObjectPlace, NoPlace> {
    if key.starts_with('/') || key.ends_with('/') {
        return Err(NoPlace::Key("the key starts or ends with a slash".into()));
    }
    let path = Path::parse(key).map_err(|e| NoPlace::Key(e.to_string()))?;
    Ok(ObjectPlace::Remote(Arc::clone(store), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bucket: &str, key: &str) -> Entry {
        Entry { bucket: bucket.into(), key: key.into(), version: crate::source::spool::ObjectVersion::default() }
    }

    fn local() -> KeyBase {
        KeyBase::try_new(&Url::parse("file:///data/inv/list.csv").unwrap(), None).unwrap()
    }

    fn file(place: ObjectPlace) -> String {
        match place {
            ObjectPlace::File(path) => path.to_str().unwrap().to_owned(),
            ObjectPlace::Remote(_, path) => panic!("{path} is no file"),
        }
    }

    fn path(place: ObjectPlace) -> String {
        match place {
            ObjectPlace::Remote(_, path) => path.to_string(),
            ObjectPlace::File(path) => panic!("{} is a file", path.display()),
        }
    }

    #[test]
    fn without_a_bucket_the_key_is_a_path_or_a_url() {
        let keys = local();
        assert_eq!(file(keys.locate(&entry("", "a b#1.json")).unwrap()), "/data/inv/a b#1.json");
        assert_eq!(file(keys.locate(&entry("", "./a.json")).unwrap()), "/data/inv/a.json");
        assert_eq!(file(keys.locate(&entry("", "../a.json")).unwrap()), "/data/inv/../a.json");
        assert_eq!(file(keys.locate(&entry("", "/x/a.json")).unwrap()), "/x/a.json");
        assert_eq!(file(keys.locate(&entry("", "file:///x/a%20b.json")).unwrap()), "/x/a b.json");
        assert_eq!(path(keys.locate(&entry("", "memory://keys/x/a.json")).unwrap()), "x/a.json");
    }

    #[test]
    fn urls_can_be_opened_again() {
        let keys = local();
        let odd = entry("", "100%25 é?#.json");
        assert_eq!(keys.url(&odd), "file:///data/inv/100%2525%20%C3%A9%3F%23.json");
        assert_eq!(file(keys.locate(&entry("", &keys.url(&odd))).unwrap()), file(keys.locate(&odd).unwrap()));
        assert_eq!(keys.url(&entry("b", "a b.json")), "s3://b/a%20b.json");
        assert_eq!(keys.name(&entry("gs://b", "a b.json")), "gs://b/a%20b.json");
    }

    #[test]
    fn base_stands_for_the_bucket() {
        let inventory = Url::parse("file:///data/inv/list.csv").unwrap();
        let mirror = KeyBase::try_new(&inventory, Some(&Url::parse("file:///mirror/").unwrap())).unwrap();
        assert_eq!(file(mirror.locate(&entry("b", "x/a.json")).unwrap()), "/mirror/x/a.json");
        let error = mirror.locate(&entry("b", "../../etc/passwd")).unwrap_err();
        let NoPlace::Key(error) = error else { panic!("{error:?}") };
        assert_eq!(error, "the key leaves the folder of option 'base'");
        let remote = KeyBase::try_new(&inventory, Some(&Url::parse("memory://keys/m/").unwrap())).unwrap();
        assert_eq!(path(remote.locate(&entry("b", "x/a+b=c.json")).unwrap()), "m/x/a+b=c.json");
        assert_eq!(remote.url(&entry("b", "x/a.json")), "memory://keys/m/x/a.json");
    }

    #[test]
    fn a_key_that_no_store_can_name_is_an_error() {
        let keys = KeyBase::try_new(&Url::parse("memory://keys/inv/list.csv").unwrap(), None).unwrap();
        for key in ["a//b.json", "a/../b.json", "a\u{1}.json", "b/"] {
            assert!(keys.locate(&entry("", key)).is_err(), "{key}");
        }
        assert_eq!(path(keys.locate(&entry("", "b.json")).unwrap()), "inv/b.json");
    }
}
