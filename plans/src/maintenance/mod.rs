//! Keeps a warehouse clean.
//!
//! - [`clean`]: merges small manifests, removes old snapshots, then files that nothing names.
//! - [`RunLease`]: held by a run that writes files, so that they are not taken for orphans.
//! - [`CatalogLock`]: the advisory lock that spares two commands the same work.

mod deletion;
mod expire;
mod leftovers;
mod merge;
mod orphans;
mod reach;
mod rewrite;
mod summary;
#[cfg(test)]
mod tests;

pub use expire::expire_snapshots;
pub use merge::merge_manifests;
pub use orphans::sweep_orphans;
pub use summary::{ExpireOptions, ExpireSummary};

use crate::table::Warehouse;
pub use crate::table::leases::{CatalogLock, HEARTBEAT, Lease, MaintenanceError, RunLease, STALE_AFTER, runs_at_work};

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
