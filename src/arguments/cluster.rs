//! [`ClusterArgs`]: on which cluster a command runs.

use std::time::Duration;

use clap::Args;
use datafusion::prelude::SessionContext;

use super::values;
use crate::cluster::{self, Cluster, ClusterAddress, ClusterError};

/// Flags of commands that a cluster may run.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterArgs {
    /// Address of a scheduler; its executors read and write, and this process plans and commits
    #[arg(long, value_name = "df://HOST:PORT", env = "EARTHCATALOG_CLUSTER")]
    pub cluster: Option<ClusterAddress>,
    /// How long the command waits for executors when the cluster has none
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "60s", env = "EARTHCATALOG_EXECUTOR_WAIT")]
    pub executor_wait: Duration,
}

impl ClusterArgs {
    /// As [`Self::attach`]; a dry run needs no cluster.
    pub async fn attach_unless(&self, dry_run: bool, session: &SessionContext) -> Result<(), ClusterError> {
        if dry_run { Ok(()) } else { self.attach(session).await }
    }

    /// Has `session` submit to the cluster that is asked for, if one is.
    pub async fn attach(&self, session: &SessionContext) -> Result<(), ClusterError> {
        if let Some(address) = &self.cluster {
            cluster::attach(session, &Cluster::open(address, self.executor_wait).await?);
        }
        Ok(())
    }
}
