//! `earthcatalog delta`: runs `sql/delta.sql`, which lists what `incremental` would ingest.

use std::io::Write;
use std::pin::pin;

use clap::Args;

use super::CommandError;
use crate::arguments::{Since, ThreadArgs, WarehouseArgs, check_inventory};
use crate::output::Format;
use crate::pipeline::{DELTA, pipeline_session, run_statement};
use crate::script::Arguments;
use crate::signals::interrupt;

/// Flags of `delta`.
#[derive(Debug, Clone, Args)]
pub struct DeltaArgs {
    #[arg(value_name = "FILE|DIR|URL")]
    pub inventory: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    #[arg(long, value_name = "TIME|last")]
    pub since: Option<Since>,
    #[arg(long)]
    pub retry_rejects: bool,
    #[arg(long, value_name = ".END,…")]
    pub suffix: Option<String>,
    #[arg(long, value_name = "DIR|URL")]
    pub base: Option<String>,
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Format of the rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

pub async fn run(args: &DeltaArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    check_inventory(&args.inventory)?;
    args.at.check()?;
    let session = pipeline_session(args.threads.workers(), None)?;
    let failed = |e| CommandError::pipeline(e, DELTA);
    let mut interrupt = pin!(interrupt());
    for statement in DELTA.script()?.bind(&args.arguments())? {
        let ran = run_statement(&statement, &session, interrupt.as_mut(), Some((args.output, &mut *out))).await;
        ran.map_err(failed)?;
    }
    Ok(())
}

impl DeltaArgs {
    fn arguments(&self) -> Arguments {
        Arguments::new()
            .with("inventory", &self.inventory)
            .with("catalog", &self.at.catalog)
            .with_option("warehouse", self.at.warehouse.as_ref())
            .with_option("limit", self.limit)
            .with_option("since", self.since)
            .with("retry_rejects", self.retry_rejects)
            .with_option("suffix", self.suffix.as_ref())
            .with_option("base", self.base.as_ref())
            .with_option("format", self.format.as_ref())
    }
}
