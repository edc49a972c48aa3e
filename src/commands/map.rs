//! `earthcatalog map`: where and when the rows of a warehouse are, as one HTML file.

use std::io::Write;

use clap::Args;
use earthcatalog_plans::overview::overview;
use earthcatalog_plans::query::ItemsTable;
use earthcatalog_plans::session::session;

use super::{CommandError, open};
use crate::arguments::WarehouseArgs;
use crate::output::{Destination, Output, OutputError};
use crate::site::{document, one_file};

/// Flags of `map`.
#[derive(Debug, Clone, Args)]
pub struct MapArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// File or object to write, which appears when it is complete; - is standard output
    #[arg(long, value_name = "FILE|URL|-")]
    pub out: String,
    /// Title of the page
    #[arg(long, value_name = "TEXT", default_value = "earthcatalog")]
    pub title: String,
}

pub async fn run(args: &MapArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let destination = Destination::parse(Some(&args.out)).map_err(OutputError::from)?;
    let warehouse = open(&args.at).await?;
    let overview = overview(&session(1)?, &ItemsTable::new(warehouse)).await?;
    let document = document(&args.title, &overview).map_err(std::io::Error::from)?;
    let mut sink = destination.open(out).map_err(OutputError::from)?;
    sink.buffer().extend_from_slice(one_file(&document)?.as_bytes());
    sink.finish().await?;
    Ok(())
}
