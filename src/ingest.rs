//! The driver of `sql/ingest.sql`: fills in its parameters, runs it, and reports.

use std::time::Instant;

use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use crate::progress::Progress;
use crate::report::RunReport;
use crate::script::{Arguments, Script, ScriptError};

/// The pipeline.
pub const SCRIPT: &str = include_str!("../sql/ingest.sql");

/// What errors call the pipeline.
const NAME: &str = "ingest.sql";

/// The pipeline, parsed.
pub fn script() -> Result<Script, ScriptError> {
    Script::parse(NAME, SCRIPT)
}

/// Runs the pipeline in `session` with `arguments`, to the end of its commit.
///
/// Dropping the future stops the run: nothing of it becomes visible before the commit.
pub async fn ingest(session: &SessionContext, arguments: &Arguments) -> Result<RunReport, ScriptError> {
    let started = Instant::now();
    let mut report = RunReport::default();
    for statement in script()?.bind(arguments)? {
        let planned = statement.plan(session).await?;
        let progress = Progress::follow(&planned.plan);
        planned.execute()?.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(|e| planned.failed(e))?;
        drop(progress);
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}
