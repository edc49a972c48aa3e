//! Clusters: their roles, and the flags by which a command is run on one.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use datafusion::prelude::SessionContext;
use log::LevelFilter;

use super::run::interrupt;
use super::{BackfillArgs, CliError, Scheduler, values};
use crate::cluster::{
    self, Cluster, ClusterAddress, ClusterError, ExecutorOptions, LocalCluster, LocalOptions, SchedulerOptions,
    exit_with_parent, log_to_stderr, run_executor, run_scheduler,
};

/// Memory of the sorts of a task, in bytes, where nothing else is asked for.
const TASK_MEMORY: usize = 256 << 20;

/// Flags of commands that a cluster may run.
#[derive(Debug, Clone, Args)]
pub struct ClusterArgs {
    /// Address of a scheduler: its executors read and write, and this process plans and commits
    #[arg(long, value_name = "df://HOST:PORT", env = "EARTHCATALOG_CLUSTER")]
    pub cluster: Option<ClusterAddress>,
    /// How long the cluster may be without executors before the command gives up
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "60s", env = "EARTHCATALOG_EXECUTOR_WAIT")]
    pub executor_wait: Duration,
}

#[derive(Debug, Clone, Args)]
pub struct SchedulerArgs {
    /// Address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub bind_host: IpAddr,
    #[arg(long, value_name = "PORT", default_value_t = cluster::PORT)]
    pub bind_port: u16,
    /// Name by which others know it
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    pub external_host: String,
    /// An executor that was not heard of for so long is lost, and others do its tasks
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "30s")]
    pub executor_timeout: Duration,
    /// How long executors keep what a job that has ended has shuffled
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "5m")]
    pub job_data_ttl: Duration,
    /// HOST:PORT from which clients fetch answers, where they do not reach the executors; without a value, this scheduler
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "")]
    pub advertise_flight_endpoint: Option<String>,
    /// Least level of what is logged: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", value_parser = values::log_level, default_value = "error")]
    pub log: LevelFilter,
    /// End when standard input does
    #[arg(long, hide = true)]
    pub exit_with_parent: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ExecutorArgs {
    /// Address of the scheduler
    #[arg(long, value_name = "df://HOST:PORT", env = "EARTHCATALOG_CLUSTER")]
    pub scheduler: ClusterAddress,
    /// Address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub bind_host: IpAddr,
    /// A free port where it is 0
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub bind_port: u16,
    /// Host by which the others reach it [default: as the scheduler sees it]
    #[arg(long, value_name = "HOST")]
    pub external_host: Option<String>,
    /// Port by which the others reach it, where that is another
    #[arg(long, value_name = "PORT")]
    pub external_port: Option<u16>,
    /// Tasks at a time [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub slots: Option<u16>,
    /// Memory that the sorts of all tasks together may take before they go to disk [default: 256MB per task]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub memory: Option<usize>,
    /// Folder for what is shuffled, and for sorts [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
    /// How often it says that it is alive; several times within the scheduler's --executor-timeout
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "5s")]
    pub heartbeat: Duration,
    /// How long it waits for a scheduler when it starts
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "60s")]
    pub connect_timeout: Duration,
    /// Least level of what is logged: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", value_parser = values::log_level, default_value = "error")]
    pub log: LevelFilter,
    /// End when standard input does
    #[arg(long, hide = true)]
    pub exit_with_parent: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ClusterCommand {
    #[command(subcommand)]
    pub role: ClusterRole,
}

#[derive(Debug, Clone, Subcommand)]
pub enum ClusterRole {
    /// Start a scheduler and executors as processes of this machine, and end them with Ctrl-C
    Up(UpArgs),
}

#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// Executors
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Tasks at a time of each executor
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub slots: u16,
    /// Memory that the sorts of all tasks of an executor may take before they go to disk [default: 256MB per task]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub memory: Option<usize>,
    /// Port of the scheduler [default: a free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// An executor that was not heard of for so long is lost, and others do its tasks
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "30s")]
    pub executor_timeout: Duration,
    /// Least level of what is logged: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", value_parser = values::log_level, default_value = "error")]
    pub log: LevelFilter,
}

impl ClusterArgs {
    /// The cluster that is asked for, if one is.
    pub async fn open(&self) -> Result<Option<Arc<Cluster>>, CliError> {
        match &self.cluster {
            Some(address) => Ok(Some(Cluster::open(address, self.executor_wait).await?)),
            None => Ok(None),
        }
    }

    /// As [`Self::open`]; a dry run needs no cluster.
    pub async fn open_unless(&self, dry_run: bool) -> Result<Option<Arc<Cluster>>, CliError> {
        if dry_run { Ok(None) } else { self.open().await }
    }

    /// Has `session` submit to the cluster that is asked for, if one is.
    pub async fn attach(&self, session: &SessionContext) -> Result<(), CliError> {
        if let Some(cluster) = self.open().await? {
            cluster::attach(session, &cluster);
        }
        Ok(())
    }
}

impl BackfillArgs {
    /// The cluster, as far as `--scheduler` agrees.
    pub fn cluster(&self) -> Result<&ClusterArgs, CliError> {
        match (self.scheduler, &self.cluster.cluster) {
            (Some(Scheduler::Ballista), None) => Err(CliError::NoCluster),
            (Some(Scheduler::Local), Some(_)) => Err(CliError::NotOnCluster("local")),
            (Some(Scheduler::Synchronous), Some(_)) => Err(CliError::NotOnCluster("synchronous")),
            _ => Ok(&self.cluster),
        }
    }
}

impl ExecutorArgs {
    pub fn slots(&self) -> usize {
        match self.slots {
            Some(slots) => slots.into(),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

pub(super) async fn scheduler(args: &SchedulerArgs, out: &mut dyn Write) -> Result<(), CliError> {
    log_to_stderr(args.log);
    let options = SchedulerOptions {
        bind_host: args.bind_host,
        bind_port: args.bind_port,
        external_host: args.external_host.clone(),
        executor_timeout: args.executor_timeout,
        job_data_ttl: args.job_data_ttl,
        advertise_flight_endpoint: args.advertise_flight_endpoint.clone(),
    };
    let address = ClusterAddress::new(&args.external_host, args.bind_port);
    let said = || say(out, format_args!("scheduler {address}"));
    Ok(run_scheduler(&options, said, asked_to_end(args.exit_with_parent)).await?)
}

pub(super) async fn executor(args: &ExecutorArgs, out: &mut dyn Write) -> Result<(), CliError> {
    log_to_stderr(args.log);
    let slots = args.slots();
    let options = ExecutorOptions {
        scheduler: args.scheduler.clone(),
        bind_host: args.bind_host,
        bind_port: args.bind_port,
        external_host: args.external_host.clone(),
        external_port: args.external_port,
        slots,
        memory_per_task: args.memory.map_or(TASK_MEMORY, |memory| memory / slots),
        work_dir: args.work_dir.clone(),
        heartbeat: args.heartbeat,
        connect_timeout: args.connect_timeout,
    };
    let said = |address| say(out, format_args!("executor {address} of {} with {slots} task slots", args.scheduler));
    Ok(run_executor(&options, said, asked_to_end(args.exit_with_parent)).await?)
}

pub(super) async fn cluster(command: &ClusterCommand, out: &mut dyn Write) -> Result<(), CliError> {
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
    let mut end = pin!(asked_to_end(false));
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

/// Says something at once: what is to come may take for ever.
fn say(out: &mut dyn Write, line: std::fmt::Arguments<'_>) {
    // Nobody may be there to read it.
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// Resolves at Ctrl-C, at SIGTERM, or where that is wanted at the end of standard input.
async fn asked_to_end(with_parent: bool) {
    let parent = async {
        match with_parent {
            true => exit_with_parent().await,
            false => std::future::pending().await,
        }
    };
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = interrupt() => {}
        () = parent => {}
        () = terminated => {}
    }
}
