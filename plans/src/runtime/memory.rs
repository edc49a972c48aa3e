//! A limit of memory, for a session or a plan of its own.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;

use crate::stores::stores;

/// Settings and environment with the stores of earthcatalog, for `workers` partitions that run at once. Sorts that together
/// take more than `memory` bytes go on on disk.
pub(crate) fn within(workers: usize, memory: Option<usize>) -> Result<(SessionConfig, Arc<RuntimeEnv>)> {
    let mut runtime = RuntimeEnvBuilder::new().with_object_store_registry(stores().clone());
    let mut config = SessionConfig::new();
    if let Some(memory) = memory {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(memory)));
        config = config.with_sort_spill_reservation_bytes(memory / workers.max(1) / 64);
    }
    Ok((config, runtime.build_arc()?))
}
