//! `earthcatalog register`: takes the table that lies in a warehouse into a catalog that has none.

use std::fmt;
use std::io::Write;

use clap::Args;
use earthcatalog_plans::table::{Warehouse, WarehouseError};
use serde::Serialize;

use super::CommandError;
use crate::arguments::{ReportFormat, TableInFolderArgs};
use crate::pipeline::PipelineError;
use crate::report::count;

/// Flags of `register`.
#[derive(Debug, Clone, Args)]
pub struct RegisterArgs {
    #[command(flatten)]
    pub at: TableInFolderArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

pub async fn run(args: &RegisterArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let registered = register(&args.at.catalog, &args.at.warehouse).await;
    let failed = |e: WarehouseError| CommandError::Run(Box::new(PipelineError::from(e)));
    Ok(args.output.write(&registered.map_err(failed)?, out)?)
}

/// A table that was entered into a catalog.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Registered {
    pub catalog: String,
    pub warehouse: String,
    pub table_uuid: String,
    /// Location of the metadata file that the catalog points at.
    pub metadata: String,
    pub snapshot: Option<i64>,
    /// One per Item, version and cell, where the snapshot tells.
    pub rows: Option<u64>,
}

/// Enters the newest metadata of the table in `warehouse` into `catalog`.
pub async fn register(catalog: &str, warehouse: &str) -> Result<Registered, WarehouseError> {
    let table = Warehouse::register(catalog, warehouse).await?;
    let state = table.load().await?;
    let snapshot = state.metadata.current_snapshot();
    let rows = snapshot.and_then(|s| s.summary().additional_properties.get("total-records")?.parse().ok());
    Ok(Registered {
        catalog: table.catalog().to_string(),
        warehouse: table.url().to_string(),
        table_uuid: state.metadata.uuid().to_string(),
        metadata: state.metadata_location.clone(),
        snapshot: snapshot.map(|snapshot| snapshot.snapshot_id()),
        rows,
    })
}

impl fmt::Display for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12}{} in {}", "registered", self.table_uuid, self.catalog)?;
        writeln!(f, "{:<12}{}", "metadata", self.metadata)?;
        if let Some(rows) = self.rows {
            writeln!(f, "{:<12}{}", "rows", count(rows))?;
        }
        write!(f, "{:<12}{}", "snapshot", self.snapshot.map_or("none".to_owned(), |id| id.to_string()))
    }
}
