//! [`rewrite_metadata`]: puts other metadata in the place of the table's, by compare-and-swap on the catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use iceberg::io::FileIO;
use iceberg::spec::{Operation, SnapshotRef, TableMetadata};
use uuid::Uuid;

use super::catalog::{Proposed, Swap, backoff};
use super::leases::RunLease;
use super::leases::error::{MaintenanceError, Result};
use super::manifests::{MetadataFiles, live_manifests};
use super::snapshot;
use super::{TableState, Warehouse, WarehouseError};

/// Attempts before it gives up against other writers.
const MAX_ATTEMPTS: usize = 30;

/// A change of the table's metadata.
pub(crate) trait Rewrite {
    /// What the change says of itself.
    type Outcome: Send;

    /// Snapshot in whose name it writes metadata files; of most changes, which write none, any.
    fn snapshot(&self) -> i64 {
        0
    }

    /// The metadata to come after `base`; `None` where there is nothing to change. Files that it needs go to `files`.
    fn rewrite(
        &self,
        base: &TableState,
        files: &mut MetadataFiles,
    ) -> impl Future<Output = Result<Option<(TableMetadata, Self::Outcome)>>> + Send;
}

/// The metadata that follows `base` with a snapshot `id` of the same files, which says `own` beside what each of ours hands on.
pub(crate) async fn with_same_files(
    io: &FileIO,
    base: &TableState,
    current: &SnapshotRef,
    id: i64,
    own: impl IntoIterator<Item = (String, String)>,
    files: &mut MetadataFiles,
) -> Result<TableMetadata> {
    let manifests = live_manifests(io, &base.metadata, current).await?;
    let mut summary = snapshot::summary(Operation::Replace, &[], &[], &[], &BTreeMap::new(), &base.metadata);
    summary.additional_properties.extend(own);
    let list = files.write_list(manifests, &base.metadata).await?;
    Ok(snapshot::on_top_of(base, id, summary, list, None)?)
}

/// Makes a change visible on top of whatever the table is by then; `None` if there is nothing to change any more.
///
/// Errors: [`MaintenanceError::UnknownOutcome`] if the catalog failed in the middle and cannot be read again; after
/// other errors the change is not visible, and left nothing behind.
pub(crate) async fn rewrite_metadata<R: Rewrite>(
    warehouse: &Warehouse,
    purpose: &str,
    change: &R,
) -> Result<Option<R::Outcome>> {
    // Its metadata files are as new and as unnamed as those of a run.
    let mut lease = RunLease::begin(warehouse, &format!("{purpose}-{}", Uuid::now_v7().simple())).await?;
    let outcome = attempt(warehouse, change, &mut lease).await;
    if !matches!(outcome, Err(MaintenanceError::UnknownOutcome { .. })) {
        // A lease that stays behind keeps orphans a little longer, and that is all.
        drop(lease.release().await);
    }
    outcome
}

async fn attempt<R: Rewrite>(warehouse: &Warehouse, change: &R, lease: &mut RunLease) -> Result<Option<R::Outcome>> {
    for attempts in 1..=MAX_ATTEMPTS {
        let base = warehouse.load().await?;
        warehouse.requirements().check_table(&base.metadata, warehouse.catalog())?;
        let mut files = MetadataFiles::new(warehouse.io(), &base.metadata, change.snapshot());
        let written = write(warehouse, change, &base, &mut files).await;
        let (next, outcome) = match written {
            Ok(Some(written)) => written,
            Ok(None) => {
                files.delete().await;
                return Ok(None);
            }
            Err(e) => {
                files.delete().await;
                // Another clean-up may have deleted what the base names.
                if !warehouse.is_still(&base).await? {
                    tokio::time::sleep(backoff(attempts)).await;
                    continue;
                }
                return Err(e);
            }
        };
        if let Err(lost) = lease.begin_commit().await {
            files.delete().await;
            return Err(lost);
        }
        match warehouse.catalog().commit(&base, &next).await {
            Swap::Done(_) => return Ok(Some(outcome)),
            Swap::Lost => files.delete().await,
            Swap::Refused(error) => {
                files.delete().await;
                return Err(error.into());
            }
            Swap::Unknown(error) => match warehouse.load().await {
                Ok(now) if warehouse.catalog().shows(&now, &base, &next) => return Ok(Some(outcome)),
                // The files stay: it may become visible after all.
                Ok(_) => {}
                Err(unreadable) => {
                    let catalog = warehouse.catalog().to_string();
                    return Err(MaintenanceError::UnknownOutcome {
                        catalog,
                        reason: format!("{error}; then {unreadable}"),
                    });
                }
            },
        }
        tokio::time::sleep(backoff(attempts)).await;
    }
    Err(WarehouseError::Contention { attempts: MAX_ATTEMPTS }.into())
}

/// Writes what the next metadata needs and, unless the catalog does, the metadata.
async fn write<R: Rewrite>(
    warehouse: &Warehouse,
    change: &R,
    base: &Arc<TableState>,
    files: &mut MetadataFiles,
) -> Result<Option<(Proposed, R::Outcome)>> {
    let Some((next, outcome)) = change.rewrite(base, files).await? else { return Ok(None) };
    let next = files.propose(next, base, warehouse.catalog()).await?;
    files.sync().await?;
    Ok(Some((next, outcome)))
}
