//! `earthcatalog executor`: runs an executor of a cluster.

use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use log::LevelFilter;

use super::CommandError;
use crate::arguments::{cores, values};
use crate::cluster::{ClusterAddress, ExecutorOptions, asked_to_end, run_executor};
use crate::output::say;
use crate::pipeline::SORT_MEMORY;
use crate::verbosity;

/// Flags of `executor`.
#[derive(Debug, Clone, Args)]
pub struct ExecutorArgs {
    /// Address of the scheduler
    #[arg(long, value_name = "df://HOST:PORT", env = "EARTHCATALOG_CLUSTER")]
    pub scheduler: ClusterAddress,
    /// Address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub bind_host: IpAddr,
    /// Port to listen on; 0 chooses a free port
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub bind_port: u16,
    /// Host name at which others reach this executor [default: the address that the scheduler sees]
    #[arg(long, value_name = "HOST")]
    pub external_host: Option<String>,
    /// Port at which others reach this executor, if it differs from --bind-port
    #[arg(long, value_name = "PORT")]
    pub external_port: Option<u16>,
    /// Number of tasks that run at a time [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub slots: Option<u16>,
    /// Memory that the sorts of all tasks may use together before they spill to disk [default: 256MB per task]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub memory: Option<usize>,
    /// Folder for shuffled data and for sorts [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    pub work_dir: Option<PathBuf>,
    /// How often the executor sends a heartbeat; it should be several times within the scheduler's --executor-timeout
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "5s")]
    pub heartbeat: Duration,
    /// How long the executor waits for a scheduler when it starts
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "60s")]
    pub connect_timeout: Duration,
    /// Lowest level that is logged: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", value_parser = values::log_level, default_value = "error")]
    pub log: LevelFilter,
    /// End when standard input ends
    #[arg(long, hide = true)]
    pub exit_with_parent: bool,
}

impl ExecutorArgs {
    pub fn slots(&self) -> usize {
        self.slots.map_or_else(cores, usize::from)
    }
}

pub async fn run(args: &ExecutorArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    verbosity::log_cluster(args.log);
    let slots = args.slots();
    let options = ExecutorOptions {
        scheduler: args.scheduler.clone(),
        bind_host: args.bind_host,
        bind_port: args.bind_port,
        external_host: args.external_host.clone(),
        external_port: args.external_port,
        slots,
        memory_per_task: args.memory.map_or(SORT_MEMORY, |memory| memory / slots),
        work_dir: args.work_dir.clone(),
        heartbeat: args.heartbeat,
        connect_timeout: args.connect_timeout,
    };
    let said = |address| say(out, format_args!("executor {address} of {} with {slots} task slots", args.scheduler));
    Ok(run_executor(&options, said, asked_to_end(args.exit_with_parent)).await?)
}
