//! [`ClusterError`]: why something did not run on a cluster.

use std::io;
use std::time::Duration;

use ballista_core::error::BallistaError;
use datafusion::common::DataFusionError;
use thiserror::Error;

use super::ClusterAddress;

#[derive(Debug, Error)]
pub enum ClusterError {
    #[error(
        "there is no scheduler at {address}: {reason}; start one with `earthcatalog scheduler`, or name another with --cluster"
    )]
    NoScheduler { address: ClusterAddress, reason: String },
    #[error(
        "cluster {address} has had no executor for {} s; start some with `earthcatalog executor --scheduler {address}`, and run this again: {kept}",
        waited.as_secs()
    )]
    NoExecutors { address: ClusterAddress, waited: Duration, kept: &'static str },
    #[error(
        "executor {executor} runs earthcatalog {theirs}, and this is {ours}; client, scheduler and executors must run the same build"
    )]
    Version { executor: String, theirs: String, ours: &'static str },
    #[error("{reason} (job {job} on cluster {address})")]
    Job { address: ClusterAddress, job: String, reason: String },
    #[error("cluster {address} no longer answers: {reason}")]
    Lost { address: ClusterAddress, reason: String },
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: io::Error },
    #[error("the {role} has ended: {reason}")]
    Ended { role: &'static str, reason: String },
    #[error("cannot start the {role}: {source}")]
    Start { role: &'static str, source: io::Error },
    #[error("{0}")]
    Ballista(#[from] BallistaError),
    #[error("{0}")]
    Session(#[from] DataFusionError),
}

impl From<ClusterError> for DataFusionError {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::Session(error) => error,
            error => Self::External(Box::new(error)),
        }
    }
}
