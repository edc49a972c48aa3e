//! The threads on which the engine works, and how Python waits for them.

use std::io;
use std::panic::resume_unwind;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;
use std::time::Duration;

use earthcatalog::arguments::cores;
use earthcatalog::cli::{self, STACK};
use earthcatalog::progress::{Step, watched_by};
use earthcatalog::signals::{interrupt, stopped_by};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use thiserror::Error;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::errors::EarthcatalogError;

/// How long Python waits for the engine before it looks for signals again.
pub const PAUSE: Duration = Duration::from_millis(50);

/// The threads of a process.
struct Threads {
    process: u32,
    runtime: Runtime,
}

/// Never freed: the threads end with the process.
static THREADS: AtomicPtr<Threads> = AtomicPtr::new(null_mut());

/// Why there are no threads.
#[derive(Debug, Error)]
pub enum NoThreads {
    #[error("cannot start the threads of the engine: {0}")]
    NotStarted(#[from] io::Error),
    /// A child has none of its parent's threads, and cannot start its own: the locks that its parent's threads waited for
    /// (`parking_lot`'s, in tokio) still list them.
    #[error(
        "this process was forked from one in which earthcatalog had begun to work, and it does not work after that; \
         start processes with multiprocessing's \"spawn\" or \"forkserver\", or use earthcatalog in the children only"
    )]
    Forked,
}

/// The threads of this process, which start when they are first asked for.
pub fn handle() -> Result<&'static Handle, NoThreads> {
    let process = std::process::id();
    let known = THREADS.load(Ordering::Acquire);
    let threads = if known.is_null() {
        let new = Box::into_raw(Box::new(Threads { process, runtime: cli::runtime(cores())? }));
        match THREADS.compare_exchange(known, new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => new,
            // Another thread was faster.
            Err(others) => {
                // SAFETY: nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                others
            }
        }
    } else {
        known
    };
    // SAFETY: what is stored there came out of a box, and is never freed.
    let threads = unsafe { &*threads };
    if threads.process == process { Ok(threads.runtime.handle()) } else { Err(NoThreads::Forked) }
}

/// As [`handle`], for callers that raise what goes wrong.
pub fn threads() -> PyResult<&'static Handle> {
    handle().map_err(|error| EarthcatalogError::new_err(error.to_string()))
}

/// What is done when a signal comes for which Python raises an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtSignal {
    /// The work is dropped where it is.
    Drop,
    /// The work is told, see [`interrupt`], and waited for: a commit that is under way is brought to its end.
    Tell,
}

/// Waits for `work`, which runs on a thread with room for deep plans, while other threads of Python go on.
///
/// # Errors
/// Those of `work`; the exception of a signal, with what the engine then said as its cause.
pub fn wait<T, F>(py: Python<'_>, at_signal: AtSignal, work: impl FnOnce() -> F + Send + 'static) -> PyResult<T>
where
    T: Send + 'static,
    F: Future<Output = PyResult<T>>,
{
    wait_watched(py, at_signal, None, work)
}

/// As [`wait`]; meanwhile `watcher` is called with how far the work is: `done`, `all`, `unit` and `note` of [`Step`]. What
/// it raises stops the work as a signal does.
pub fn wait_watched<T, F>(
    py: Python<'_>,
    at_signal: AtSignal,
    watcher: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce() -> F + Send + 'static,
) -> PyResult<T>
where
    T: Send + 'static,
    F: Future<Output = PyResult<T>>,
{
    let handle = threads()?;
    let (stop, stopped) = watch::channel(false);
    let (send, mut receive) = oneshot::channel();
    let (told, mut steps) = watch::channel(Step::default());
    let told = watcher.is_some().then_some(told);
    let thread = thread::Builder::new().name("earthcatalog".to_owned()).stack_size(STACK).spawn(move || {
        let work = async {
            match at_signal {
                AtSignal::Tell => Some(work().await),
                AtSignal::Drop => tokio::select! {
                    done = work() => Some(done),
                    () = interrupt() => None,
                },
            }
        };
        let done = handle.block_on(stopped_by(stopped, async {
            match told {
                Some(told) => watched_by(told, work).await,
                None => work.await,
            }
        }));
        // Whoever asked waits until this comes.
        drop(send.send(done));
    })?;
    let mut raised: Option<PyErr> = None;
    loop {
        match py.detach(|| handle.block_on(async { timeout(PAUSE, &mut receive).await })) {
            Ok(Ok(done)) => {
                return match (done, raised) {
                    (Some(done), None) => done,
                    (done, Some(raised)) => {
                        raised.set_cause(py, done.and_then(Result::err));
                        Err(raised)
                    }
                    (None, None) => Err(PyRuntimeError::new_err("the engine was stopped")),
                };
            }
            // It has sent nothing, so it panicked.
            Ok(Err(_)) => match thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => return Err(PyRuntimeError::new_err("the engine gave no answer")),
            },
            Err(_) if raised.is_none() => {
                if let Err(error) = py.check_signals().and_then(|()| tell(watcher, &mut steps)) {
                    stop.send_replace(true);
                    raised = Some(error);
                }
            }
            Err(_) => {}
        }
    }
}

/// Calls `watcher` if there is a new step.
fn tell(watcher: Option<&Bound<'_, PyAny>>, steps: &mut watch::Receiver<Step>) -> PyResult<()> {
    let Some(watcher) = watcher.filter(|_| steps.has_changed().unwrap_or_default()) else { return Ok(()) };
    let Step { done, all, unit, note } = steps.borrow_and_update().clone();
    watcher.call1((done, all, unit, note)).map(drop)
}
