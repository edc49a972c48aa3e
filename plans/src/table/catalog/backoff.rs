//! [`backoff`]: how long to wait for other writers of a catalog.

use std::time::Duration;

use uuid::Uuid;

/// A random time that grows with the attempts, up to a second.
pub(crate) fn backoff(attempt: usize) -> Duration {
    let most = (10 * attempt as u64).min(1000);
    Duration::from_millis(Uuid::new_v4().as_u64_pair().1 % most)
}
