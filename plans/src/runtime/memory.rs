//! A limit of memory, for a session or a plan of its own.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;

use crate::stores::stores;

/// What a row of a large Item takes.
const ROW_BYTES: usize = 4 << 10;

/// DataFusion's own.
const BATCH_ROWS: usize = 8192;

/// Spilled files that a sort merges at once. Without a limit it takes all the memory that is free, whatever other sorts of the plan
/// still need to begin.
const MERGED: usize = 8;

/// Settings and environment with the stores of earthcatalog, for `workers` partitions that run at once. Sorts that together
/// take more than `memory` bytes go on on disk.
pub(crate) fn within(workers: usize, memory: Option<usize>) -> Result<(SessionConfig, Arc<RuntimeEnv>)> {
    let mut runtime = RuntimeEnvBuilder::new().with_object_store_registry(stores().clone());
    let mut config = SessionConfig::new();
    if let Some(memory) = memory {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(memory))).with_max_spill_merge_fan_in(MERGED);
        let of_worker = memory / workers.max(1);
        config = config
            .with_sort_spill_reservation_bytes(of_worker / 64)
            // A sort takes twice a batch before it can begin, and a merge a batch of each input; a plan has several.
            .with_batch_size((of_worker / 32 / ROW_BYTES).clamp(64, BATCH_ROWS));
    }
    Ok((config, runtime.build_arc()?))
}
