//! `earthcatalog run`: runs a SQL script, or a pipeline by name.

use std::io::Write;
use std::pin::pin;
use std::time::Instant;

use clap::Args;
use earthcatalog_plans::maintenance::ExpireSummary;
use earthcatalog_plans::session;

use super::CommandError;
use crate::arguments::{ClusterArgs, ReportFormat, ScriptArgs};
use crate::output::Format;
use crate::pipeline::{PipelineError, check_input, dry_run_statement, run_statement};
use crate::report::{ChangedItems, CompactSummary, Report};
use crate::signals::interrupt;

/// Flags of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub script: ScriptArgs,
    /// Run the queries, say what the other statements would do, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Format of the rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

pub async fn run(args: &RunArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let (statements, session) = args.script.bind()?;
    args.cluster.attach(&session).await?;
    // The script's own parameters are set with --set, which its errors name.
    let failed = |e: PipelineError| CommandError::Run(Box::new(e));
    let format = match args.output {
        Format::Table | Format::Expanded | Format::Csv => ReportFormat::Text,
        _ => ReportFormat::Json,
    };
    let mut interrupt = pin!(interrupt());
    if args.dry_run {
        session::dry_run(&session);
        for statement in statements {
            let would =
                dry_run_statement(&statement, &session, interrupt.as_mut(), Some((args.output, &mut *out))).await;
            would.map_err(failed)?.map_or(Ok(()), |would| format.write(&would, out))?;
        }
        return Ok(());
    }
    let (script, arguments) = args.script.script()?;
    check_input(&script, &arguments, interrupt.as_mut()).await.map_err(failed)?;
    for statement in statements {
        let started = Instant::now();
        let committed = run_statement(&statement, &session, interrupt.as_mut(), Some((args.output, &mut *out))).await;
        let Some(run) = committed.map_err(failed)? else { continue };
        let seconds = started.elapsed().as_secs_f64();
        match run.replaced.clone() {
            Some(replaced) => match ChangedItems::new(&replaced, seconds) {
                Some(changed) => format.write(&changed, out)?,
                None => format.write(&CompactSummary::new(replaced, &ExpireSummary::default(), seconds), out)?,
            },
            None => format.write(&Report { run, seconds }, out)?,
        }
    }
    Ok(())
}
