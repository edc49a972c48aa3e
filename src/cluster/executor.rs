//! The role of executor: Ballista's poll loop with our session, codecs, stores and functions, and a heartbeat beside it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_core::serde::protobuf::executor_grpc_server::ExecutorGrpcServer;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    ExecutorRegistration, ExecutorStatus, ExecutorStoppedParams, HeartBeatParams, executor_status,
};
use ballista_core::serde::scheduler::{ExecutorOperatingSystemSpecification, ExecutorSpecification};
use ballista_core::utils::{GrpcClientConfig, GrpcServerConfig, create_grpc_client_endpoint, create_grpc_server};
use ballista_core::{BALLISTA_PROTOCOL_VERSION, ConfigProducer, RuntimeProducer};
use ballista_executor::execution_loop::poll_loop;
use ballista_executor::executor::Executor;
use ballista_executor::flight_service::BallistaFlightService;
use ballista_executor::health::ExecutorHealth;
use ballista_executor::metrics::LoggingMetricsCollector;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use earthcatalog_plans::stores::stores;
use earthcatalog_plans::wire::version;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;
use uuid::Uuid;

use super::engine::Engine;
use super::executor_service::ExecutorService;
use super::settings::{MAX_MESSAGE, worker_session};
use super::{Cluster, ClusterAddress, ClusterError, codec};

/// How often an executor that finds no scheduler looks again.
const CONNECT_INTERVAL: Duration = Duration::from_millis(200);

/// How long leaving may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// How an executor runs.
#[derive(Debug, Clone)]
pub struct ExecutorOptions {
    pub scheduler: ClusterAddress,
    pub bind_host: IpAddr,
    /// A free one where it is 0.
    pub bind_port: u16,
    /// Host by which the others reach it; what the scheduler sees where it is `None`.
    pub external_host: Option<String>,
    /// Port at which others reach this executor, if it differs from --bind-port.
    pub external_port: Option<u16>,
    /// Tasks at a time.
    pub slots: usize,
    /// Bytes that the sorts of one task may take before they go to disk.
    pub memory_per_task: usize,
    /// Folder for what tasks shuffle, and for sorts; a temporary one where it is `None`.
    pub work_dir: Option<PathBuf>,
    /// How often it says that it is alive.
    pub heartbeat: Duration,
    /// How long it waits for a scheduler.
    pub connect_timeout: Duration,
}

/// Runs an executor until `shutdown` resolves; `listening` is told where. Its tasks end with it: the scheduler gives them to
/// others.
pub async fn run_executor(
    options: &ExecutorOptions,
    listening: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ClusterError> {
    let start = |source| ClusterError::Start { role: "executor", source };
    let temporary = options.work_dir.is_none().then(tempfile::tempdir).transpose().map_err(start)?;
    let work_dir = options.work_dir.clone().or(temporary.as_ref().map(|folder| folder.path().to_owned()));
    let work_dir = work_dir.unwrap_or_default();
    std::fs::create_dir_all(&work_dir).map_err(start)?;

    let address = SocketAddr::new(options.bind_host, options.bind_port);
    let listen = |source| ClusterError::Listen { address: address.to_string(), source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let port = u32::from(options.external_port.unwrap_or(address.port()));
    let registration = ExecutorRegistration {
        id: Uuid::new_v4().to_string(),
        host: options.external_host.clone(),
        port,
        grpc_port: port,
        specification: Some(ExecutorSpecification::default().with_vcores(options.slots as u32).into()),
        os_info: Some(os_info().into()),
        ballista_protocol_version: BALLISTA_PROTOCOL_VERSION,
    };
    let work_dir = work_dir.display().to_string();
    let executor = Arc::new(executor(options, registration.clone(), &work_dir)?);

    let size = MAX_MESSAGE as usize;
    let flight = FlightServiceServer::new(BallistaFlightService::new(work_dir))
        .max_decoding_message_size(size)
        .max_encoding_message_size(size);
    let service = ExecutorService { executor: Arc::clone(&executor), scheduler: Cluster::at(&options.scheduler)? };
    let service = ExecutorGrpcServer::new(service);
    let server = create_grpc_server(&GrpcServerConfig::default()).add_service(flight).add_service(service);
    let server = server.serve_with_incoming(TcpListenerStream::new(listener));

    let connected = async {
        let scheduler = connect(options).await?;
        listening(address);
        let polling =
            tokio::spawn(poll_loop(scheduler.clone(), executor, codec::codec(), None, None, ExecutorHealth::new()));
        let beating = heartbeat(scheduler, registration.clone(), options.heartbeat);
        tokio::select! {
            ended = polling => Err(ClusterError::Ended { role: "executor", reason: format!("{ended:?}") }),
            never = beating => match never {},
        }
    };
    tokio::select! {
        ended = connected => ended,
        ended = server => {
            let reason = ended.map_or_else(|e| e.to_string(), |()| "its server stopped".to_owned());
            Err(ClusterError::Ended { role: "executor", reason })
        }
        () = shutdown => {
            // A scheduler that is gone need not know.
            drop(tokio::time::timeout(GOODBYE, say_goodbye(options, registration)).await);
            Ok(())
        }
    }
}

fn executor(
    options: &ExecutorOptions,
    registration: ExecutorRegistration,
    work_dir: &str,
) -> Result<Executor, ClusterError> {
    let state = worker_session()?;
    let functions = BallistaFunctionRegistry::from(&state);
    let config = state.config().clone();
    let config: ConfigProducer = Arc::new(move || config.clone());
    let memory = options.memory_per_task;
    // Stores, caches and the disk are of the process, memory is of the task.
    let shared = RuntimeEnvBuilder::new().with_object_store_registry(Arc::clone(stores()) as _);
    let shared = shared.with_temp_file_path(work_dir).build_arc()?;
    let runtime: RuntimeProducer = Arc::new(move |_| {
        let pool = Arc::new(FairSpillPool::new(memory));
        RuntimeEnvBuilder::from_runtime_env(&shared).with_memory_pool(pool).build_arc()
    });
    Ok(Executor::new(
        registration,
        work_dir,
        runtime,
        config,
        Arc::new(functions),
        Arc::new(LoggingMetricsCollector::default()),
        options.slots,
        Arc::new(Engine::new()),
    ))
}

/// What the scheduler shows of this executor: clients see by it that all are of one version.
fn os_info() -> ExecutorOperatingSystemSpecification {
    ExecutorOperatingSystemSpecification {
        system_name: "earthcatalog".to_owned(),
        os_ver_long: version().to_owned(),
        ..ExecutorOperatingSystemSpecification::default()
    }
}

/// Connects to the scheduler, as soon as there is one.
async fn connect(options: &ExecutorOptions) -> Result<SchedulerGrpcClient<Channel>, ClusterError> {
    let endpoint = create_grpc_client_endpoint(options.scheduler.http(), Some(&GrpcClientConfig::default()));
    let endpoint = endpoint.map_err(ballista_core::error::BallistaError::from)?;
    let deadline = tokio::time::Instant::now() + options.connect_timeout;
    let channel = loop {
        match endpoint.connect().await {
            Ok(channel) => break channel,
            Err(_) if tokio::time::Instant::now() < deadline => tokio::time::sleep(CONNECT_INTERVAL).await,
            Err(e) => {
                let reason = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
                return Err(ClusterError::NoScheduler { address: options.scheduler.clone(), reason });
            }
        }
    };
    let size = MAX_MESSAGE as usize;
    Ok(SchedulerGrpcClient::new(channel).max_decoding_message_size(size).max_encoding_message_size(size))
}

/// Says that the executor is alive, also while its slots are full, when Ballista's loop does not poll.
async fn heartbeat(
    mut scheduler: SchedulerGrpcClient<Channel>,
    registration: ExecutorRegistration,
    interval: Duration,
) -> std::convert::Infallible {
    let mut ticks = tokio::time::interval(interval);
    loop {
        ticks.tick().await;
        let beat = beat(&registration, executor_status::Status::Active(String::new()));
        if let Err(e) = scheduler.heart_beat_from_executor(beat).await {
            log::warn!(target: "earthcatalog", "heartbeat: {e}");
        }
    }
}

fn beat(registration: &ExecutorRegistration, status: executor_status::Status) -> HeartBeatParams {
    HeartBeatParams {
        executor_id: registration.id.clone(),
        metrics: vec![],
        status: Some(ExecutorStatus { status: Some(status) }),
        metadata: Some(registration.clone()),
    }
}

/// Has the scheduler give the tasks to others at once.
async fn say_goodbye(options: &ExecutorOptions, registration: ExecutorRegistration) -> Result<(), ClusterError> {
    let mut scheduler = connect(options).await?;
    let stopped =
        ExecutorStoppedParams { executor_id: registration.id.clone(), reason: "it was asked to end".to_owned() };
    let refused = |e: tonic::Status| ClusterError::Ended { role: "scheduler", reason: e.to_string() };
    scheduler.executor_stopped(stopped).await.map(drop).map_err(refused)
}
