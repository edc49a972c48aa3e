//! Runs a pipeline: one of the SQL scripts that the binary carries.

mod scripts;

pub use scripts::{
    BACKFILL, CHANGES, COMPACT, DELETE, DELTA, EXPIRE, INCREMENTAL, INFO, INGEST, PIPELINES, Pipeline, RECONCILE,
    ROLLBACK, UPDATE,
};

use std::future::ready;
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::common::collect;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::checkpoint::RunReport;
use earthcatalog_plans::maintenance::MaintenanceError;
use earthcatalog_plans::query::ItemsTable;
use earthcatalog_plans::run::CommitExec;
use earthcatalog_plans::scan::WarehouseTable;
use earthcatalog_plans::session::{self, session_within};
use earthcatalog_plans::table::{Warehouse, WarehouseError};
use futures::TryStreamExt;
use thiserror::Error;

use crate::dry_run::DryRun;
use crate::output::{self, Format, OutputError};
use crate::progress::Progress;
use crate::reason::reason;
use crate::run_statistics::StatisticsError;
use crate::script::{Arguments, Effect, Planned, Script, ScriptError, Statement};
use crate::verbosity;

/// How often an interrupted run is asked whether its commit is through.
const COMMIT_POLL: Duration = Duration::from_millis(10);

/// Memory of the sorts of a worker or a task, in bytes, where nothing else is asked for; a sort that needs more goes to
/// disk.
pub const SORT_MEMORY: usize = 256 << 20;

/// A session for pipelines: sorts that together take more than `memory` bytes (256 MB per worker by default) go on on
/// disk.
pub fn pipeline_session(workers: usize, memory: Option<usize>) -> Result<SessionContext, DataFusionError> {
    session_within(workers, Some(memory.unwrap_or(SORT_MEMORY * workers)))
}

/// Why a pipeline did not end with a report.
#[derive(Debug, Error)]
pub enum PipelineError {
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error("cannot write to standard output: {0}")]
    Write(io::Error),
    #[error(transparent)]
    Output(OutputError),
    #[error("{}", reason(.0))]
    Session(#[from] DataFusionError),
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    #[error(transparent)]
    Maintenance(#[from] MaintenanceError),
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// A script of ours yielded something else than its driver expects.
    #[error("the results of {0} are not those that the report needs")]
    Result(&'static str),
    /// With the number of snapshots that were committed before.
    #[error("{}", interrupted(*.0))]
    Interrupted(u64),
}

impl PipelineError {
    /// What is wrong, without the text of the script.
    pub fn without_place(&self) -> String {
        match self {
            Self::Script(error) => error.without_place(),
            other => other.to_string(),
        }
    }

    /// Why standard output could not be written to, if that was it.
    pub fn write(&self) -> Option<&io::Error> {
        match self {
            Self::Write(error) => Some(error),
            _ => None,
        }
    }
}

impl Pipeline {
    /// Runs the statements in `session` with `arguments`, to the end of the commit; the report of the last commit.
    ///
    /// When `interrupt` resolves, the run stops where it is, and nothing of it becomes visible that is not yet; a commit
    /// that has begun is brought to its end.
    pub async fn run(
        &self,
        session: &SessionContext,
        arguments: &Arguments,
        interrupt: impl Future<Output = ()>,
    ) -> Result<RunReport, PipelineError> {
        let mut reports = self.run_each(session, arguments, interrupt).await?;
        Ok(reports.pop().map(|(report, _)| report).unwrap_or_default())
    }

    /// As [`Self::run`]; the report of each statement that has one, and how long it took.
    pub async fn run_each(
        &self,
        session: &SessionContext,
        arguments: &Arguments,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Vec<(RunReport, Duration)>, PipelineError> {
        let mut interrupt = pin!(interrupt);
        let (mut reports, mut announced) = (vec![], false);
        let script = self.script()?;
        check_input(&script, arguments, interrupt.as_mut()).await?;
        for statement in script.bind(arguments)? {
            let started = Instant::now();
            announced = announced || announce_new_table(session).await;
            if let Some(report) = run_statement(&statement, session, interrupt.as_mut(), None).await? {
                reports.push((report, started.elapsed()));
            }
        }
        Ok(reports)
    }

    /// Runs the statements; the rows of each that yields some, in their order.
    pub async fn rows(
        &self,
        session: &SessionContext,
        arguments: &Arguments,
    ) -> Result<Vec<RecordBatch>, PipelineError> {
        let mut results = vec![];
        for statement in self.script()?.bind(arguments)? {
            let planned = statement.plan(session).await?;
            let (rows, schema) = (planned.execute()?, planned.plan.schema());
            let batches = collect(rows).await.map_err(|e| planned.failed(e))?;
            if !schema.fields().is_empty() {
                results.push(concat_batches(&schema, &batches).map_err(|e| planned.failed(e.into()))?);
            }
        }
        Ok(results)
    }

    /// Plans the statements in `session`, which writes nothing from now on; what those that write would do.
    pub async fn dry_run(
        &self,
        session: &SessionContext,
        arguments: &Arguments,
        interrupt: impl Future<Output = ()>,
    ) -> Result<Vec<DryRun>, PipelineError> {
        session::dry_run(session);
        let mut interrupt = pin!(interrupt);
        let mut would = vec![];
        for statement in self.script()?.bind(arguments)? {
            would.extend(dry_run_statement(&statement, session, interrupt.as_mut(), None).await?);
        }
        Ok(would)
    }

    /// The plan of the last statement, which is not run; the definitions and settings before it take effect.
    pub async fn plan(
        &self,
        session: &SessionContext,
        arguments: &Arguments,
    ) -> Result<Option<Planned>, PipelineError> {
        let mut last = None;
        for statement in self.script()?.bind(arguments)? {
            last = Some(statement.plan(session).await?);
        }
        Ok(last)
    }
}

/// Errors where a script is about to create a table, and what it is to read is not understood: nothing is made before.
///
/// The script is planned once more, in a session of its own that writes nothing, and reads its input as far as the first
/// Item. Scripts without parameters `inventory` and `limit` are let be, and those whose table exists.
pub async fn check_input(
    script: &Script,
    arguments: &Arguments,
    mut interrupt: Pin<&mut impl Future<Output = ()>>,
) -> Result<(), PipelineError> {
    let reads = ["inventory", "limit"].iter().all(|name| script.parameter(name).is_some());
    let Some(catalog) = arguments.get("catalog").filter(|_| reads) else { return Ok(()) };
    let opened = tokio::select! {
        opened = Warehouse::open(catalog) => opened,
        () = &mut interrupt => return Err(PipelineError::Interrupted(0)),
    };
    if !matches!(opened, Err(WarehouseError::NoCatalog { .. } | WarehouseError::NoTable { .. })) {
        return Ok(());
    }
    let session = session_within(1, None)?;
    session::dry_run(&session);
    for statement in script.bind(&arguments.clone().with("limit", 1))? {
        dry_run_statement(&statement, &session, interrupt.as_mut(), None).await?;
    }
    Ok(())
}

/// Says on standard error that table `items` of the session did not exist before: a typo in the catalog's name looks like
/// a new table. Whether there was one to speak of.
async fn announce_new_table(session: &SessionContext) -> bool {
    let Ok(provider) = session.table_provider("items").await else { return false };
    let of_cells = provider.downcast_ref::<WarehouseTable>().map(WarehouseTable::warehouse);
    let of_items = provider.downcast_ref::<ItemsTable>().map(ItemsTable::warehouse);
    let Some(warehouse) = of_cells.or(of_items) else { return false };
    if warehouse.is_new() {
        let (catalog, folder) = (warehouse.catalog(), warehouse.url());
        verbosity::note(format_args!("created a new table in catalog {catalog}, with its files in {folder}"));
    }
    true
}

/// Runs one statement; the report of its commit, if it commits. Its rows go to `out`, or nowhere.
///
/// When `interrupt` resolves, it stops as [`Pipeline::run`] does.
pub async fn run_statement(
    statement: &Statement,
    session: &SessionContext,
    mut interrupt: Pin<&mut impl Future<Output = ()>>,
    out: Option<(Format, &mut dyn Write)>,
) -> Result<Option<RunReport>, PipelineError> {
    let started = Instant::now();
    let planned = tokio::select! {
        planned = statement.plan(session) => planned?,
        () = &mut interrupt => return Err(PipelineError::Interrupted(0)),
    };
    let progress = Progress::follow(&planned.plan);
    let mut run = pin!(drain(&planned, out));
    tokio::select! {
        done = &mut run => done?,
        () = &mut interrupt => loop {
            // The commit runs in this task: while it is not under way here, it is not under way at all.
            if !commits(&planned.plan) {
                return Err(PipelineError::Interrupted(snapshots(&planned.plan)));
            }
            tokio::select! {
                done = &mut run => break done?,
                () = tokio::time::sleep(COMMIT_POLL) => {}
            }
        },
    }
    drop(progress);
    log::info!("{}: {:.3} s", statement.title(), started.elapsed().as_secs_f64());
    Ok(CommitExec::find(&planned.plan).and_then(CommitExec::report).cloned())
}

/// Plans one statement of a session that writes nothing. What it would do, if it writes; otherwise it runs.
pub async fn dry_run_statement(
    statement: &Statement,
    session: &SessionContext,
    interrupt: Pin<&mut impl Future<Output = ()>>,
    out: Option<(Format, &mut dyn Write)>,
) -> Result<Option<DryRun>, PipelineError> {
    let run = async {
        let planned = statement.plan(session).await?;
        if matches!(planned.effect, Effect::Files | Effect::Warehouse) {
            let would = DryRun::from_planned(&planned).await.map_err(|e| planned.failed(e))?;
            return Ok(Some(would));
        }
        drain(&planned, out).await?;
        Ok(None)
    };
    tokio::select! {
        done = run => done,
        () = interrupt => Err(PipelineError::Interrupted(0)),
    }
}

async fn drain(planned: &Planned, out: Option<(Format, &mut dyn Write)>) -> Result<(), PipelineError> {
    let rows = planned.execute()?;
    // What a commit has to say is in its report; definitions and settings yield nothing.
    let yields = CommitExec::find(&planned.plan).is_none() && !rows.schema().fields().is_empty();
    match out.filter(|_| yields) {
        Some((format, out)) => output::write(rows, format, out).await.map(drop).map_err(|e| match e {
            OutputError::Query(e) => planned.failed(e).into(),
            OutputError::Write(e) => PipelineError::Write(e),
            other => PipelineError::Output(other),
        }),
        None => Ok(rows.try_for_each(|_| ready(Ok(()))).await.map_err(|e| planned.failed(e))?),
    }
}

fn snapshots(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    CommitExec::find(plan).map_or(0, |commit| commit.progress().snapshots.load(Ordering::Relaxed))
}

fn interrupted(snapshots: u64) -> String {
    match snapshots {
        0 => "interrupted; nothing was committed, and no snapshot refers to the files written so far".to_owned(),
        n => format!(
            "interrupted; {n} snapshots were committed and stay, and no snapshot refers to the files written since"
        ),
    }
}

fn commits(plan: &Arc<dyn ExecutionPlan>) -> bool {
    CommitExec::find(plan).is_some_and(|commit| commit.progress().committing.load(Ordering::Relaxed))
}
