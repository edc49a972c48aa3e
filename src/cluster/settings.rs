//! What all three roles agree on: settings of sessions, and sizes of messages.

use ballista_core::extension::SessionConfigExt;
use datafusion::common::Result;
use datafusion::execution::SessionState;
use datafusion::prelude::SessionConfig;
use earthcatalog_plans::session::session;

/// Bytes of a message, at most: a plan with all files of a large scan.
pub const MAX_MESSAGE: u32 = 256 << 20;

/// Settings under which what a client has set has its effect, and a plan is one that a cluster runs correctly.
pub fn cluster_config(config: SessionConfig) -> SessionConfig {
    config
        .with_option_extension(ballista_core::config::BallistaConfig::default())
        .with_ballista_grpc_client_max_message_size(MAX_MESSAGE as usize)
        // A null-aware join (NOT IN) runs in one task, where its left side is no larger. DataFusion itself broadcasts nothing:
        // a side that each task reads as a whole answers outer joins wrongly.
        .with_ballista_broadcast_join_threshold_bytes(64 << 20)
        .set_u64("datafusion.optimizer.hash_join_single_partition_threshold", 0)
        .set_u64("datafusion.optimizer.hash_join_single_partition_threshold_rows", 0)
        // Stages are as they were planned. Planned anew while a job runs, an input that turned out to be empty below an operator
        // that requires a distribution made new stages for ever (Ballista 55.0).
        .set_bool(ballista_core::config::BALLISTA_ADAPTIVE_PLANNER_ENABLED, false)
        // The limits of memory are for one.
        .set_u64(ballista_core::config::BALLISTA_SCHEDULER_MAX_PARTITIONS_PER_TASK, 1)
        // A sort goes to disk, a hash table does not.
        .set_bool("datafusion.optimizer.prefer_hash_join", false)
        // Asks for the state of a job, and so has its id from the start.
        .set_bool(ballista_core::config::BALLISTA_CLIENT_PULL, true)
}

/// A session of a scheduler or an executor.
pub fn worker_session() -> Result<SessionState> {
    // The number of partitions is the client's business.
    let state = session(1)?.state();
    let config = cluster_config(state.config().clone());
    Ok(datafusion::execution::SessionStateBuilder::new_from_existing(state).with_config(config).build())
}
