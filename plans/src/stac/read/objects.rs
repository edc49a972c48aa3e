//! Objects of one Item each, fetched with bounded concurrency and in order.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use datafusion::physical_plan::metrics::Count;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::local_files::read_files;
use super::raw::{Blocks, ObjectName, Raw};
use crate::chunk::RejectKind;
use crate::stac::decode::Defect;
use crate::stac::inventory::keys::{KeyBase, ObjectPlace};
use crate::stac::spool::{Entry, Spool, SpoolRange};

/// Entries taken from the spool at once.
const SPOOL_BLOCK: usize = 8192;

/// Local files read per thread switch.
const FILES: usize = 32;

/// Attempts at an object whose body breaks off and which the store cannot resume (no ETag).
const ATTEMPTS: u32 = 4;

/// How objects are fetched.
#[derive(Debug, Clone)]
pub(in super::super) struct Fetch {
    pub concurrency: usize,
    pub max_bytes: u64,
    /// Wait before the second attempt at an object; doubled for each one after it.
    pub backoff: Duration,
    /// Attempts repeated here; those within the store's client are its own.
    pub retries: Count,
}

/// The objects of `range` in the order of the listing.
pub(in super::super) fn objects(spool: &Arc<Spool>, range: &SpoolRange, keys: &Arc<KeyBase>, fetch: &Fetch) -> Blocks {
    let (keys, fetch) = (Arc::clone(keys), fetch.clone());
    let blocks = spool.read(range, SPOOL_BLOCK).map_ok(move |entries| fetch_block(entries, &keys, &fetch));
    blocks.try_flatten().boxed()
}

fn fetch_block(entries: Vec<Entry>, keys: &Arc<KeyBase>, fetch: &Fetch) -> Blocks {
    let place = |entry: Entry| {
        let place = keys.locate(&entry);
        (ObjectName::Listed(entry, Arc::clone(keys)), place)
    };
    let mut local = vec![];
    let mut other = vec![];
    for (name, place) in entries.into_iter().map(place) {
        match place {
            Ok(ObjectPlace::File(path)) if other.is_empty() => local.push((name, path)),
            place => other.push((name, place)),
        }
    }
    // Listings are of one kind or the other; a mixed block starts with its local files, read in batches.
    let max_bytes = fetch.max_bytes;
    let mut batches = vec![];
    while !local.is_empty() {
        let rest = local.split_off(local.len().min(FILES));
        batches.push(std::mem::replace(&mut local, rest));
    }
    let files = stream::iter(batches).map(move |files| read_files(files, max_bytes)).buffered(2);
    let (fetch, concurrency) = (fetch.clone(), fetch.concurrency);
    let objects = stream::iter(other).map(move |(name, place)| {
        let fetch = fetch.clone();
        async move {
            let body = match place {
                Ok(ObjectPlace::Remote(store, path)) => get(&store, &path, &fetch).await,
                Ok(ObjectPlace::File(path)) => return read_files(vec![(name, path)], max_bytes).await,
                Err(message) => Err(Defect { kind: RejectKind::Unreadable, message }),
            };
            Ok(vec![Raw { object: name, position: None, range: None, body }])
        }
    });
    files.chain(objects.buffered(concurrency)).boxed()
}

/// The bytes of an object. Requests are retried by the store's client, a broken body here.
async fn get(store: &Arc<dyn ObjectStore>, path: &Path, fetch: &Fetch) -> Result<Bytes, Defect> {
    let mut attempt = 1;
    loop {
        let result = store.get(path).await.map_err(unreadable)?;
        if result.meta.size > fetch.max_bytes {
            return Err(too_large(result.meta.size, fetch.max_bytes));
        }
        match result.bytes().await {
            Ok(bytes) => return Ok(bytes),
            Err(e) if attempt == ATTEMPTS => return Err(unreadable(e)),
            Err(_) => {
                fetch.retries.add(1);
                tokio::time::sleep(fetch.backoff * (1 << attempt)).await;
                attempt += 1;
            }
        }
    }
}

fn unreadable(error: object_store::Error) -> Defect {
    let kind = match error {
        object_store::Error::NotFound { .. } => RejectKind::Missing,
        _ => RejectKind::Unreadable,
    };
    Defect { kind, message: error.to_string() }
}

pub(super) fn too_large(size: u64, max_bytes: u64) -> Defect {
    let message = format!("{size} bytes are more than option 'max_item_bytes' allows ({max_bytes})");
    Defect { kind: RejectKind::TooLarge, message }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use async_trait::async_trait;
    use futures::stream::BoxStream;
    use object_store::memory::InMemory;
    use object_store::{
        CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    };

    use super::*;

    /// A store whose bodies break off some times before they come whole.
    #[derive(Debug)]
    struct Breaking {
        inner: InMemory,
        breaks: std::sync::atomic::AtomicU32,
    }

    impl fmt::Display for Breaking {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Breaking")
        }
    }

    #[async_trait]
    impl ObjectStore for Breaking {
        async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
            let mut result = self.inner.get_opts(path, options).await?;
            let left = self.breaks.load(std::sync::atomic::Ordering::SeqCst);
            if left > 0 {
                self.breaks.store(left - 1, std::sync::atomic::Ordering::SeqCst);
                let error = object_store::Error::Generic { store: "test", source: "connection reset".into() };
                result.payload = GetResultPayload::Stream(stream::iter([Ok(Bytes::from("{")), Err(error)]).boxed());
            }
            Ok(result)
        }
        async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
            self.inner.put_opts(path, payload, options).await
        }
        async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
            Err(object_store::Error::NotImplemented { operation: "test".into(), implementer: "test".into() })
        }
        fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
            self.inner.delete_stream(paths)
        }
        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.inner.list(prefix)
        }
        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.inner.list_with_delimiter(prefix).await
        }
        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.inner.copy_opts(from, to, options).await
        }
    }

    async fn get_after(breaks: u32, max_bytes: u64) -> (Result<Bytes, Defect>, usize) {
        let store = Breaking { inner: InMemory::new(), breaks: breaks.into() };
        store.put(&"a.json".into(), "{}".into()).await.unwrap();
        let fetch = Fetch { concurrency: 1, max_bytes, backoff: Duration::ZERO, retries: Count::new() };
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        let result = get(&store, &"a.json".into(), &fetch).await;
        (result, fetch.retries.value())
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_asked_for_again_a_few_times() {
        let (body, retries) = get_after(2, 100).await;
        assert_eq!((body.unwrap(), retries), (Bytes::from("{}"), 2));
        let (body, retries) = get_after(9, 100).await;
        let defect = body.unwrap_err();
        assert_eq!((defect.kind, retries), (RejectKind::Unreadable, 3));
        assert!(defect.message.contains("connection reset"), "{}", defect.message);
    }

    #[tokio::test]
    async fn too_large_an_object_is_not_read() {
        // The body would break off: it is not touched.
        let (body, retries) = get_after(9, 1).await;
        assert_eq!((body.unwrap_err().kind, retries), (RejectKind::TooLarge, 0));
    }
}
