//! Objects of one Item each, fetched with bounded concurrency and in order.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use datafusion::common::DataFusionError;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::local_files::read_files;
use super::pieces::{PieceError, inflated, is_compressed};
use super::raw::{Block, Blocks, ObjectName, Raw};
use super::too_large::too_large;
use crate::model::chunk::RejectKind;
use crate::source::decode::Defect;
use crate::source::keys::{KeyBase, NoPlace, ObjectPlace};
use crate::source::spool::{Entry, Spool, SpoolRange};

/// Entries taken from the spool at once.
const SPOOL_BLOCK: usize = 8192;

/// Local files read per thread switch.
const FILES: usize = 32;

/// How objects are fetched.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Fetch {
    pub concurrency: usize,
    pub max_bytes: u64,
}

/// The objects of `range` in the order of the listing.
pub(in super::super) fn objects(spool: &Arc<Spool>, range: &SpoolRange, keys: &Arc<KeyBase>, fetch: &Fetch) -> Blocks {
    let (keys, fetch) = (Arc::clone(keys), *fetch);
    let blocks = spool.read(range, SPOOL_BLOCK).map_ok(move |entries| fetch_block(entries, &keys, &fetch));
    blocks.try_flatten().and_then(move |block| decompressed(block, fetch.max_bytes)).boxed()
}

/// The same, with the bodies inflated that are gzip, whatever the objects are called and however they were served.
async fn decompressed(mut block: Block, max_bytes: u64) -> datafusion::common::Result<Block> {
    for raw in &mut block {
        if let Ok(body) = &raw.body
            && is_compressed(body)
        {
            raw.body = inflate(body.clone(), max_bytes).await;
        }
    }
    Ok(block)
}

/// What gzip has made of an object; an error if that is longer than `max_bytes`.
pub(in super::super) async fn inflate(body: Bytes, max_bytes: u64) -> Result<Bytes, Defect> {
    let mut pieces = inflated(stream::iter([Ok(body)]).boxed());
    let mut plain = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        let defect = |e: PieceError| Defect { kind: RejectKind::Unreadable, message: format!("the object is {e}") };
        plain.extend_from_slice(&piece.map_err(defect)?);
        if plain.len() as u64 > max_bytes {
            return Err(too_large(plain.len() as u64, max_bytes));
        }
    }
    Ok(plain.freeze())
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
    let fetch = *fetch;
    let objects = stream::iter(other).map(move |(name, place)| async move {
        let body = match place {
            Ok(ObjectPlace::Remote(store, path)) => get(&store, &path, &fetch)
                .await
                .map_err(|e| DataFusionError::from(e).context(format!("cannot fetch {}", name.url())))?,
            Ok(ObjectPlace::File(path)) => return read_files(vec![(name, path)], max_bytes).await,
            Err(NoPlace::Key(message)) => Err(Defect { kind: RejectKind::Unreadable, message }),
            Err(NoPlace::Store(error)) => return Err(error.into()),
        };
        Ok(vec![Raw { object: name, position: None, range: None, body }])
    });
    files.chain(objects.buffered(fetch.concurrency)).boxed()
}

/// The bytes of an object, or what is wrong with it. The store repeats what fails for the moment.
///
/// Errors: the store itself is at fault, or who asks. Then the next object would fare no better, and a run that took
/// them all for bad ones would lose them.
async fn get(store: &Arc<dyn ObjectStore>, path: &Path, fetch: &Fetch) -> object_store::Result<Result<Bytes, Defect>> {
    let body = async {
        let result = store.get(path).await?;
        if result.meta.size > fetch.max_bytes {
            return Ok(Err(too_large(result.meta.size, fetch.max_bytes)));
        }
        result.bytes().await.map(Ok)
    };
    let error = match body.await {
        Ok(body) => return Ok(body),
        Err(error) => error,
    };
    let kind = match &error {
        object_store::Error::NotFound { .. } => RejectKind::Missing,
        object_store::Error::Generic { .. } | object_store::Error::Unauthenticated { .. } => return Err(error),
        _ => RejectKind::Unreadable,
    };
    Ok(Err(Defect { kind, message: error.to_string() }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use object_store::memory::InMemory;

    use super::*;
    use crate::stores::faults::{Fault, Faults, Faulty};

    #[tokio::test]
    async fn a_body_that_is_compressed_is_inflated_within_the_limit() {
        let mut encoder = GzEncoder::new(vec![], Compression::default());
        encoder.write_all(&[b'x'; 1000]).unwrap();
        let gzipped = Bytes::from(encoder.finish().unwrap());
        let raw = |body: &Bytes| Raw {
            object: ObjectName::Url("x".into()),
            position: None,
            range: None,
            body: Ok(body.clone()),
        };
        let bodies = [gzipped.clone(), Bytes::from_static(b"{}"), gzipped.slice(..gzipped.len() - 9)];
        let block = decompressed(bodies.iter().map(raw).collect(), 1000).await.unwrap();
        assert_eq!(block[0].body.as_ref().unwrap()[..], [b'x'; 1000]);
        assert_eq!(block[1].body.as_ref().unwrap()[..], b"{}"[..]);
        assert_eq!(block[2].body.as_ref().unwrap_err().kind, RejectKind::Unreadable);
        let block = decompressed(vec![raw(&gzipped)], 999).await.unwrap();
        assert_eq!(block[0].body.as_ref().unwrap_err().kind, RejectKind::TooLarge);
    }

    #[tokio::test]
    async fn too_large_an_object_is_not_read_and_a_store_that_fails_ends_the_run() {
        // Every body breaks off.
        let faults = Arc::new(Faults::new(0, 1., &[Fault::Body]));
        let inner = Arc::new(InMemory::new());
        inner.put(&"a.json".into(), "{}".into()).await.unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(Faulty::over(inner, faults));
        let get = async |path: &str, max_bytes| get(&store, &path.into(), &Fetch { concurrency: 1, max_bytes }).await;
        assert_eq!(get("a.json", 1).await.unwrap().unwrap_err().kind, RejectKind::TooLarge);
        assert_eq!(get("b.json", 1).await.unwrap().unwrap_err().kind, RejectKind::Missing);
        let mut broken = false;
        for _ in 0..9 {
            broken |= get("a.json", 2).await.is_err_and(|e| e.to_string().contains("broke off"));
        }
        assert!(broken);
    }
}
