//! Keeps a warehouse clean, and says who works on it.
//!
//! - [`clean`]: merges small manifests, removes old snapshots, then files that nothing names.
//! - [`RunLease`]: held by a run that writes files, so that they are not taken for orphans.
//! - [`CatalogLock`]: the advisory lock that spares two commands the same work.

mod deletion;
mod error;
mod expire;
mod lease;
mod leftovers;
mod lock;
mod merge;
mod orphans;
mod process;
mod reach;
mod rewrite;
mod run_lease;
mod summary;
#[cfg(test)]
mod tests;

pub use error::MaintenanceError;
pub use expire::expire_snapshots;
pub use lease::{Acquired, HEARTBEAT, Lease, LeaseGuard, STALE_AFTER};
pub use lock::CatalogLock;
pub use merge::merge_manifests;
pub use orphans::sweep_orphans;
pub use run_lease::{RunLease, runs_at_work};
pub use summary::{ExpireOptions, ExpireSummary};

use crate::warehouse::Warehouse;

/// Cleans a warehouse: merges small manifests, removes snapshots that were replaced longer ago than the retention with
/// what only they named, then files that nothing names. Safe beside writers, readers and another clean-up, and does
/// nothing where there is nothing to do.
pub async fn clean(warehouse: &Warehouse, options: &ExpireOptions) -> Result<ExpireSummary, MaintenanceError> {
    // Merging first: it replaces the current snapshot, which without a retention expires at once. Orphans last: only
    // now it is known what is named.
    let mut summary = merge_manifests(warehouse, options).await?;
    summary += expire_snapshots(warehouse, options).await?;
    summary += sweep_orphans(warehouse, options).await?;
    Ok(summary)
}
