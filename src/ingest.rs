//! The driver of `sql/ingest.sql`: fills in its parameters, runs it, and reports.

use std::time::Instant;

use datafusion::prelude::SessionContext;

use crate::dry_run::DryRun;
use crate::pipeline::{Pipeline, PipelineError};
use crate::report::Report;
use crate::script::Arguments;

/// The pipeline.
pub const PIPELINE: Pipeline = Pipeline { name: "ingest.sql", text: include_str!("../sql/ingest.sql") };

/// Which Items go to which warehouse, and how they are read. `None` keeps the default of the script.
#[derive(Debug, Clone, Default)]
pub struct IngestOptions {
    /// Path or URL of the inventory, of a file with Items, or of a folder.
    pub inventory: String,
    /// Path or URL of the SQLite catalog.
    pub catalog: String,
    /// Folder or URL of the data files.
    pub warehouse: String,
    /// H3 resolution of the table, 0 to 15.
    pub h3_resolution: Option<u8>,
    /// Items per chunk.
    pub chunk_size: Option<u64>,
    /// Objects that one thread fetches at a time.
    pub fetch_concurrency: Option<u64>,
    /// Rows of the inventory that are read at most.
    pub limit: Option<u64>,
    /// A date or RFC 3339 time: objects that were last modified before are left out.
    pub since: Option<String>,
    /// Endings of the names that are Items, separated by commas.
    pub suffix: Option<String>,
    /// Folder or URL below which the keys of an inventory lie.
    pub base: Option<String>,
    /// What the inventory is, where its name does not tell.
    pub format: Option<String>,
    /// A number, or a percentage of the inventory: with more rejects, nothing is committed.
    pub max_rejects: Option<String>,
}

impl IngestOptions {
    /// Arguments for the parameters that `ingest.sql`, `backfill.sql` and `incremental.sql` share.
    pub fn arguments(&self) -> Arguments {
        Arguments::new()
            .with("inventory", &self.inventory)
            .with("catalog", &self.catalog)
            .with("warehouse", &self.warehouse)
            .with_option("h3_resolution", self.h3_resolution)
            .with_option("chunk_size", self.chunk_size)
            .with_option("fetch_concurrency", self.fetch_concurrency)
            .with_option("limit", self.limit)
            .with_option("since", self.since.as_ref())
            .with_option("suffix", self.suffix.as_ref())
            .with_option("base", self.base.as_ref())
            .with_option("format", self.format.as_ref())
            .with_option("max_rejects", self.max_rejects.as_ref())
    }
}

/// Runs the pipeline in `session`, to the end of its commit, unless `interrupt` resolves before.
pub async fn ingest(
    session: &SessionContext,
    options: &IngestOptions,
    interrupt: impl Future<Output = ()>,
) -> Result<Report, PipelineError> {
    let started = Instant::now();
    let run = PIPELINE.run(session, &options.arguments(), interrupt).await?;
    Ok(Report { run, seconds: started.elapsed().as_secs_f64() })
}

/// What [`ingest`] would do; nothing is written.
pub async fn plan_ingest(
    session: &SessionContext,
    options: &IngestOptions,
    interrupt: impl Future<Output = ()>,
) -> Result<Option<DryRun>, PipelineError> {
    Ok(PIPELINE.dry_run(session, &options.arguments(), interrupt).await?.pop())
}
