//! `earthcatalog changes`: runs `sql/changes.sql`, which lists what has become of Items.

use std::io::Write;
use std::pin::pin;

use clap::Args;

use super::CommandError;
use crate::arguments::{ResourceArgs, WarehouseArgs};
use crate::output::Format;
use crate::pipeline::{CHANGES, run_statement};
use crate::script::Arguments;
use crate::signals::interrupt;

/// Flags of `changes`. Those that are parameters of `sql/changes.sql` get help and default from there.
#[derive(Debug, Clone, Args)]
pub struct ChangesArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(long, value_name = "SNAPSHOT|TIME|TAG|last")]
    pub since: Option<String>,
    #[arg(long, value_name = "SNAPSHOT|TIME|TAG")]
    pub to: Option<String>,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// Format of the rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

pub async fn run(args: &ChangesArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let session = args.resources.pipeline_session()?;
    let arguments = Arguments::new()
        .with("catalog", &args.at.catalog)
        .with_option("warehouse", args.at.warehouse.as_ref())
        .with_option("since", args.since.as_ref())
        .with_option("to", args.to.as_ref());
    let mut interrupt = pin!(interrupt());
    for statement in CHANGES.script()?.bind(&arguments)? {
        let ran = run_statement(&statement, &session, interrupt.as_mut(), Some((args.output, &mut *out))).await;
        ran.map_err(|e| CommandError::pipeline(e, CHANGES))?;
    }
    Ok(())
}
