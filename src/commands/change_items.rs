//! What the commands that delete or update Items share: how they run, and how they report.

use std::io::Write;
use std::time::Instant;

use clap::Args;
use datafusion::prelude::SessionContext;

use super::CommandError;
use crate::arguments::{ClusterArgs, ReportFormat, ResourceArgs};
use crate::pipeline::{Pipeline, PipelineError};
use crate::report::ChangedItems;
use crate::script::Arguments;
use crate::signals::interrupt;
use crate::verbosity::note;

/// How often a change is begun in all, where other writers replace the files that it has read.
const ATTEMPTS: usize = 3;

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
    /// Runs a pipeline that deletes or updates Items, as one snapshot. Interrupted before its commit, it changes nothing. Where
    /// another writer was faster, it begins again with what there is then, and so changes those Items that are meant then.
    pub(super) async fn run(
        &self,
        pipeline: Pipeline,
        arguments: &Arguments,
        out: &mut dyn Write,
    ) -> Result<(), CommandError> {
        if self.dry_run {
            let session = self.session().await?;
            let would = pipeline.dry_run(&session, arguments, interrupt()).await;
            let would = would.map_err(|e| CommandError::pipeline(e, pipeline))?.pop();
            return Ok(would.map_or(Ok(()), |would| self.output.write(&would, out))?);
        }
        let mut attempt = 1;
        let summary = loop {
            match self.change(pipeline, arguments).await {
                Err(e) if e.is_conflict() && attempt < ATTEMPTS => {
                    note(format_args!("another writer was faster; this begins again with what there is now"));
                    attempt += 1;
                }
                changed => break changed?,
            }
        };
        Ok(self.output.write(&summary, out)?)
    }

    async fn change(&self, pipeline: Pipeline, arguments: &Arguments) -> Result<ChangedItems, CommandError> {
        let session = self.session().await?;
        let failed = |e| CommandError::pipeline(e, pipeline);
        let started = Instant::now();
        let report = pipeline.run(&session, arguments, interrupt()).await.map_err(failed)?;
        let replaced = report.replaced.unwrap_or_default();
        let summary = ChangedItems::new(&replaced, started.elapsed().as_secs_f64());
        summary.ok_or_else(|| failed(PipelineError::Result(pipeline.name)))
    }

    async fn session(&self) -> Result<SessionContext, CommandError> {
        let session = self.resources.pipeline_session()?;
        self.cluster.attach_unless(self.dry_run, &session).await?;
        Ok(session)
    }
}
