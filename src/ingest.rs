//! The driver of `sql/ingest.sql`: fills in its parameters, runs it, and reports.

use std::time::Instant;

use datafusion::prelude::SessionContext;

use crate::pipeline::{Pipeline, PipelineError};
use crate::report::Report;
use crate::script::Arguments;

/// The pipeline.
pub const PIPELINE: Pipeline = Pipeline { name: "ingest.sql", text: include_str!("../sql/ingest.sql") };

/// Runs the pipeline in `session` with `arguments`, to the end of its commit, unless `interrupt` resolves before.
pub async fn ingest(
    session: &SessionContext,
    arguments: &Arguments,
    interrupt: impl Future<Output = ()>,
) -> Result<Report, PipelineError> {
    let started = Instant::now();
    let run = PIPELINE.run(session, arguments, interrupt).await?;
    Ok(Report { run, seconds: started.elapsed().as_secs_f64() })
}
