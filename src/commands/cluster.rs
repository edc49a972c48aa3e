//! `earthcatalog cluster`: runs a scheduler and executors on this machine.

use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use clap::{Args, Subcommand};
use log::LevelFilter;

use super::CommandError;
use crate::arguments::values;
use crate::cluster::{ClusterError, LocalCluster, LocalOptions};
use crate::output::say;
use crate::signals::interrupt;

/// What `cluster` does.
#[derive(Debug, Clone, Args)]
pub struct ClusterCommand {
    #[command(subcommand)]
    pub role: ClusterRole,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ClusterRole {
    /// Start a scheduler and executors as processes on this machine; Ctrl-C ends them
    Up(UpArgs),
}

#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// Number of executors
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Number of tasks that each executor runs at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub slots: u16,
    /// Memory that the sorts of an executor may use before they spill to disk [default: 256MB per task]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub memory: Option<usize>,
    /// Port of the scheduler [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// After this time without a heartbeat an executor counts as lost, and others take over its tasks
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "30s")]
    pub executor_timeout: Duration,
    /// Lowest level that is logged: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", value_parser = values::log_level, default_value = "error")]
    pub log: LevelFilter,
}

pub async fn run(command: &ClusterCommand, out: &mut dyn Write) -> Result<(), CommandError> {
    let ClusterRole::Up(args) = &command.role;
    let program = std::env::current_exe().map_err(|source| ClusterError::Start { role: "cluster", source })?;
    let log = ["--log".to_owned(), args.log.to_string()];
    let timeout = args.executor_timeout;
    let heartbeat = (timeout / 6).clamp(Duration::from_millis(100), Duration::from_secs(5));
    let millis = |duration: Duration| format!("{}ms", duration.as_millis());
    let mut executor_flags = vec!["--slots".to_owned(), args.slots.to_string()];
    executor_flags.extend(["--heartbeat".to_owned(), millis(heartbeat)]);
    executor_flags.extend(args.memory.into_iter().flat_map(|bytes| ["--memory".to_owned(), bytes.to_string()]));
    executor_flags.extend(log.clone());
    let options = LocalOptions {
        program,
        executors: args.workers.into(),
        port: args.port,
        scheduler_flags: [&["--executor-timeout".to_owned(), millis(timeout)][..], &log].concat(),
        executor_flags,
    };
    let mut end = pin!(interrupt());
    let mut cluster = tokio::select! {
        started = LocalCluster::start(&options) => started?,
        () = &mut end => return Ok(()),
    };
    let processes = cluster.processes().map(|id| id.to_string()).collect::<Vec<_>>().join(" ");
    say(out, format_args!("{}\nprocesses {processes}; Ctrl-C ends them", cluster.address()));
    tokio::select! {
        // None should end; what is left goes with this.
        ended = cluster.ended() => Err(ended.into()),
        () = &mut end => Ok(()),
    }
}
