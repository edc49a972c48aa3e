//! [`ResourceArgs`]: what a command may use of the machine.

use clap::Args;
use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;

use super::values;
use crate::pipeline::pipeline_session;

/// What a command may use of the machine.
#[derive(Debug, Clone, Default, Args)]
pub struct ResourceArgs {
    /// Memory that sorts may use before they spill to disk [default: 256MB per thread for pipelines, no limit for queries
    /// and other scripts]
    #[arg(long, value_name = "SIZE", value_parser = values::size, env = "EARTHCATALOG_MEMORY")]
    pub memory: Option<usize>,
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// How many threads a command may use.
#[derive(Debug, Clone, Default, Args)]
pub struct ThreadArgs {
    /// Number of threads [default: the number of cores]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1024),
        env = "EARTHCATALOG_WORKERS"
    )]
    pub workers: Option<u16>,
}

impl ThreadArgs {
    pub fn workers(&self) -> usize {
        self.workers.map_or_else(cores, usize::from)
    }
}

impl ResourceArgs {
    pub fn workers(&self) -> usize {
        self.threads.workers()
    }

    /// A session for pipelines within these limits.
    pub fn pipeline_session(&self) -> Result<SessionContext, DataFusionError> {
        pipeline_session(self.workers(), self.memory)
    }
}

/// The cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
