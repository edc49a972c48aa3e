//! The driver of `sql/incremental.sql`; and `sql/delta.sql`, which says what it would ingest.

use std::sync::Arc;
use std::time::Instant;

use crate::cluster::{self, Cluster};
use crate::dry_run::DryRun;
use crate::ingest::IngestOptions;
use crate::pipeline::{Pipeline, PipelineError, pipeline_session};
use crate::report::Report;
use crate::run_statistics::{self, RunStatistics};

/// The pipeline.
pub const PIPELINE: Pipeline = Pipeline { name: "incremental.sql", text: include_str!("../sql/incremental.sql") };

/// The pipeline that lists the delta.
pub const DELTA: Pipeline = Pipeline { name: "delta.sql", text: include_str!("../sql/delta.sql") };

/// What is ingested, and how.
#[derive(Debug, Clone, Default)]
pub struct IncrementalOptions {
    /// `since` may also be `last`: the newest object that the table has seen.
    pub source: IngestOptions,
    /// Threads.
    pub workers: usize,
    /// Bytes that sorts may take before they go to disk; 256 MB per thread where it is `None`.
    pub memory: Option<usize>,
    /// Folder or URL for `ingest_stats.json`; that of the catalog where it is `None`.
    pub report_location: Option<String>,
    /// Where chunks are worked on; in this process where it is `None`.
    pub cluster: Option<Arc<Cluster>>,
}

/// Ingests the objects of an inventory that the table has not ingested yet. Stopped by `interrupt`, it commits nothing.
pub async fn run_incremental(
    options: &IncrementalOptions,
    interrupt: impl Future<Output = ()>,
) -> Result<Report, PipelineError> {
    let started = Instant::now();
    let session = pipeline_session(options.workers, options.memory)?;
    options.cluster.iter().for_each(|cluster| cluster::attach(&session, cluster));
    let run = PIPELINE.run(&session, &options.source.arguments(), interrupt).await?;
    let report = Report { run, seconds: started.elapsed().as_secs_f64() };
    if report.run.snapshot.is_some() {
        let statistics = RunStatistics::of_incremental(&options.source, &report);
        let location = options.report_location.as_deref();
        run_statistics::append(&statistics, location, &options.source.catalog).await?;
    }
    Ok(report)
}

/// What [`run_incremental`] would do; nothing is written.
pub async fn plan_incremental(
    options: &IncrementalOptions,
    interrupt: impl Future<Output = ()>,
) -> Result<Option<DryRun>, PipelineError> {
    let session = pipeline_session(options.workers, options.memory)?;
    Ok(PIPELINE.dry_run(&session, &options.source.arguments(), interrupt).await?.pop())
}
