//! Who works on a table: leases that a process renews while it is alive.
//!
//! - [`RunLease`]: held by a run that writes files, so that they are not taken for orphans.
//! - [`CatalogLock`]: the advisory lock that spares two commands the same work.

pub(crate) mod error;
mod lease;
mod lock;
mod process;
pub(crate) mod run_lease;

pub use error::MaintenanceError;
pub use lease::{Acquired, HEARTBEAT, Lease, LeaseGuard, STALE_AFTER, WATCH};
pub use lock::CatalogLock;
pub use run_lease::{RunLease, runs_at_work, runs_heard_of};
