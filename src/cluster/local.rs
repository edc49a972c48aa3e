//! [`LocalCluster`]: a scheduler and executors as processes of this machine.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::{Cluster, ClusterAddress, ClusterError};
use crate::signals::interrupt;

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long they may take to begin.
const BEGIN: Duration = Duration::from_secs(60);

/// How a cluster on this machine runs.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The binary of all roles.
    pub program: PathBuf,
    pub executors: usize,
    /// Of the scheduler; a free one where it is `None`.
    pub port: Option<u16>,
    /// Flags of the scheduler, and of each executor, besides their addresses.
    pub scheduler_flags: Vec<String>,
    pub executor_flags: Vec<String>,
}

/// Processes on loopback, which end with this, and with the process that has started them.
#[derive(Debug)]
pub struct LocalCluster {
    address: ClusterAddress,
    /// The scheduler comes first.
    processes: Vec<(&'static str, Child)>,
}

impl LocalCluster {
    /// Starts all processes, and waits until the executors are known to the scheduler.
    pub async fn start(options: &LocalOptions) -> Result<Self, ClusterError> {
        let host = Ipv4Addr::LOCALHOST.to_string();
        let start = |source| ClusterError::Start { role: "scheduler", source };
        let port = options.port.map_or_else(free_port, Ok).map_err(start)?;
        let address = ClusterAddress::new(&host, port);
        let mut cluster = Self { address: address.clone(), processes: vec![] };
        let port = port.to_string();
        let flags = ["--bind-host", &host, "--bind-port", &port, "--external-host", &host];
        cluster.spawn("scheduler", options, &flags, &options.scheduler_flags)?;
        let scheduler = address.to_string();
        for _ in 0..options.executors {
            let flags = ["--scheduler", &scheduler, "--bind-host", &host, "--external-host", &host];
            cluster.spawn("executor", options, &flags, &options.executor_flags)?;
        }
        match tokio::time::timeout(BEGIN, cluster.begun(options.executors)).await {
            Ok(begun) => begun.map(|()| cluster),
            Err(_) => Err(ClusterError::Ended { role: "cluster", reason: "it did not begin within a minute".into() }),
        }
    }

    fn spawn(
        &mut self,
        role: &'static str,
        options: &LocalOptions,
        flags: &[&str],
        more: &[String],
    ) -> Result<(), ClusterError> {
        let mut command = Command::new(&options.program);
        // What is at the other end of standard input is this process: they end with it.
        command.arg(role).args(flags).args(more).arg("--exit-with-parent").stdin(Stdio::piped()).stdout(Stdio::null());
        let child = command.spawn().map_err(|source| ClusterError::Start { role, source })?;
        self.processes.push((role, child));
        Ok(())
    }

    async fn begun(&mut self, executors: usize) -> Result<(), ClusterError> {
        loop {
            self.check()?;
            if let Ok(cluster) = Cluster::open(&self.address, Duration::ZERO).await
                && cluster.executors().await.is_ok_and(|known| known.len() == executors)
            {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    pub fn address(&self) -> &ClusterAddress {
        &self.address
    }

    /// Ids of the processes; the scheduler comes first.
    pub fn processes(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().map(|(_, child)| child.id())
    }

    /// Waits until a process ends, which none should.
    pub async fn ended(&mut self) -> ClusterError {
        loop {
            if let Err(ended) = self.check() {
                return ended;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn check(&mut self) -> Result<(), ClusterError> {
        for (role, child) in &mut self.processes {
            let ended = child.try_wait().map_err(|source| ClusterError::Start { role, source })?;
            if let Some(status) = ended {
                return Err(ClusterError::Ended { role, reason: exit(status) });
            }
        }
        Ok(())
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        // Executors first, which would look for their scheduler.
        for (_, child) in self.processes.iter_mut().rev() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn exit(status: ExitStatus) -> String {
    format!("{status}; its own messages are above")
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Resolves when a role is to end: at Ctrl-C or SIGTERM, or where it goes with its parent at the end of standard input.
pub async fn asked_to_end(with_parent: bool) {
    tokio::select! {
        () = interrupt() => {}
        () = input_ended(), if with_parent => {}
    }
}

/// Resolves when standard input is closed, which a [`LocalCluster`] holds open as long as it lives.
async fn input_ended() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 64];
    while input.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
}
