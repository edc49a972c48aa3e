//! [`RunLease`]: says that a run writes to a warehouse, so that nobody takes its files for orphans.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use uuid::Uuid;

use super::error::{MaintenanceError, Result};
use super::lease::{Acquired, Lease, LeaseGuard, WATCH};
use crate::model::layout;
use crate::stores::{ConditionalObject, Version, below, stores};
use crate::table::Warehouse;

/// Held by a run from before its first file until after its commit: `<warehouse>/_runs/<run>.<owner>.json`.
///
/// ```text
/// let mut lease = RunLease::begin(&warehouse, run).await?;
/// … write files; on an error delete them, and lease.release()
/// lease.begin_commit().await?;
/// … commit; if its outcome is unknown, return: the lease stays
/// lease.end_commit();
/// lease.release().await?;
/// ```
#[derive(Debug)]
pub struct RunLease(LeaseGuard);

impl RunLease {
    /// Begins a run. Dropped, the lease is given up: the files written so far may go.
    pub async fn begin(warehouse: &Warehouse, run: &str) -> Result<Self> {
        let path = layout::run_lease_path(run, &Uuid::new_v4().simple().to_string());
        let url = below(warehouse.url(), &path)?;
        match LeaseGuard::acquire(ConditionalObject::at(&url)?, run).await? {
            Acquired::Held(guard) => Ok(Self(guard)),
            // Nobody else can know the name.
            Acquired::By(holder) => {
                let reason = format!("{holder} holds it");
                Err(MaintenanceError::InvalidLease { location: url.into(), reason })
            }
        }
    }

    /// Makes sure that the lease is still held, right before a commit. From now on it stays when it is dropped, because
    /// the outcome of the commit may never be known.
    ///
    /// Errors: [`MaintenanceError::LeaseLost`]: the files may be gone, and must not be committed.
    pub async fn begin_commit(&mut self) -> Result<()> {
        self.0.renew().await?;
        self.0.keep(true);
        Ok(())
    }

    /// The outcome of the commit is known.
    pub fn end_commit(&mut self) {
        self.0.keep(false);
    }

    /// Ends the run: its commit succeeded, or certainly will not be seen.
    pub async fn release(self) -> Result<()> {
        self.0.release().await
    }
}

/// A lease that was found in a warehouse.
#[derive(Debug)]
pub(crate) struct FoundLease {
    object: ConditionalObject,
    version: Version,
    pub lease: Lease,
    /// When it was acquired, by the clock that times the files of the store.
    pub acquired: DateTime<Utc>,
}

impl FoundLease {
    /// Takes the lease away, unless its holder shows up; whether that worked. A holder that wakes up later finds it gone
    /// when its commit begins.
    pub async fn remove(&self) -> Result<bool> {
        let last = Lease::new("clean-up").to_bytes();
        Ok(self.object.delete(&self.version, last).await?)
    }

    /// Whether this is another one's state: its holder was silent between the two.
    fn is_same(&self, other: &Self) -> bool {
        self.object.location() == other.object.location() && self.version.bytes == other.version.bytes
    }
}

/// The leases of a warehouse, alive or not. What is no lease counts as one that began, and was last heard of, when it
/// was written.
pub(crate) async fn find(warehouse: &Warehouse) -> Result<Vec<FoundLease>> {
    let folder = below(warehouse.url(), &format!("{}/", layout::RUNS))?;
    let (store, root) = stores().locate(&folder)?;
    let listed: Vec<_> =
        store.list(Some(&root)).try_collect().await.map_err(MaintenanceError::store(folder.as_str()))?;
    let mut found = vec![];
    for meta in listed {
        let Some(name) = meta.location.filename() else { continue };
        let object = ConditionalObject::at(&below(warehouse.url(), &format!("{}/{name}", layout::RUNS))?)?;
        // It may be given up by now.
        let Some(version) = object.read().await? else { continue };
        let lease = Lease::parse(&version.bytes, object.location()).unwrap_or_else(|_| Lease {
            machine: None,
            started: meta.last_modified,
            heartbeat: meta.last_modified,
            ..Lease::new("unknown")
        });
        // Two clocks: the durations of the one are right by the other.
        let acquired = meta.last_modified - (lease.heartbeat - lease.started);
        found.push(FoundLease { object, version, lease, acquired });
    }
    Ok(found)
}

/// The leases of a warehouse: those of holders that may be at work, and those of holders that are gone.
///
/// Where a holder on another machine has been silent for long, this takes [`WATCH`]: to see whether it still is.
pub(crate) async fn held_and_left(warehouse: &Warehouse) -> Result<(Vec<FoundLease>, Vec<FoundLease>)> {
    let mut found = find(warehouse).await?;
    let (mut before, mut now) = (vec![], Utc::now());
    if found.iter().any(|found| found.lease.is_alive(now).is_none()) {
        tokio::time::sleep(WATCH).await;
        before = std::mem::replace(&mut found, find(warehouse).await?);
        now = Utc::now();
    }
    let is_silent = |found: &FoundLease| before.iter().any(|before| before.is_same(found));
    Ok(found.into_iter().partition(|found| found.lease.is_alive(now).unwrap_or_else(|| !is_silent(found))))
}

/// Names of the runs that a process is at work on. May take [`WATCH`].
pub async fn runs_at_work(warehouse: &Warehouse) -> Result<Vec<String>> {
    let (held, _) = held_and_left(warehouse).await?;
    Ok(held.into_iter().map(|found| found.lease.purpose).collect())
}

/// Names of the runs of which something was heard lately, by this machine's clock. Takes no time; for people, not to
/// decide what may go.
pub async fn runs_heard_of(warehouse: &Warehouse) -> Result<Vec<String>> {
    let (found, now) = (find(warehouse).await?, Utc::now());
    let heard_of = found.into_iter().filter(|found| found.lease.is_alive(now) == Some(true));
    Ok(heard_of.map(|found| found.lease.purpose).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::testing::warehouse;

    #[tokio::test]
    async fn a_run_is_found_while_it_lasts_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        assert!(find(&warehouse).await.unwrap().is_empty());
        let names = ["r1", "r1", "a/b c%#ü"];
        let mut leases = vec![];
        for name in names {
            leases.push(RunLease::begin(&warehouse, name).await.unwrap());
        }
        let mut found: Vec<_> = find(&warehouse).await.unwrap().into_iter().map(|f| f.lease.purpose).collect();
        found.sort();
        assert_eq!(found, ["a/b c%#ü", "r1", "r1"]);
        for lease in leases {
            lease.release().await.unwrap();
        }
        assert!(find(&warehouse).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_lease_that_was_taken_away_stops_the_commit() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let mut lease = RunLease::begin(&warehouse, "r1").await.unwrap();
        let found = find(&warehouse).await.unwrap();
        assert_eq!(found[0].lease.is_alive(Utc::now()), Some(true));
        assert!(found[0].remove().await.unwrap());
        let error = lease.begin_commit().await.unwrap_err();
        assert!(matches!(error, MaintenanceError::LeaseLost { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_lease_stays_from_the_commit_on_unless_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let mut unknown = RunLease::begin(&warehouse, "r1").await.unwrap();
        unknown.begin_commit().await.unwrap();
        drop(unknown);
        drop(RunLease::begin(&warehouse, "r2").await.unwrap());
        let found = find(&warehouse).await.unwrap();
        assert_eq!(found.iter().map(|f| f.lease.purpose.as_str()).collect::<Vec<_>>(), ["r1"]);
        assert_eq!(found[0].lease.is_alive(Utc::now()), Some(true));
    }

    #[tokio::test]
    async fn what_is_no_lease_protects_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        std::fs::create_dir(folder.path().join("wh/_runs")).unwrap();
        std::fs::write(folder.path().join("wh/_runs/x.json"), "{").unwrap();
        let found = find(&warehouse).await.unwrap();
        assert_eq!(found[0].lease.is_alive(Utc::now()), Some(true));
        assert!(Utc::now() - found[0].lease.started < chrono::TimeDelta::seconds(50));
    }
}
