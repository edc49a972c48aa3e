//! [`SourceArgs`]: which Items go to which warehouse, and how they are read.

use clap::Args;
use earthcatalog_plans::runtime::MaxRejects;

use super::locations::{check_inventory, check_location};
use super::{ArgumentError, Since, WarehouseArgs, values};
use crate::script::Arguments;

/// Which Items go to which warehouse, and how they are read. The flags are parameters of the pipelines that ingest: their
/// help and their defaults come from there.
#[derive(Debug, Clone, Default, Args)]
pub struct SourceArgs {
    #[arg(long, value_name = "FILE|DIR|URL")]
    pub inventory: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(long, value_name = "0..15", value_parser = clap::value_parser!(u8).range(0..=15))]
    pub h3_resolution: Option<u8>,
    #[arg(long, value_name = "NAME TYPE,…")]
    pub columns: Option<String>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub chunk_size: Option<u64>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub fetch_concurrency: Option<u64>,
    #[arg(long, value_name = ".END,…")]
    pub suffix: Option<String>,
    #[arg(long, value_name = "DIR|URL")]
    pub base: Option<String>,
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    #[arg(long)]
    pub validate: bool,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 22))]
    pub max_item_cells: Option<u64>,
    #[arg(long, value_name = "N|P%", value_parser = values::max_rejects)]
    pub max_rejects: Option<MaxRejects>,
}

impl SourceArgs {
    /// An error unless there can be such an inventory, warehouse and base.
    pub fn check(&self) -> Result<(), ArgumentError> {
        check_inventory(&self.inventory)?;
        self.at.check()?;
        if let Some(base) = &self.base {
            check_location("base", base)?;
        }
        Ok(())
    }

    /// As [`Self::check`], for commands without `--since last`: they keep no record of the newest object.
    pub fn check_without_last(&self) -> Result<(), ArgumentError> {
        if self.since == Some(Since::Last) { Err(ArgumentError::SinceLast) } else { self.check() }
    }

    /// Arguments for the parameters that `ingest.sql`, `backfill.sql` and `incremental.sql` share.
    pub fn arguments(&self) -> Arguments {
        Arguments::new()
            .with("inventory", &self.inventory)
            .with("catalog", &self.at.catalog)
            .with_option("warehouse", self.at.warehouse.as_ref())
            .with_option("h3_resolution", self.h3_resolution)
            .with_option("columns", self.columns.as_ref())
            .with_option("chunk_size", self.chunk_size)
            .with_option("fetch_concurrency", self.fetch_concurrency)
            .with_option("limit", self.limit)
            .with_option("since", self.since)
            .with_option("suffix", self.suffix.as_ref())
            .with_option("base", self.base.as_ref())
            .with_option("format", self.format.as_ref())
            .with("validate", self.validate)
            .with_option("max_item_cells", self.max_item_cells)
            .with_option("max_rejects", self.max_rejects)
    }
}
