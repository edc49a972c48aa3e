//! Keeps a warehouse clean, and says whether it is whole.
//!
//! - [`clean`]: merges small manifests, removes old snapshots, then files that nothing names.
//! - [`build_item_index`]: an index by id.
//! - [`verify`]: whether all of it is as it should be; [`repair`]: takes out what is lost.
//! - [`RunLease`]: held by a run that writes files, so that they are not taken for orphans.
//! - [`CatalogLock`]: the advisory lock that spares two commands the same work.

mod deletion;
mod documents;
mod expire;
mod item_index;
mod leftovers;
mod merge;
mod orphans;
mod reach;
mod repair;
mod retention;
mod summary;
#[cfg(test)]
mod tests;
mod verify;

pub use expire::expire_snapshots;
pub use item_index::{BuiltIndex, build_item_index};
pub use merge::merge_manifests;
pub use orphans::sweep_orphans;
pub use repair::{Repaired, repair};
pub use summary::{Cleaned, ExpireOptions, ExpireSummary};
pub use verify::{Check, Damaged, Finding, Severity, Verified, VerifyOptions, VerifyProgress, verify};

use crate::table::Warehouse;
pub use crate::table::leases::{
    CatalogLock, HEARTBEAT, Lease, MaintenanceError, RunLease, STALE_AFTER, WATCH, runs_at_work, runs_heard_of,
};

/// Cleans a warehouse: merges small manifests, removes snapshots that were replaced longer ago than the retention with
/// what only they named, then files that nothing names. Safe beside writers, readers and another clean-up, and does
/// nothing where there is nothing to do.
///
/// Where the table forbids to delete files, or another one lies in its folder, it does what is left to do, and says so.
pub async fn clean(warehouse: &Warehouse, options: &ExpireOptions) -> Result<Cleaned, MaintenanceError> {
    // Merging first: it replaces the current snapshot, which without a retention expires at once. Orphans last: only
    // now it is known what is named.
    let mut cleaned = Cleaned { summary: merge_manifests(warehouse, options).await?, refused: None };
    let removed = async {
        cleaned.summary += expire_snapshots(warehouse, options).await?;
        cleaned.summary += sweep_orphans(warehouse, options).await?;
        Ok(())
    };
    match removed.await {
        Err(refusal) if MaintenanceError::is_refusal(&refusal) => cleaned.refused = Some(refusal),
        removed => removed?,
    }
    Ok(cleaned)
}
