//! [`Lease`]: who works on something, written where everybody can read it, and [`LeaseGuard`], which keeps it fresh.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, oneshot};
use uuid::Uuid;

use super::error::{MaintenanceError, Result};
use super::process::Process;
use crate::stores::{ConditionalObject, Version};
use crate::table::WarehouseError;

/// How often a holder says that it is alive.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// For how long a holder on another machine that was heard of counts as alive: six heartbeats.
pub const STALE_AFTER: TimeDelta = TimeDelta::seconds(60);

/// For how long a lease that looks stale is watched until its holder counts as gone: the clocks of two machines may
/// differ by any amount, and what counts is that the holder is silent.
pub const WATCH: Duration = if cfg!(test) { Duration::from_millis(300) } else { Duration::from_secs(60) };

/// The content of a lease, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Id of the holder: a new one for each.
    pub owner: String,
    /// What for: a command, or a run.
    pub purpose: String,
    pub host: String,
    pub machine: Option<String>,
    pub pid: u32,
    pub process_start: Option<u64>,
    #[serde(with = "rfc3339")]
    pub started: DateTime<Utc>,
    #[serde(with = "rfc3339")]
    pub heartbeat: DateTime<Utc>,
    /// Counts up, so that no two versions of a lease have the same bytes.
    pub renewals: u64,
}

impl Lease {
    /// A lease of this process, from now on.
    pub fn new(purpose: &str) -> Self {
        let process = Process::this();
        let now = Utc::now();
        Self {
            owner: Uuid::new_v4().to_string(),
            purpose: purpose.to_owned(),
            host: process.host,
            machine: process.machine,
            pid: process.pid,
            process_start: process.start,
            started: now,
            heartbeat: now,
            renewals: 0,
        }
    }

    /// A lease that nobody holds, for who comes next to read its purpose.
    pub(crate) fn given_up(purpose: &str) -> Self {
        Self { heartbeat: DateTime::<Utc>::UNIX_EPOCH, ..Self::new(purpose) }
    }

    /// Whether the holder may still be at work. On this machine: whether its process runs, however long it has been
    /// silent (stopped, or starved). On another: yes, if it was heard of within [`STALE_AFTER`]; `None` otherwise, for
    /// its clock may be another one: then only [`WATCH`]ing tells.
    pub fn is_alive(&self, now: DateTime<Utc>) -> Option<bool> {
        if self.heartbeat == DateTime::<Utc>::UNIX_EPOCH {
            return Some(false);
        }
        let (host, machine) = (self.host.clone(), self.machine.clone());
        let process = Process { host, machine, pid: self.pid, start: self.process_start };
        let heard_of = || (TimeDelta::zero()..STALE_AFTER).contains(&(now - self.heartbeat)).then_some(true);
        process.is_running().or_else(heard_of)
    }

    pub(crate) fn parse(bytes: &[u8], location: &str) -> Result<Self> {
        let invalid = |e: serde_json::Error| {
            let (location, reason) = (location.to_owned(), e.to_string());
            MaintenanceError::InvalidLease { location, reason }
        };
        serde_json::from_slice(bytes).map_err(invalid)
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        // Strings and numbers only.
        serde_json::to_vec(self).expect("a lease is JSON").into()
    }

    fn renewed(&self) -> Self {
        Self { heartbeat: Utc::now().max(self.heartbeat), renewals: self.renewals + 1, ..self.clone() }
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, purpose, host, pid, .. } = self;
        write!(f, "{purpose} (process {pid} on {host}, since {}, owner {owner})", rfc3339::text(&self.started))
    }
}

/// What became of an attempt to hold a lease.
#[derive(Debug)]
pub enum Acquired {
    Held(LeaseGuard),
    /// Somebody else holds it, and is alive.
    By(Lease),
}

/// A lease that this process holds: renewed by a task of the runtime, given up when it is dropped.
#[derive(Debug)]
pub struct LeaseGuard {
    shared: Arc<Shared>,
    end: Option<oneshot::Sender<End>>,
    keep: bool,
}

#[derive(Debug)]
struct Shared {
    object: ConditionalObject,
    owner: String,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    lease: Lease,
    /// `None` once it is given up or lost.
    version: Option<Version>,
}

/// What the renewing task does when its guard goes.
#[derive(Debug)]
enum End {
    GiveUp,
    /// Renews on, as long as the runtime lives.
    Keep,
}

impl LeaseGuard {
    /// Holds `object` for this process, unless somebody who is alive does; takes it over from who is not.
    pub async fn acquire(object: ConditionalObject, purpose: &str) -> Result<Acquired> {
        let purpose = purpose.to_owned();
        Self::acquire_after(object, move |_| purpose.clone()).await
    }

    /// The same, for a purpose that depends on whose lease is taken over, if one is.
    pub async fn acquire_after(
        object: ConditionalObject,
        purpose: impl Fn(Option<&Lease>) -> String + Send + 'static,
    ) -> Result<Acquired> {
        // On a task of its own: cancelled half-way, the lease might be written with nobody to give it up. So the task
        // ends, and drops what it got.
        let acquired = tokio::spawn(Self::acquire_at_once(object, purpose));
        acquired.await.map_err(WarehouseError::Cancelled)?
    }

    async fn acquire_at_once(
        object: ConditionalObject,
        purpose: impl Fn(Option<&Lease>) -> String + Send,
    ) -> Result<Acquired> {
        loop {
            let lease = Lease::new(&purpose(None));
            if let Some(version) = object.create(lease.to_bytes()).await? {
                return Ok(Acquired::Held(Self::begin(object, lease, version)));
            }
            let Some(seen) = object.read().await? else { continue };
            let holder = Lease::parse(&seen.bytes, object.location())?;
            let alive = match holder.is_alive(Utc::now()) {
                Some(alive) => alive,
                None => {
                    tokio::time::sleep(WATCH).await;
                    let Some(again) = object.read().await? else { continue };
                    again.bytes != seen.bytes
                }
            };
            if alive {
                return Ok(Acquired::By(holder));
            }
            // Of many who see the same stale lease, one replaces it; the others look again.
            let lease = Lease::new(&purpose(Some(&holder)));
            if let Some(version) = object.replace(&seen, lease.to_bytes()).await? {
                return Ok(Acquired::Held(Self::begin(object, lease, version)));
            }
        }
    }

    fn begin(object: ConditionalObject, lease: Lease, version: Version) -> Self {
        let owner = lease.owner.clone();
        let shared = Arc::new(Shared { object, owner, held: Mutex::new(Held { lease, version: Some(version) }) });
        let (end, ended) = oneshot::channel();
        tokio::spawn(renew_until_ended(Arc::clone(&shared), ended));
        Self { shared, end: Some(end), keep: false }
    }

    /// Says that the holder is alive.
    ///
    /// Errors: [`MaintenanceError::LeaseLost`] if somebody took it over.
    pub async fn renew(&self) -> Result<()> {
        self.shared.renew().await
    }

    /// Whether the lease stays when this is dropped, until the process ends, so that only [`Self::release`] gives it up.
    pub fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }

    /// Gives the lease up.
    pub async fn release(mut self) -> Result<()> {
        self.keep = false;
        self.shared.give_up().await
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        let end = if self.keep { End::Keep } else { End::GiveUp };
        // A renewal that is under way would bring the lease back: then the renewing task gives it up. On a local disk
        // the lease goes here and now otherwise, for the process may be about to end.
        if let (End::GiveUp, Ok(mut held)) = (&end, self.shared.held.try_lock())
            && held.version.is_some()
            && let Ok(true) = self.shared.object.delete_local(|bytes| self.shared.is_ours(bytes))
        {
            held.version = None;
        }
        if let Some(sender) = self.end.take() {
            // The task is gone if the lease is lost.
            drop(sender.send(end));
        }
    }
}

impl Shared {
    fn is_ours(&self, bytes: &[u8]) -> bool {
        Lease::parse(bytes, self.object.location()).is_ok_and(|lease| lease.owner == self.owner)
    }

    async fn renew(&self) -> Result<()> {
        let mut held = self.held.lock().await;
        loop {
            let lost = || MaintenanceError::LeaseLost { location: self.object.location().to_owned() };
            let version = held.version.as_ref().ok_or_else(lost)?;
            let lease = held.lease.renewed();
            if let Some(version) = self.object.replace(version, lease.to_bytes()).await? {
                *held = Held { lease, version: Some(version) };
                return Ok(());
            }
            // An earlier renewal may have arrived without our hearing of it.
            held.version = self.object.read().await?.filter(|seen| self.is_ours(&seen.bytes));
            if let Some(seen) = &held.version {
                held.lease = Lease::parse(&seen.bytes, self.object.location())?;
            }
        }
    }

    async fn give_up(&self) -> Result<()> {
        let mut held = self.held.lock().await;
        while let Some(version) = held.version.take() {
            if self.object.delete(&version, held.lease.renewed().to_bytes()).await? {
                break;
            }
            held.version = self.object.read().await?.filter(|seen| self.is_ours(&seen.bytes));
        }
        Ok(())
    }
}

async fn renew_until_ended(shared: Arc<Shared>, mut ended: oneshot::Receiver<End>) {
    let mut kept = false;
    loop {
        let end = async {
            match kept {
                true => std::future::pending().await,
                false => (&mut ended).await.unwrap_or(End::GiveUp),
            }
        };
        tokio::select! {
            end = end => match end {
                End::Keep => kept = true,
                End::GiveUp => break,
            },
            () = tokio::time::sleep(HEARTBEAT) => {
                // What else fails may work at the next beat; there are some before the lease is stale.
                if let Err(MaintenanceError::LeaseLost { .. }) = shared.renew().await {
                    return;
                }
            }
        }
    }
    // What cannot be given up becomes stale.
    drop(shared.give_up().await);
}

mod rfc3339 {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn text(time: &DateTime<Utc>) -> String {
        time.to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    pub fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text(time))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(deserializer)?;
        DateTime::parse_from_rfc3339(&text).map(|time| time.to_utc()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use url::Url;

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf, ConditionalObject) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.db.lock");
        let object = ConditionalObject::at(&Url::from_file_path(&file).unwrap()).unwrap();
        (folder, file, object)
    }

    fn memory() -> ConditionalObject {
        ConditionalObject::at(&Url::parse(&format!("memory://{}/lease", Uuid::new_v4())).unwrap()).unwrap()
    }

    async fn held(object: &ConditionalObject) -> LeaseGuard {
        match LeaseGuard::acquire(object.clone(), "test").await.unwrap() {
            Acquired::Held(guard) => guard,
            Acquired::By(holder) => panic!("{holder}"),
        }
    }

    /// A holder on another machine, not heard of for `seconds`.
    fn elsewhere(seconds: i64) -> Lease {
        let heartbeat = Utc::now() - TimeDelta::seconds(seconds);
        Lease { host: "elsewhere".into(), machine: None, heartbeat, ..Lease::new("test") }
    }

    #[test]
    fn a_lease_of_another_machine_lives_by_its_heartbeat_and_one_of_this_by_its_process() {
        let now = Utc::now();
        assert_eq!(elsewhere(50).is_alive(now), Some(true));
        assert_eq!(elsewhere(61).is_alive(now), None);
        assert_eq!(elsewhere(-3600).is_alive(now), None);
        let here = Lease { heartbeat: now - TimeDelta::days(1), ..Lease::new("test") };
        assert_eq!(here.is_alive(now), here.machine.is_some().then_some(true));
        let reused = Lease { process_start: here.process_start.map(|start| start - 1), ..here };
        assert_eq!(reused.is_alive(now), reused.machine.is_some().then_some(false));
        assert_eq!(Lease::given_up("test").is_alive(now), Some(false));
    }

    /// The clock of the holder's machine is off by `skew` seconds, and its heart beats.
    #[tokio::test]
    async fn a_holder_whose_clock_is_another_one_keeps_its_lease_while_it_renews_it() {
        for skew in [-86_400, -100, 86_400] {
            let object = memory();
            let there = elsewhere(-skew);
            object.create(there.to_bytes()).await.unwrap().unwrap();
            let other = object.clone();
            let beats = tokio::spawn(async move {
                loop {
                    tokio::time::sleep(WATCH / 6).await;
                    let seen = other.read().await.unwrap().unwrap();
                    let renewed =
                        Lease { renewals: 1 + Lease::parse(&seen.bytes, "").unwrap().renewals, ..there.clone() };
                    other.replace(&seen, renewed.to_bytes()).await.unwrap().unwrap();
                }
            });
            let Acquired::By(holder) = LeaseGuard::acquire(object.clone(), "test").await.unwrap() else {
                panic!("taken from who is alive, {skew} s away")
            };
            assert_eq!(holder.host, "elsewhere");
            beats.abort();
            drop(beats.await);
            held(&object).await.release().await.unwrap();
        }
    }

    #[test]
    fn a_lease_survives_json() {
        let lease = elsewhere(1);
        let read = Lease::parse(&lease.to_bytes(), "x").unwrap();
        assert_eq!(read.heartbeat.timestamp_millis(), lease.heartbeat.timestamp_millis());
        assert_eq!(read.owner, lease.owner);
        let error = Lease::parse(b"{", "file:///x.lock").unwrap_err().to_string();
        assert!(error.contains("file:///x.lock is no lease"), "{error}");
    }

    #[tokio::test]
    async fn a_lease_is_held_by_one_until_it_is_given_up() {
        let (_folder, file, local) = place();
        for object in [local, memory()] {
            let first = held(&object).await;
            let second = LeaseGuard::acquire(object.clone(), "other").await.unwrap();
            let Acquired::By(holder) = second else { panic!("held twice") };
            assert_eq!((holder.purpose.as_str(), holder.pid), ("test", std::process::id()));
            first.renew().await.unwrap();
            first.release().await.unwrap();
            assert!(object.read().await.unwrap().is_none());
            held(&object).await.release().await.unwrap();
        }
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_dropped_lease_is_gone_at_once_from_a_local_disk() {
        let (_folder, file, object) = place();
        let guard = held(&object).await;
        assert!(file.exists());
        drop(guard);
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn a_dropped_lease_is_gone_soon_from_a_store() {
        let object = memory();
        drop(held(&object).await);
        while object.read().await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_kept_lease_stays_when_it_is_dropped() {
        let (_folder, file, object) = place();
        let mut guard = held(&object).await;
        guard.keep(true);
        drop(guard);
        tokio::task::yield_now().await;
        assert!(file.exists());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_stale_lease_is_taken_over_by_one_of_many() {
        for _ in 0..20 {
            let (_folder, _, local) = place();
            for object in [local, memory()] {
                object.create(elsewhere(3600).to_bytes()).await.unwrap().unwrap();
                let tries = (0..8).map(|_| {
                    let object = object.clone();
                    tokio::spawn(async move { LeaseGuard::acquire(object, "test").await.unwrap() })
                });
                let outcomes: Vec<_> = futures::future::join_all(tries).await.into_iter().map(|o| o.unwrap()).collect();
                assert_eq!(outcomes.iter().filter(|o| matches!(o, Acquired::Held(_))).count(), 1);
            }
        }
    }

    #[tokio::test]
    async fn who_was_taken_over_finds_out_and_leaves_the_new_holder_alone() {
        let (_folder, file, local) = place();
        for object in [local, memory()] {
            let guard = held(&object).await;
            let seen = object.read().await.unwrap().unwrap();
            let other = elsewhere(0).to_bytes();
            object.replace(&seen, other.clone()).await.unwrap().unwrap();
            let error = guard.renew().await.unwrap_err();
            assert!(matches!(error, MaintenanceError::LeaseLost { .. }), "{error}");
            guard.release().await.unwrap();
            assert_eq!(object.read().await.unwrap().unwrap().bytes, other);
        }
        assert!(file.exists());
    }

    #[tokio::test]
    async fn a_renewal_that_nobody_heard_of_does_not_lose_the_lease() {
        let object = memory();
        let guard = held(&object).await;
        let seen = object.read().await.unwrap().unwrap();
        let renewed = Lease::parse(&seen.bytes, "").unwrap().renewed();
        object.replace(&seen, renewed.to_bytes()).await.unwrap().unwrap();
        guard.renew().await.unwrap();
        guard.release().await.unwrap();
        assert!(object.read().await.unwrap().is_none());
    }
}
