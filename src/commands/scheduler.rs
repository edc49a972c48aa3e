//! `earthcatalog scheduler`: runs the scheduler of a cluster.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use log::LevelFilter;

use super::CommandError;
use crate::arguments::values;
use crate::cluster::{self, ClusterAddress, SchedulerOptions, asked_to_end, run_scheduler};
use crate::output::say;
use crate::verbosity;

/// Flags of `scheduler`.
#[derive(Debug, Clone, Args)]
pub struct SchedulerArgs {
    /// Address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub bind_host: IpAddr,
    #[arg(long, value_name = "PORT", default_value_t = cluster::PORT)]
    pub bind_port: u16,
    /// Host name at which others reach this scheduler
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    pub external_host: String,
    /// After this time without a heartbeat an executor counts as lost, and others take over its tasks
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "30s")]
    pub executor_timeout: Duration,
    /// How long executors keep the shuffled data of a job that has ended
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "5m")]
    pub job_data_ttl: Duration,
    /// HOST:PORT from which clients that cannot reach the executors fetch results; without a value, from this scheduler
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, default_missing_value = "")]
    pub advertise_flight_endpoint: Option<String>,
    /// Lowest level that is logged: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", value_parser = values::log_level, default_value = "error")]
    pub log: LevelFilter,
    /// End when standard input ends
    #[arg(long, hide = true)]
    pub exit_with_parent: bool,
}

pub async fn run(args: &SchedulerArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    verbosity::log_cluster(args.log);
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
