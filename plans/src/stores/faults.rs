//! [`Faulty`]: a store that fails on purpose, and counts what it is asked for; an aid for tests.
//!
//! Tests of this crate put it around a store of their own. The binary puts it around every store but the local file
//! system if `EARTHCATALOG_FAULTS` is set, to options separated by commas:
//!
//! | option | |
//! |---|---|
//! | `rate=0.05` | share of the requests that fail (0) |
//! | `seed=7` | which ones (0); the same requests for the same object fail in every run |
//! | `kinds=before+after` | how (all): see [`Fault`] |
//! | `kill=12` | the process ends at its 12th request, which is not made |
//! | `log=FILE` | a line `OPERATION PATH` for each request is appended there |

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use super::StoreError;

/// The variable that makes the binary's stores fail.
pub const FAULTS: &str = "EARTHCATALOG_FAULTS";

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `before`: an error, and nothing has happened.
    Before,
    /// `after`: it has happened, but the answer is lost.
    After,
    /// `throttle`: the store is busy, and nothing has happened.
    Throttle,
    /// `latency`: it takes some milliseconds longer.
    Latency,
    /// `body`: the bytes of an object, or a listing, break off.
    Body,
}

/// What a store is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Get,
    Head,
    Put,
    List,
    Delete,
    Copy,
    /// Beginning, a part, the end or the abortion of a large object.
    Multipart,
}

/// Which requests fail, and the account of all.
#[derive(Debug)]
pub struct Faults {
    seed: u64,
    rate: f64,
    kinds: Vec<Fault>,
    log: Option<File>,
    death: Option<Death>,
    made: AtomicU64,
    requests: Mutex<HashMap<(Operation, String), u64>>,
}

/// The end of a process, at one of its requests.
#[derive(Debug, Clone, Copy)]
struct Death {
    /// Counted from 1.
    at: u64,
    /// Whether the process ends; otherwise it goes on, but no request of its does anything any more.
    ends_process: bool,
}

/// Of a request that is to fail.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    fault: Fault,
    random: u64,
}

impl Faults {
    const ALL: [Fault; 5] = [Fault::Before, Fault::After, Fault::Throttle, Fault::Latency, Fault::Body];

    /// `rate` of the requests fail, in any of these ways.
    pub fn new(seed: u64, rate: f64, kinds: &[Fault]) -> Self {
        let (log, death, made, requests) = (None, None, AtomicU64::new(0), Mutex::default());
        Self { seed, rate, kinds: kinds.to_vec(), log, death, made, requests }
    }

    /// As if the process were killed at its `n`-th request, counted from 1: neither that one nor a later one is made.
    pub fn killed_at(n: u64) -> Self {
        Self { death: Some(Death { at: n, ends_process: false }), ..Self::new(0, 0., &[]) }
    }

    /// Requests so far, of every kind.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Those of [`FAULTS`], the same for all stores of the process; `None` if it is not set.
    ///
    /// Errors: it is not as the table above says.
    pub fn from_env() -> Result<Option<Arc<Self>>, StoreError> {
        static FROM_ENV: OnceLock<Option<Arc<Faults>>> = OnceLock::new();
        if let Some(known) = FROM_ENV.get() {
            return Ok(known.clone());
        }
        let parsed = match std::env::var(FAULTS) {
            Err(_) => None,
            Ok(text) => Some(Arc::new(Self::parse(&text).map_err(|reason| StoreError::Faults { reason })?)),
        };
        Ok(FROM_ENV.get_or_init(|| parsed).clone())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut faults = Self::new(0, 0., &Self::ALL);
        for option in text.split(',').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').ok_or_else(|| format!("{option} has no value"))?;
            let invalid = |e: &dyn fmt::Display| format!("{option}: {e}");
            match name {
                "seed" => faults.seed = value.parse().map_err(|e| invalid(&e))?,
                "rate" => faults.rate = value.parse().map_err(|e| invalid(&e))?,
                "kinds" => faults.kinds = value.split('+').map(Fault::parse).collect::<Result<_, _>>()?,
                "kill" => {
                    let at = value.parse().map_err(|e| invalid(&e))?;
                    faults.death = Some(Death { at, ends_process: true });
                }
                "log" => {
                    let file = File::options().append(true).create(true).open(value);
                    faults.log = Some(file.map_err(|e| invalid(&e))?);
                }
                _ => return Err(format!("no option {name}; there are rate, seed, kinds, kill and log")),
            }
        }
        Ok(faults)
    }

    /// Requests of a kind so far, for objects whose path contains `part`.
    pub fn requests(&self, operation: Operation, part: &str) -> u64 {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().filter(|((o, path), _)| *o == operation && path.contains(part)).map(|(_, n)| n).sum()
    }

    /// How long to wait between attempts: what fails here works at once.
    pub(super) fn backoff(&self) -> Duration {
        Duration::from_millis(2)
    }

    /// Notes a request, and says whether it is to fail.
    fn request(&self, operation: Operation, path: &str) -> Option<Drawn> {
        let number = {
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            let count = requests.entry((operation, path.to_owned())).or_default();
            *count += 1;
            *count
        };
        if let Some(mut log) = self.log.as_ref() {
            // One write, so that lines of several processes do not mix; a test sees what is missing.
            drop(log.write_all(format!("{operation:?} {path}\n").as_bytes()));
        }
        let mut hasher = DefaultHasher::new();
        (self.seed, operation, path, number).hash(&mut hasher);
        let random = hasher.finish();
        let fails = ((random >> 11) as f64) < self.rate * (1u64 << 53) as f64;
        let fault = *self.kinds.get((random % self.kinds.len().max(1) as u64) as usize)?;
        fails.then_some(Drawn { fault, random })
    }

    /// Fails before the request, or goes on; then says whether it is to fail afterwards.
    async fn before(&self, operation: Operation, path: &str) -> Result<Option<Drawn>> {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(Death { ends_process, .. }) = self.death.filter(|death| number >= death.at) {
            if ends_process {
                std::process::abort();
            }
            return Err(injected("the process was killed"));
        }
        let drawn = self.request(operation, path);
        match drawn.map(|drawn| drawn.fault) {
            Some(Fault::Before) => Err(injected("the connection was reset")),
            Some(Fault::Throttle) => Err(injected("503 Slow Down: please reduce your request rate")),
            Some(Fault::Latency) => {
                tokio::time::sleep(Duration::from_millis(drawn.map_or(0, |drawn| drawn.random % 20))).await;
                Ok(None)
            }
            Some(Fault::After | Fault::Body) => Ok(drawn),
            None => Ok(None),
        }
    }

    /// A request that fails before or after its effect.
    async fn around<T>(&self, operation: Operation, path: &str, request: impl Future<Output = Result<T>>) -> Result<T> {
        let drawn = self.before(operation, path).await?;
        let answer = request.await?;
        match drawn {
            Some(_) => Err(injected("the answer was lost")),
            None => Ok(answer),
        }
    }
}

impl Fault {
    fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "before" => Self::Before,
            "after" => Self::After,
            "throttle" => Self::Throttle,
            "latency" => Self::Latency,
            "body" => Self::Body,
            _ => return Err(format!("no fault {name}; there are before, after, throttle, latency and body")),
        })
    }
}

fn injected(what: &'static str) -> Error {
    Error::Generic { store: "faults", source: format!("injected: {what}").into() }
}

/// A store around another one.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    faults: Arc<Faults>,
}

impl Faulty {
    pub fn over(inner: Arc<dyn ObjectStore>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let put = self.inner.put_opts(path, payload, options);
        self.faults.around(Operation::Put, path.as_ref(), put).await
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.inner.put_multipart_opts(path, options);
        let inner = self.faults.around(Operation::Multipart, path.as_ref(), begun).await?;
        Ok(Box::new(FaultyUpload { inner, path: path.clone(), faults: Arc::clone(&self.faults) }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = if options.head { Operation::Head } else { Operation::Get };
        let drawn = self.faults.before(operation, path.as_ref()).await?;
        let mut result = self.inner.get_opts(path, options).await?;
        let Some(Drawn { fault, random }) = drawn else { return Ok(result) };
        match result.payload {
            GetResultPayload::Stream(pieces) if fault == Fault::Body && operation == Operation::Get => {
                let length = result.range.end - result.range.start;
                result.payload = GetResultPayload::Stream(cut(pieces, random % (length + 1), random));
                Ok(result)
            }
            _ => Err(injected("the answer was lost")),
        }
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, faults) = (Arc::clone(&self.inner), Arc::clone(&self.faults));
        let delete = move |path: Result<Path>| {
            let (inner, faults) = (Arc::clone(&inner), Arc::clone(&faults));
            async move {
                let path = path?;
                let name = path.to_string();
                let mut deleted = inner.delete_stream(stream::iter([Ok(path.clone())]).boxed());
                let delete = async { deleted.next().await.unwrap_or(Ok(path)) };
                faults.around(Operation::Delete, &name, delete).await
            }
        };
        paths.map(delete).buffered(10).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listing(prefix, self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let path = prefix.map(ToString::to_string).unwrap_or_default();
        self.faults.around(Operation::List, &path, self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.faults.around(Operation::Copy, to.as_ref(), self.inner.copy_opts(from, to, options)).await
    }
}

impl Faulty {
    fn listing(
        &self,
        prefix: Option<&Path>,
        entries: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (faults, path) = (Arc::clone(&self.faults), prefix.map(ToString::to_string).unwrap_or_default());
        let begun = async move {
            match faults.before(Operation::List, &path).await {
                Err(e) => stream::iter([Err(e)]).boxed(),
                Ok(None) => entries,
                // A page that does not arrive.
                Ok(Some(drawn)) => {
                    let listed = (drawn.random % 50) as usize;
                    entries.take(listed).chain(stream::iter([Err(injected("the listing broke off"))])).boxed()
                }
            }
        };
        stream::once(begun).flatten().boxed()
    }
}

/// The first bytes; then an error, or just the end.
fn cut(pieces: BoxStream<'static, Result<Bytes>>, length: u64, random: u64) -> BoxStream<'static, Result<Bytes>> {
    let first = stream::unfold((pieces, length), |(mut pieces, left)| async move {
        let piece = if left == 0 { None } else { pieces.next().await };
        Some(match piece? {
            Ok(mut piece) => {
                piece.truncate(left.min(piece.len() as u64) as usize);
                let left = left - piece.len() as u64;
                (Ok(piece), (pieces, left))
            }
            Err(e) => (Err(e), (pieces, 0)),
        })
    });
    let end = (random >> 32 & 1 == 0).then(|| Err(injected("the body broke off")));
    first.chain(stream::iter(end)).boxed()
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    path: Path,
    faults: Arc<Faults>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (faults, path) = (Arc::clone(&self.faults), self.path.to_string());
        let part = self.inner.put_part(data);
        Box::pin(async move { faults.around(Operation::Multipart, &path, part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.faults.around(Operation::Multipart, self.path.as_ref(), self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.faults.around(Operation::Multipart, self.path.as_ref(), self.inner.abort()).await
    }
}
