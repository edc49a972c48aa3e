//! The driver of `sql/ingest.sql`: fills in its parameters, runs it, and reports.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::warehouse::CommitExec;
use futures::TryStreamExt;
use thiserror::Error;

use crate::progress::Progress;
use crate::report::Report;
use crate::script::{Arguments, Planned, Script, ScriptError};

/// The pipeline.
pub const SCRIPT: &str = include_str!("../sql/ingest.sql");

/// What errors call the pipeline.
const NAME: &str = "ingest.sql";

/// Why an ingest did not end with a report.
#[derive(Debug, Error)]
pub enum IngestError {
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error("interrupted; nothing was committed, and no snapshot refers to the files written so far")]
    Interrupted,
}

/// The pipeline, parsed.
pub fn script() -> Result<Script, ScriptError> {
    Script::parse(NAME, SCRIPT)
}

/// Runs the pipeline in `session` with `arguments`, to the end of its commit.
///
/// When `interrupt` resolves, the run stops where it is, and nothing of it becomes visible; once the commit has begun,
/// it is too late for that, and the run ends with its report.
pub async fn ingest(
    session: &SessionContext,
    arguments: &Arguments,
    interrupt: impl Future<Output = ()>,
) -> Result<Report, IngestError> {
    let started = Instant::now();
    let mut interrupt = pin!(interrupt);
    let mut report = Report::default();
    for statement in script()?.bind(arguments)? {
        let planned = tokio::select! {
            planned = statement.plan(session) => planned?,
            () = &mut interrupt => return Err(IngestError::Interrupted),
        };
        let progress = Progress::follow(&planned.plan);
        let mut run = pin!(drain(&planned));
        tokio::select! {
            done = &mut run => done?,
            () = &mut interrupt => match commits(&planned.plan) {
                true => run.await?,
                false => return Err(IngestError::Interrupted),
            },
        }
        drop(progress);
        if let Some(run) = CommitExec::find(&planned.plan).and_then(CommitExec::report) {
            report.run = run.clone();
        }
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

async fn drain(planned: &Planned) -> Result<(), ScriptError> {
    let rows = planned.execute()?;
    rows.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(|e| planned.failed(e))
}

/// Whether all partitions of a run are written, so that its commit may be under way.
///
/// The commit runs in the same task as the caller: while this says no, it has not begun.
fn commits(plan: &Arc<dyn ExecutionPlan>) -> bool {
    CommitExec::find(plan).map(CommitExec::progress).is_some_and(|progress| {
        progress.partitions_done.load(Ordering::Relaxed) == progress.partitions.load(Ordering::Relaxed)
    })
}
