//! Signals while a library in C waits for rows.

use std::sync::OnceLock;
use std::thread::{self, ThreadId};

use pyo3::prelude::*;

/// SIGINT has this number everywhere.
const SIGINT: i32 = 2;

/// The thread on which Python handles signals.
static MAIN: OnceLock<ThreadId> = OnceLock::new();

/// Remembers the main thread, if this is it.
pub fn set_thread(py: Python<'_>) -> PyResult<()> {
    let threading = py.import("threading")?;
    if threading.call_method0("current_thread")?.is(&threading.call_method0("main_thread")?) {
        MAIN.get_or_init(|| thread::current().id());
    }
    Ok(())
}

/// Whether a signal has come for which Python raises an exception. Ctrl-C is raised again as soon as Python goes on: the
/// library turns what it is told into an error of its own.
///
/// Only the main thread is asked. Another one may be waited for by somebody who holds Python's lock.
pub fn are_raised() -> bool {
    if MAIN.get() != Some(&thread::current().id()) {
        return false;
    }
    let raised = Python::try_attach(|py| match py.check_signals() {
        Ok(()) => false,
        Err(_) => {
            // SAFETY: it may be called at any time.
            unsafe { pyo3::ffi::PyErr_SetInterruptEx(SIGINT) };
            true
        }
    });
    raised.unwrap_or_default()
}
