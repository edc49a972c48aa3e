//! The role of scheduler: Ballista's, with our sessions and codecs.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use ballista_core::ConfigProducer;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_scheduler::SessionBuilder;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionConfig;

use super::settings::{MAX_MESSAGE, worker_session};
use super::{ClusterError, codec};

/// How a scheduler runs.
#[derive(Debug, Clone)]
pub struct SchedulerOptions {
    pub bind_host: IpAddr,
    pub bind_port: u16,
    /// Host name at which others reach this scheduler.
    pub external_host: String,
    /// An executor that was not heard of for so long is lost.
    pub executor_timeout: Duration,
    /// How long executors keep what a job that succeeded has shuffled.
    pub job_data_ttl: Duration,
    /// `HOST:PORT` from which clients fetch answers, where they do not reach executors; empty: from the scheduler.
    pub advertise_flight_endpoint: Option<String>,
}

/// Runs a scheduler until `shutdown` resolves; `listening` is called right before it takes requests.
pub async fn run_scheduler(
    options: &SchedulerOptions,
    listening: impl FnOnce(),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ClusterError> {
    let address = SocketAddr::new(options.bind_host, options.bind_port);
    // Ballista listens by itself; an address that is taken is better found out here.
    let free = TcpListener::bind(address);
    drop(free.map_err(|source| ClusterError::Listen { address: address.to_string(), source })?);
    let config = Arc::new(config(options)?);
    let cluster = BallistaCluster::new_from_config(&config).await?;
    listening();
    tokio::select! {
        ended = start_server(cluster, address, config) => Ok(ended?),
        () = shutdown => Ok(()),
    }
}

fn config(options: &SchedulerOptions) -> Result<SchedulerConfig, ClusterError> {
    let state = worker_session()?;
    let of_session = state.config().clone();
    let produce: ConfigProducer = Arc::new(move || of_session.clone());
    // A plan comes as it is to run.
    let build: SessionBuilder = Arc::new(move |config: SessionConfig| {
        let builder = SessionStateBuilder::new_from_existing(state.clone()).with_config(config);
        Ok(builder
            .with_analyzer_rules(vec![])
            .with_optimizer_rules(vec![])
            .with_physical_optimizer_rules(vec![])
            .build())
    });
    Ok(SchedulerConfig {
        namespace: "earthcatalog".to_owned(),
        external_host: options.external_host.clone(),
        bind_host: options.bind_host.to_string(),
        bind_port: options.bind_port,
        scheduling_policy: TaskSchedulingPolicy::PullStaged,
        finished_job_data_clean_up_interval_seconds: options.job_data_ttl.as_secs(),
        // Without a name it is this scheduler that hands them on.
        enable_embedded_flight_proxy: options.advertise_flight_endpoint.as_deref() == Some(""),
        advertise_flight_endpoint: options.advertise_flight_endpoint.clone(),
        grpc_server_max_decoding_message_size: MAX_MESSAGE,
        grpc_server_max_encoding_message_size: MAX_MESSAGE,
        executor_timeout_seconds: options.executor_timeout.as_secs().max(1),
        expire_dead_executor_interval_seconds: (options.executor_timeout.as_secs() / 10).max(1),
        override_config_producer: Some(produce),
        override_session_builder: Some(build),
        override_logical_codec: Some(codec::logical()),
        override_physical_codec: Some(codec::physical()),
        ..SchedulerConfig::default()
    })
}
