//! `earthcatalog scheduler`: runs the scheduler of a cluster.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use log::LevelFilter;

use super::CommandError;
use crate::arguments::values;
use crate::cluster::{self, ClusterAddress, SchedulerOptions, asked_to_end, log_to_stderr, run_scheduler};
use crate::output::say;

/// Flags of `scheduler`.
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

pub async fn run(args: &SchedulerArgs, out: &mut dyn Write) -> Result<(), CommandError> {
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
