//! [`Cluster`]: what the head asks a scheduler, apart from running a plan.

use std::sync::Arc;
use std::time::Duration;

use earthcatalog_plans::wire::version;
use reqwest::{Client, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{ClusterAddress, ClusterError};

/// How long a scheduler may take for an answer.
const ANSWER: Duration = Duration::from_secs(20);

/// How often a cluster without executors is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A scheduler, as a client sees it.
#[derive(Debug)]
pub struct Cluster {
    address: ClusterAddress,
    http: Client,
    /// How long there may be no executor.
    patience: Duration,
    /// Tasks that run at a time; as of when it was opened.
    slots: usize,
}

/// An executor, as the scheduler knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExecutorState {
    pub host: String,
    pub port: u16,
    specification: Specification,
    os_info: OsInfo,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Specification {
    vcores: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct OsInfo {
    os_ver_long: String,
}

#[derive(Debug, Deserialize)]
struct JobState {
    status: String,
}

/// The stages of a job, as far as they run or have run.
#[derive(Debug, Deserialize)]
pub(super) struct Stages {
    pub stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Stage {
    pub tasks: Vec<Option<Task>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Task {
    /// A word, or of a failed one the reason.
    status: serde_json::Value,
}

impl Task {
    pub fn is_done(&self) -> bool {
        self.status == "Successful"
    }
}

impl Cluster {
    /// Finds the scheduler at `address`, and waits until it has an executor, for `patience` at most.
    ///
    /// Errors: no scheduler, no executor, an executor of another version.
    pub async fn open(address: &ClusterAddress, patience: Duration) -> Result<Arc<Self>, ClusterError> {
        let unreachable = |reason: String| ClusterError::NoScheduler { address: address.clone(), reason };
        let mut cluster = Self { patience, ..Self::at(address)? };
        let executors = match cluster.executors().await {
            Err(ClusterError::Lost { reason, .. }) => return Err(unreachable(reason)),
            executors => executors?,
        };
        let executors = if executors.is_empty() { cluster.wait_for_executors().await? } else { executors };
        for executor in &executors {
            executor.check_version()?;
        }
        cluster.slots = executors.iter().map(|executor| executor.specification.vcores as usize).sum();
        Ok(Arc::new(cluster))
    }

    /// The scheduler at `address`, which is not asked for anything yet.
    pub(super) fn at(address: &ClusterAddress) -> Result<Self, ClusterError> {
        let http = Client::builder().no_proxy().timeout(ANSWER).build();
        let unreachable =
            |e: reqwest::Error| ClusterError::NoScheduler { address: address.clone(), reason: e.to_string() };
        Ok(Self { address: address.clone(), http: http.map_err(unreachable)?, patience: Duration::ZERO, slots: 0 })
    }

    pub fn address(&self) -> &ClusterAddress {
        &self.address
    }

    /// How long there may be no executor.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Tasks that run at a time.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Those that the scheduler takes for alive.
    pub async fn executors(&self) -> Result<Vec<ExecutorState>, ClusterError> {
        self.get("executors").await
    }

    async fn wait_for_executors(&self) -> Result<Vec<ExecutorState>, ClusterError> {
        let started = tokio::time::Instant::now();
        while started.elapsed() < self.patience {
            let executors = self.executors().await?;
            if !executors.is_empty() {
                return Ok(executors);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(self.no_executors("nothing was done"))
    }

    pub(super) fn no_executors(&self, kept: &'static str) -> ClusterError {
        ClusterError::NoExecutors { address: self.address.clone(), waited: self.patience, kept }
    }

    pub(super) async fn stages(&self, job: &str) -> Result<Stages, ClusterError> {
        self.get(&format!("job/{job}/stages")).await
    }

    /// Ends a job, and its tasks with it. One that has ended stays as it is.
    pub async fn cancel(&self, job: &str) -> Result<(), ClusterError> {
        let url = format!("{}/api/job/{job}", self.address.http());
        self.http.patch(url).send().await.map(drop).map_err(|e| self.lost(&e))
    }

    /// Whether a job is under way, as far as the scheduler answers.
    pub(super) async fn is_running(&self, job: &str) -> bool {
        let state: Result<JobState, _> = self.get(&format!("job/{job}")).await;
        state.is_ok_and(|state| ["Queued", "Running"].contains(&state.status.as_str()))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClusterError> {
        let url = format!("{}/api/{path}", self.address.http());
        let answer = self.http.get(url).send().await.and_then(Response::error_for_status);
        let bytes = answer.map_err(|e| self.lost(&e))?.bytes().await.map_err(|e| self.lost(&e))?;
        serde_json::from_slice(&bytes).map_err(|e| self.lost(&e))
    }

    fn lost(&self, error: &(dyn std::error::Error + 'static)) -> ClusterError {
        // The outermost one only says that there was one.
        let mut innermost = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        ClusterError::Lost { address: self.address.clone(), reason: innermost.to_string() }
    }
}

impl ExecutorState {
    fn check_version(&self) -> Result<(), ClusterError> {
        let theirs = &self.os_info.os_ver_long;
        match theirs == version() {
            true => Ok(()),
            false => Err(ClusterError::Version {
                executor: format!("{}:{}", self.host, self.port),
                theirs: theirs.clone(),
                ours: version(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executor_of_another_version_is_refused_with_both_versions() {
        let executor = |version: &str| -> ExecutorState {
            let json = serde_json::json!({
                "id": "x", "host": "10.0.0.1", "port": 7, "specification": { "vcores": 2 },
                "os_info": { "os_ver_long": version },
            });
            serde_json::from_value(json).unwrap()
        };
        executor(version()).check_version().unwrap();
        let error = executor("0.0.9").check_version().unwrap_err().to_string();
        assert!(error.contains("executor 10.0.0.1:7 runs earthcatalog 0.0.9, and this is"), "{error}");
    }
}
