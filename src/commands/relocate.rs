//! `earthcatalog relocate`: makes a warehouse that was copied or moved whole where it lies.

use std::fmt;
use std::io::Write;

use clap::Args;
use earthcatalog_plans::table::{Warehouse, WarehouseError};
use serde::Serialize;

use super::CommandError;
use crate::arguments::{ReportFormat, TableInFolderArgs};
use crate::pipeline::PipelineError;
use crate::report::count;

/// Flags of `relocate`.
#[derive(Debug, Clone, Args)]
pub struct RelocateArgs {
    #[command(flatten)]
    pub at: TableInFolderArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

pub async fn run(args: &RelocateArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let failed = |e: WarehouseError| CommandError::Run(Box::new(PipelineError::from(e)));
    let relocated = relocate(&args.at.catalog, &args.at.warehouse).await.map_err(failed)?;
    Ok(args.output.write(&relocated, out)?)
}

/// A table that is where its files are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Relocated {
    pub catalog: String,
    pub warehouse: String,
    /// Where its metadata said that it is; `None` if it was right.
    pub from: Option<String>,
    pub table_uuid: String,
    /// Location of the metadata file that the catalog points at.
    pub metadata: String,
    pub snapshots: u64,
    /// Manifests that were written again.
    pub manifests: u64,
    /// Data files, which stayed as they are.
    pub files: u64,
}

async fn relocate(catalog: &str, warehouse: &str) -> Result<Relocated, WarehouseError> {
    let relocated = Warehouse::relocate(catalog, warehouse).await?;
    let table = relocated.warehouse;
    let state = table.load().await?;
    Ok(Relocated {
        catalog: table.catalog().to_string(),
        warehouse: table.url().to_string(),
        from: relocated.from,
        table_uuid: state.metadata.uuid().to_string(),
        metadata: state.metadata_location.clone(),
        snapshots: state.metadata.snapshots().len() as u64,
        manifests: relocated.manifests,
        files: relocated.files,
    })
}

impl fmt::Display for Relocated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "{name:<12}{value}");
        line("table", format!("{} in {}", self.table_uuid, self.catalog))?;
        match &self.from {
            Some(from) => {
                line("from", from.clone())?;
                line("to", self.warehouse.clone())?;
                line("manifests", format!("{} written again", count(self.manifests)))?;
                line("files", format!("{} are there, and stay as they are", count(self.files)))?;
            }
            None => line("warehouse", format!("{}, where the table says that it is", self.warehouse))?,
        }
        line("metadata", self.metadata.clone())?;
        write!(f, "{:<12}{}", "snapshots", count(self.snapshots))
    }
}
