//! [`Retrying`]: repeats what fails for the moment, as far as a store's own client does not.
//!
//! The clients of `object_store` repeat requests, but not all that goes wrong: a body that breaks off and has no ETag; a
//! bucket that throttles for longer. And they repeat conditional writes without a thought of their own earlier attempt:
//! if that arrived and only its answer was lost, the repeated one finds the object changed, by itself, and reports a lost
//! race that was won. So conditional writes go to a client that does not repeat, and are repeated here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryChunksError, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use uuid::Uuid;

use super::advice::{Service, is_misconfigured, is_unreachable};
use super::resume::{Body, Listing};

/// Attempts at a request before its error counts.
pub(super) const ATTEMPTS: u32 = 5;

/// Wait before the second attempt, at most; doubled for each one after it.
const BACKOFF: Duration = Duration::from_millis(400);

/// Objects of one request to delete, and such requests at a time.
const DELETED_AT_ONCE: usize = 1000;
const DELETIONS_IN_FLIGHT: usize = 4;

/// A store that stays with it for a while. Cheap to clone.
///
/// The parts of a large object are not repeated here (a part has no number in the interface): one that fails for good
/// fails the upload.
#[derive(Debug, Clone)]
pub struct Retrying {
    pub(super) inner: Arc<dyn ObjectStore>,
    /// The same store, whose client does not repeat: for conditional writes.
    once: Arc<dyn ObjectStore>,
    pub(super) service: Service,
    backoff: Duration,
}

impl Retrying {
    /// Over `inner`, and `once`, the same store without repetitions of its own.
    pub fn over(inner: Arc<dyn ObjectStore>, once: Arc<dyn ObjectStore>, service: Service) -> Self {
        Self { inner, once, service, backoff: BACKOFF }
    }

    /// With other waits, for tests.
    pub fn with_backoff(self, backoff: Duration) -> Self {
        Self { backoff, ..self }
    }

    pub(super) async fn wait(&self, attempt: u32) {
        let most = self.backoff.as_micros() as u64 * (1 << attempt.min(8)) / 2;
        let random = Uuid::new_v4().as_u64_pair().1;
        tokio::time::sleep(Duration::from_micros(most / 2 + random % (most / 2 + 1))).await;
    }

    /// Repeats a request that may be repeated without harm.
    pub(super) async fn repeat<T, F: Future<Output = Result<T>>>(&self, mut request: impl FnMut() -> F) -> Result<T> {
        let mut attempt = 1;
        loop {
            match request().await {
                Err(e) if attempt < ATTEMPTS && is_transient(&e) => {
                    log::debug!("request {attempt} of at most {ATTEMPTS} failed, and is repeated: {e}");
                    self.wait(attempt).await;
                }
                outcome => return outcome.map_err(|e| self.service.advise(e)),
            }
            attempt += 1;
        }
    }

    /// Writes an object on a condition.
    ///
    /// Errors: what is neither `AlreadyExists` nor `Precondition` nor a refusal leaves open whether it was written.
    async fn put_if(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let create = options.mode == PutMode::Create;
        // The error of an attempt that may have arrived.
        let mut doubt = None;
        for attempt in 1..=ATTEMPTS {
            let error = match self.once.put_opts(path, payload.clone(), options.clone()).await {
                Ok(written) => return Ok(written),
                Err(error) => error,
            };
            match error {
                // 409: another conditional write was under way, and this one was not made.
                Error::AlreadyExists { .. } if !create && attempt < ATTEMPTS => {}
                Error::AlreadyExists { .. } | Error::Precondition { .. } if doubt.is_none() => {
                    // A store may say the same of a creation that is under way and may fail.
                    if !create || self.head(path).await.is_ok() || attempt == ATTEMPTS {
                        return Err(error);
                    }
                }
                Error::AlreadyExists { .. } | Error::Precondition { .. } => {
                    let found = async { self.get(path).await?.bytes_with_result().await };
                    match found.await {
                        Ok((bytes, result)) if same(&bytes, &payload) => return Ok(result),
                        Ok(_) if create => return Err(error),
                        Err(Error::NotFound { .. }) if create => {}
                        // Somebody wrote since: over what was there before, or over ours.
                        _ => break,
                    }
                }
                error if is_transient(&error) || is_unreachable(&error) => doubt = Some(error),
                error if doubt.is_none() => return Err(self.service.advise(error)),
                _ => break,
            }
            if attempt < ATTEMPTS {
                self.wait(attempt).await;
            }
        }
        let error = doubt.unwrap_or_else(|| Error::Generic {
            store: "earthcatalog",
            source: format!("{path}: other writers were always under way").into(),
        });
        Err(self.service.advise(error))
    }

    /// Deletes objects; outcomes in their order, but for a request that fails as a whole: then its error is the last.
    async fn delete_all(&self, paths: Vec<Path>) -> Vec<Result<Path>> {
        let mut outcomes = Vec::with_capacity(paths.len());
        let mut pending = paths;
        for attempt in 1.. {
            let asked = stream::iter(pending.clone()).map(Ok).boxed();
            let answers: Vec<_> = self.inner.delete_stream(asked).collect().await;
            let may_repeat = |e: &Error| attempt < ATTEMPTS && is_transient(e);
            if answers.len() != pending.len() {
                match answers.into_iter().find_map(Result::err) {
                    Some(e) if !may_repeat(&e) => outcomes.push(Err(self.service.advise(e))),
                    _ if attempt < ATTEMPTS => {
                        self.wait(attempt).await;
                        continue;
                    }
                    _ => outcomes.push(Err(Error::Generic {
                        store: "earthcatalog",
                        source: "the store does not say what became of a deletion".into(),
                    })),
                }
                return outcomes;
            }
            let mut again = vec![];
            for (path, answer) in pending.into_iter().zip(answers) {
                match answer {
                    Err(e) if may_repeat(&e) => again.push(path),
                    // By an earlier attempt, as far as we can know.
                    Err(Error::NotFound { .. }) if attempt > 1 => outcomes.push(Ok(path)),
                    answer => outcomes.push(answer.map_err(|e| self.service.advise(e))),
                }
            }
            if again.is_empty() {
                break;
            }
            pending = again;
            self.wait(attempt).await;
        }
        outcomes
    }
}

/// Whether the same request may work a moment later. What cannot be reached is no such case: the client has waited.
pub(super) fn is_transient(error: &Error) -> bool {
    matches!(error, Error::Generic { .. }) && !is_unreachable(error) && !is_misconfigured(error)
}

fn same(bytes: &Bytes, payload: &PutPayload) -> bool {
    let mut rest = &bytes[..];
    bytes.len() == payload.content_length()
        && payload.iter().all(|piece| {
            let (start, end) = rest.split_at(piece.len());
            rest = end;
            start == &piece[..]
        })
}

trait BytesWithResult {
    /// The bytes, and what a write of them would have returned.
    async fn bytes_with_result(self) -> Result<(Bytes, PutResult)>;
}

impl BytesWithResult for GetResult {
    async fn bytes_with_result(self) -> Result<(Bytes, PutResult)> {
        let result = PutResult { e_tag: self.meta.e_tag.clone(), version: self.meta.version.clone() };
        Ok((self.bytes().await?, result))
    }
}

impl fmt::Display for Retrying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Retrying {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        match options.mode {
            PutMode::Overwrite => self.repeat(|| self.inner.put_opts(path, payload.clone(), options.clone())).await,
            PutMode::Create | PutMode::Update(_) => self.put_if(path, payload, options).await,
        }
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.repeat(|| self.inner.put_multipart_opts(path, options.clone())).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let result = self.repeat(|| self.inner.get_opts(path, options.clone())).await?;
        if options.head || !matches!(result.payload, GetResultPayload::Stream(_)) {
            return Ok(result);
        }
        let (meta, range, attributes) = (result.meta.clone(), result.range.clone(), result.attributes.clone());
        let payload = GetResultPayload::Stream(Body::stream(self.clone(), path.clone(), options, result));
        Ok(GetResult { payload, meta, range, attributes })
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |chunk| {
            let store = store.clone();
            async move {
                let (paths, broken) = match chunk {
                    Ok(paths) => (paths, None),
                    Err(TryChunksError(paths, e)) => (paths, Some(Err(e))),
                };
                let mut outcomes = store.delete_all(paths).await;
                outcomes.extend(broken);
                stream::iter(outcomes)
            }
        };
        paths.try_chunks(DELETED_AT_ONCE).map(delete).buffered(DELETIONS_IN_FLIGHT).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        Listing::stream(self.clone(), prefix.cloned(), None)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        Listing::stream(self.clone(), prefix.cloned(), Some(offset.clone()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.repeat(|| self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match options.mode {
            CopyMode::Overwrite => self.repeat(|| self.inner.copy_opts(from, to, options.clone())).await,
            CopyMode::Create => self.inner.copy_opts(from, to, options).await,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use object_store::UpdateVersion;
    use object_store::memory::InMemory;

    use super::super::faults::{Fault, Faults, Faulty};
    use super::*;

    pub const SEEDS: std::ops::Range<u64> = 0..30;

    /// A store that fails, with retries around it, and the sound one below.
    pub fn failing(seed: u64, rate: f64, kinds: &[Fault]) -> (Retrying, Arc<InMemory>, Arc<Faults>) {
        let faults = Arc::new(Faults::new(seed, rate, kinds));
        let sound = Arc::new(InMemory::new());
        let faulty = Arc::new(Faulty::over(sound.clone(), Arc::clone(&faults)));
        let store = Retrying::over(faulty.clone(), faulty, Service::Other).with_backoff(Duration::ZERO);
        (store, sound, faults)
    }

    #[tokio::test]
    async fn what_fails_for_the_moment_is_done_in_the_end() {
        for seed in SEEDS {
            let (store, sound, _) = failing(seed, 0.1, &[Fault::Before, Fault::After, Fault::Throttle]);
            for n in 0..50 {
                store.put(&format!("f/{n:03}").into(), "x".into()).await.unwrap();
            }
            let listed = store.list(Some(&"f".into())).map_ok(|meta| meta.location);
            let listed: Vec<_> = listed.try_collect().await.unwrap();
            assert_eq!(listed.len(), 50);
            let deleted: Vec<_> = store.delete_stream(stream::iter(listed).map(Ok).boxed()).collect().await;
            assert_eq!(deleted.iter().filter(|outcome| outcome.is_ok()).count(), 50);
            assert_eq!(sound.list(None).count().await, 0);
        }
    }

    #[tokio::test]
    async fn a_conditional_write_whose_answer_was_lost_is_known_for_our_own() {
        let create = PutOptions::from(PutMode::Create);
        let update = |put: PutResult| PutOptions::from(PutMode::Update(UpdateVersion::from(put)));
        for seed in SEEDS {
            let (store, sound, _) = failing(seed, 0.1, &[Fault::After, Fault::Before]);
            let mut last = store.put_opts(&"a".into(), "0".into(), create.clone()).await.unwrap();
            for n in 1..20 {
                let stale = last.clone();
                last = store.put_opts(&"a".into(), n.to_string().into(), update(last)).await.unwrap();
                let lost = store.put_opts(&"a".into(), "other".into(), update(stale)).await.unwrap_err();
                // With a doubt about an attempt of ours it is not certain that the race was lost.
                assert!(matches!(lost, Error::Precondition { .. } | Error::Generic { .. }), "{lost}");
                let second = store.put_opts(&"a".into(), "other".into(), create.clone()).await.unwrap_err();
                assert!(matches!(second, Error::AlreadyExists { .. }), "{second}");
            }
            assert_eq!(sound.get(&"a".into()).await.unwrap().bytes().await.unwrap(), "19");
        }
    }

    #[tokio::test]
    async fn a_write_of_which_nobody_knows_whether_it_happened_is_not_a_lost_race() {
        let (store, sound, _) = failing(0, 1., &[Fault::After]);
        let error = store.put_opts(&"a".into(), "x".into(), PutMode::Create.into()).await.unwrap_err();
        assert!(matches!(error, Error::Generic { .. }), "{error}");
        assert_eq!(sound.get(&"a".into()).await.unwrap().bytes().await.unwrap(), "x");
    }
}
