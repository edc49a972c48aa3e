//! What the commands that delete or update Items share: how they run, and how they report.

use std::io::Write;
use std::time::Instant;

use clap::Args;

use super::CommandError;
use crate::arguments::{ClusterArgs, ReportFormat, ResourceArgs};
use crate::pipeline::{Pipeline, PipelineError};
use crate::report::ChangedItems;
use crate::script::Arguments;
use crate::signals::interrupt;

/// Flags of a command that deletes or updates Items, beside those that say which.
#[derive(Debug, Clone, Default, Args)]
pub struct ChangeItemsArgs {
    /// Say how many Items it would change, and change nothing
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

impl ChangeItemsArgs {
    /// Runs a pipeline that deletes or updates Items, as one snapshot. Interrupted before its commit, it changes nothing.
    pub(super) async fn run(
        &self,
        pipeline: Pipeline,
        arguments: &Arguments,
        out: &mut dyn Write,
    ) -> Result<(), CommandError> {
        let session = self.resources.pipeline_session()?;
        self.cluster.attach_unless(self.dry_run, &session).await?;
        let failed = |e| CommandError::pipeline(e, pipeline);
        if self.dry_run {
            let would = pipeline.dry_run(&session, arguments, interrupt()).await.map_err(failed)?.pop();
            return Ok(would.map_or(Ok(()), |would| self.output.write(&would, out))?);
        }
        let started = Instant::now();
        let report = pipeline.run(&session, arguments, interrupt()).await.map_err(failed)?;
        let replaced = report.replaced.unwrap_or_default();
        let summary = ChangedItems::new(&replaced, started.elapsed().as_secs_f64());
        let summary = summary.ok_or_else(|| failed(PipelineError::Result(pipeline.name)))?;
        Ok(self.output.write(&summary, out)?)
    }
}
