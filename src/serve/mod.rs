//! `earthcatalog serve`: STAC API 1.0 over a warehouse, read-only and without state.
//!
//! - `reader`: the table, and how its changes are seen; `limits`: how much is done at once, and for how long.
//! - `parameters`, `token`: what is asked for; `page`, `bulk`, `aggregate`: what is found; `answer`: how it is sent.
//! - `landing`, `collections`, `items`, `search`, `schemas`, `openapi`: the routes; `links`: how they lead to each other.
//! - `site`: the page for people.
//! - `etag`: whether a client has the answer already; `observe`: metrics, and a line for each request; `log`; `error`: what went wrong.

mod aggregate;
mod answer;
mod bulk;
mod collections;
mod error;
mod etag;
mod feature;
mod items;
mod landing;
mod limits;
mod links;
mod log;
mod matched;
mod observe;
mod openapi;
mod page;
mod parameters;
mod reader;
mod router;
mod schemas;
mod search;
mod site;
mod token;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::DataFusionError;
use datafusion::common::runtime::SpawnedTask;
use datafusion::prelude::SessionContext;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::log::log;
use self::observe::Metrics;
use self::reader::Reader;
use crate::output::say;
use crate::reason::reason;

/// How a service answers.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    pub catalog: String,
    /// Where its files must be, if anywhere.
    pub warehouse: Option<String>,
    pub bind: SocketAddr,
    /// The address at which clients see the service; `None` is the host that each of them names.
    pub url: Option<String>,
    /// Name of the service for people, and its description.
    pub title: String,
    /// How often the catalog is asked for a new snapshot.
    pub refresh: Duration,
    /// How long a question may take.
    pub timeout: Duration,
    /// Questions that are answered at once.
    pub concurrency: usize,
}

/// Why a service does not run.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("--bind {address}: {source}; name another address or port, or port 0 for one that is free")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("{}", reason(.0))]
    Warehouse(#[from] DataFusionError),
    #[error("cannot serve: {0}")]
    Serve(io::Error),
}

/// How long answers may go on when the service is asked to end.
const GRACE: Duration = Duration::from_secs(10);

/// What all requests share.
#[derive(Clone)]
struct App(Arc<Shared>);

struct Shared {
    reader: Reader,
    options: ServeOptions,
    /// The address on which the service listens.
    bound: String,
    permits: Arc<Semaphore>,
    metrics: Metrics,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Serves until `interrupt` resolves; then what is being answered is completed. The address is written to `out` as soon as
/// it answers.
pub async fn serve(
    options: ServeOptions,
    session: SessionContext,
    out: &mut dyn Write,
    interrupt: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let reader = Reader::open(session, &options.catalog, options.warehouse.as_deref()).await?;
    let failed = |source| ServeError::Bind { address: options.bind, source };
    let listener = TcpListener::bind(options.bind).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?.to_string();
    let app = App(Arc::new(Shared {
        reader,
        bound: bound.clone(),
        permits: Arc::new(Semaphore::new(options.concurrency)),
        metrics: Metrics::new(),
        options,
    }));
    say(out, format_args!("http://{bound}/"));
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let asked_to_end = async move {
        interrupt.await;
        log(format_args!("ends: what is being answered is completed"));
        drop(end);
    };
    let serving = axum::serve(listener, router::router(app.clone())).with_graceful_shutdown(asked_to_end);
    let grace = async {
        // An error is the end of the sender.
        let _ = ended.await;
        tokio::time::sleep(GRACE).await;
    };
    // A task of its own, which ends with this.
    let _following = SpawnedTask::spawn(async move { app.reader.follow(app.options.refresh).await });
    tokio::select! {
        served = serving => served.map_err(ServeError::Serve),
        () = grace => Ok(()),
    }
}
