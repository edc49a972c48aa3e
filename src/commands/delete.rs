//! `earthcatalog delete`: runs `sql/delete.sql`.

use std::io::Write;
use std::time::Instant;

use clap::Args;
use datafusion::prelude::SessionContext;

use super::CommandError;
use crate::arguments::{ClusterArgs, ReportFormat, ResourceArgs, WarehouseArgs};
use crate::pipeline::{DELETE, PipelineError};
use crate::report::DeleteSummary;
use crate::script::Arguments;
use crate::signals::interrupt;

/// Flags of `delete`. Those that are parameters of `sql/delete.sql` get help from there.
#[derive(Debug, Clone, Default, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(id = "where", long = "where", value_name = "SQL")]
    pub condition: String,
    /// Say how many Items would be deleted, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// Format of the summary
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

impl DeleteArgs {
    fn arguments(&self) -> Arguments {
        Arguments::new()
            .with("catalog", &self.at.catalog)
            .with_option("warehouse", self.at.warehouse.as_ref())
            .with("where", &self.condition)
    }
}

pub async fn run(args: &DeleteArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let session = args.resources.pipeline_session()?;
    args.cluster.attach_unless(args.dry_run, &session).await?;
    let failed = |e| CommandError::pipeline(e, DELETE);
    if args.dry_run {
        let would = DELETE.dry_run(&session, &args.arguments(), interrupt()).await.map_err(failed)?.pop();
        return Ok(would.map_or(Ok(()), |would| args.output.write(&would, out))?);
    }
    let summary = delete(&session, args, interrupt()).await.map_err(failed)?;
    Ok(args.output.write(&summary, out)?)
}

/// Deletes Items in all versions and cells, as one snapshot. Stopped by `interrupt` before its commit, it changes nothing.
pub async fn delete(
    session: &SessionContext,
    args: &DeleteArgs,
    interrupt: impl Future<Output = ()>,
) -> Result<DeleteSummary, PipelineError> {
    let started = Instant::now();
    let report = DELETE.run(session, &args.arguments(), interrupt).await?;
    let replaced = report.replaced.unwrap_or_default();
    DeleteSummary::new(&replaced, started.elapsed().as_secs_f64()).ok_or(PipelineError::Result(DELETE.name))
}
