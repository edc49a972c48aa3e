//! `earthcatalog incremental`: runs `sql/incremental.sql`.

use std::io::Write;
use std::time::Instant;

use clap::Args;
use datafusion::prelude::SessionContext;

use super::CommandError;
use crate::arguments::{ClusterArgs, ReportFormat, ResourceArgs, SourceArgs, check_location};
use crate::dry_run::DryRun;
use crate::pipeline::{INCREMENTAL, PipelineError};
use crate::report::{Report, millis};
use crate::run_statistics::{self, RunStatistics};
use crate::script::Arguments;
use crate::signals::interrupt;

/// Flags of `incremental`.
#[derive(Debug, Clone, Default, Args)]
pub struct IncrementalArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    #[arg(long)]
    pub retry_rejects: bool,
    /// Say what the command would do, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Folder or URL of ingest_stats.json, to which each run adds a line [default: the catalog's folder; with a REST catalog, the warehouse]
    #[arg(long, value_name = "DIR|URL")]
    pub report_location: Option<String>,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

impl IncrementalArgs {
    fn arguments(&self) -> Arguments {
        self.source.arguments().with("retry_rejects", self.retry_rejects)
    }
}

pub async fn run(args: &IncrementalArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.source.check()?;
    if let Some(location) = &args.report_location {
        check_location("report-location", location)?;
    }
    let session = args.resources.pipeline_session()?;
    args.cluster.attach_unless(args.dry_run, &session).await?;
    let failed = |e| CommandError::pipeline(e, INCREMENTAL);
    if args.dry_run {
        let would = plan(&session, args, interrupt()).await.map_err(failed)?;
        return Ok(would.map_or(Ok(()), |would| args.output.write(&would, out))?);
    }
    Ok(args.output.write(&incremental(&session, args, interrupt()).await.map_err(failed)?, out)?)
}

/// Ingests the objects of an inventory that the table has not ingested yet. Stopped by `interrupt`, it commits nothing.
pub async fn incremental(
    session: &SessionContext,
    args: &IncrementalArgs,
    interrupt: impl Future<Output = ()>,
) -> Result<Report, PipelineError> {
    let started = Instant::now();
    let source = &args.source;
    let run = INCREMENTAL.run(session, &args.arguments(), interrupt).await?;
    let report = Report { run, seconds: started.elapsed().as_secs_f64() };
    if report.run.snapshot.is_some() {
        let statistics =
            RunStatistics::new("incremental", &source.inventory, &report, [("ingest", millis(report.seconds))]);
        run_statistics::append(&statistics, args.report_location.as_deref(), &source.at.catalog).await?;
    }
    Ok(report)
}

/// What [`incremental`] would do; nothing is written.
async fn plan(
    session: &SessionContext,
    args: &IncrementalArgs,
    interrupt: impl Future<Output = ()>,
) -> Result<Option<DryRun>, PipelineError> {
    Ok(INCREMENTAL.dry_run(session, &args.arguments(), interrupt).await?.pop())
}
