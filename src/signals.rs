//! What asks this process to stop: Ctrl-C, and on Unix SIGTERM, which supervisors send; or the program that we are a part
//! of, see [`stopped_by`].
//!
//! Whoever waits once has taken the signal over: from then on it no longer ends the process by itself, and each later
//! wait sees signals that come after it began.

use std::future::pending;

use tokio::sync::watch;

tokio::task_local! {
    /// True when the program that we are a part of asks to stop.
    static STOP: watch::Receiver<bool>;
}

/// Runs `work`, in which [`interrupt`] follows `stop` and leaves the signals of the process alone: they belong to the
/// program that we are a part of.
pub async fn stopped_by<T>(stop: watch::Receiver<bool>, work: impl Future<Output = T>) -> T {
    STOP.scope(stop, work).await
}

/// Resolves at Ctrl-C or SIGTERM; never, where signals cannot be listened to. Within [`stopped_by`], when that says so.
pub async fn interrupt() {
    if let Ok(mut stop) = STOP.try_with(Clone::clone) {
        if stop.wait_for(|stop| *stop).await.is_err() {
            pending::<()>().await;
        }
        return;
    }
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_part_of_another_program_stops_when_that_says_so() {
        let (stop, stopped) = watch::channel(false);
        stopped_by(stopped, async {
            let mut interrupt = std::pin::pin!(interrupt());
            assert_eq!(interrupt.as_mut().now_or_never(), None);
            stop.send_replace(true);
            assert_eq!(interrupt.now_or_never(), Some(()));
        })
        .await;
    }
}
