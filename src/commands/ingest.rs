//! `earthcatalog ingest`: runs `sql/ingest.sql`.

use std::io::Write;
use std::time::Instant;

use clap::Args;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::session::session;

use super::CommandError;
use crate::arguments::{ClusterArgs, ReportFormat, SourceArgs, ThreadArgs};
use crate::dry_run::DryRun;
use crate::pipeline::{INGEST, PipelineError};
use crate::report::Report;
use crate::signals::interrupt;

/// Flags of `ingest`.
#[derive(Debug, Clone, Default, Args)]
pub struct IngestArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Say what the command would do, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

pub async fn run(args: &IngestArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.source.check_without_last()?;
    let session = session(args.threads.workers())?;
    let failed = |e| CommandError::pipeline(e, INGEST);
    if args.dry_run {
        let would = plan(&session, args, interrupt()).await.map_err(failed)?;
        return Ok(would.map_or(Ok(()), |would| args.output.write(&would, out))?);
    }
    args.cluster.attach(&session).await?;
    Ok(args.output.write(&ingest(&session, args, interrupt()).await.map_err(failed)?, out)?)
}

/// Runs the pipeline in `session`, to the end of its commit, unless `interrupt` resolves before.
pub async fn ingest(
    session: &SessionContext,
    args: &IngestArgs,
    interrupt: impl Future<Output = ()>,
) -> Result<Report, PipelineError> {
    let started = Instant::now();
    let run = INGEST.run(session, &args.source.arguments(), interrupt).await?;
    Ok(Report { run, seconds: started.elapsed().as_secs_f64() })
}

/// What [`ingest`] would do; nothing is written.
async fn plan(
    session: &SessionContext,
    args: &IngestArgs,
    interrupt: impl Future<Output = ()>,
) -> Result<Option<DryRun>, PipelineError> {
    Ok(INGEST.dry_run(session, &args.source.arguments(), interrupt).await?.pop())
}
