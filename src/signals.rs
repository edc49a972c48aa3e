//! What asks this process to stop: Ctrl-C, and on Unix SIGTERM, which supervisors send.
//!
//! Whoever waits once has taken the signal over: from then on it no longer ends the process by itself, and each later
//! wait sees signals that come after it began.

use std::future::pending;

/// Resolves at Ctrl-C or SIGTERM; never, where signals cannot be listened to.
pub async fn interrupt() {
    tokio::select! {
        () = ctrl_c() => {}
        () = terminate() => {}
    }
}

/// Resolves at Ctrl-C.
async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        pending::<()>().await;
    }
}

/// Resolves at SIGTERM.
#[cfg(unix)]
pub async fn terminate() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => _ = terminated.recv().await,
        Err(_) => pending().await,
    }
}

/// Never resolves: there is no SIGTERM here.
#[cfg(not(unix))]
pub async fn terminate() {
    pending().await
}
