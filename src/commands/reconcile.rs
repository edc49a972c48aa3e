//! `earthcatalog reconcile`: runs `sql/reconcile.sql`.

use std::io::Write;
use std::time::Instant;

use clap::Args;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::runtime::MaxRejects;

use super::CommandError;
use crate::arguments::{
    ClusterArgs, ReportFormat, ResourceArgs, WarehouseArgs, check_inventory, check_location, values,
};
use crate::pipeline::{PipelineError, RECONCILE};
use crate::report::DeleteSummary;
use crate::script::Arguments;
use crate::signals::interrupt;

/// Flags of `reconcile`. Those that are parameters of `sql/reconcile.sql` get help and default from there.
#[derive(Debug, Clone, Default, Args)]
pub struct ReconcileArgs {
    #[arg(long, value_name = "FILE|DIR|URL")]
    pub inventory: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(long, value_name = "URL")]
    pub prefix: Option<String>,
    #[arg(long, value_name = ".END,…")]
    pub suffix: Option<String>,
    #[arg(long, value_name = "DIR|URL")]
    pub base: Option<String>,
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    #[arg(long, value_name = "N|P%", value_parser = values::max_rejects)]
    pub max_removed: Option<MaxRejects>,
    /// Say how many Items would be removed, and change nothing
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

impl ReconcileArgs {
    fn arguments(&self) -> Arguments {
        Arguments::new()
            .with("inventory", &self.inventory)
            .with("catalog", &self.at.catalog)
            .with_option("warehouse", self.at.warehouse.as_ref())
            .with_option("prefix", self.prefix.as_ref())
            .with_option("suffix", self.suffix.as_ref())
            .with_option("base", self.base.as_ref())
            .with_option("format", self.format.as_ref())
            .with_option("max_removed", self.max_removed)
    }
}

pub async fn run(args: &ReconcileArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    check_inventory(&args.inventory)?;
    args.at.check()?;
    if let Some(base) = &args.base {
        check_location("base", base)?;
    }
    let session = args.resources.pipeline_session()?;
    args.cluster.attach_unless(args.dry_run, &session).await?;
    let failed = |e| CommandError::pipeline(e, RECONCILE);
    if args.dry_run {
        let would = RECONCILE.dry_run(&session, &args.arguments(), interrupt()).await.map_err(failed)?.pop();
        return Ok(would.map_or(Ok(()), |would| args.output.write(&would, out))?);
    }
    let summary = reconcile(&session, args, interrupt()).await.map_err(failed)?;
    Ok(args.output.write(&summary, out)?)
}

/// Removes the Items whose objects the inventory no longer lists, as one snapshot. Stopped by `interrupt` before its commit,
/// it changes nothing.
pub async fn reconcile(
    session: &SessionContext,
    args: &ReconcileArgs,
    interrupt: impl Future<Output = ()>,
) -> Result<DeleteSummary, PipelineError> {
    let started = Instant::now();
    let report = RECONCILE.run(session, &args.arguments(), interrupt).await?;
    let replaced = report.replaced.unwrap_or_default();
    DeleteSummary::new(&replaced, started.elapsed().as_secs_f64()).ok_or(PipelineError::Result(RECONCILE.name))
}
