//! `earthcatalog reconcile`: runs `sql/reconcile.sql`.

use std::io::Write;

use clap::Args;
use earthcatalog_plans::runtime::MaxRejects;

use super::CommandError;
use super::change_items::ChangeItemsArgs;
use crate::arguments::{WarehouseArgs, check_inventory, check_location, values};
use crate::pipeline::RECONCILE;
use crate::script::Arguments;

/// Flags of `reconcile`. Those that are parameters of `sql/reconcile.sql` get help and default from there.
#[derive(Debug, Clone, Default, Args)]
pub struct ReconcileArgs {
    #[arg(long, value_name = "FILE|DIR|URL")]
    pub inventory: String,
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(long, value_name = "URL")]
    pub prefix: Option<String>,
    #[arg(long, value_name = ".END,…")]
    pub suffix: Option<String>,
    #[arg(long, value_name = "DIR|URL")]
    pub base: Option<String>,
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    #[arg(long, value_name = "N|P%", value_parser = values::max_rejects)]
    pub max_removed: Option<MaxRejects>,
    #[command(flatten)]
    pub change: ChangeItemsArgs,
}

impl ReconcileArgs {
    fn arguments(&self) -> Arguments {
        Arguments::new()
            .with("inventory", &self.inventory)
            .with("catalog", &self.at.catalog)
            .with_option("warehouse", self.at.warehouse.as_ref())
            .with_option("prefix", self.prefix.as_ref())
            .with_option("suffix", self.suffix.as_ref())
            .with_option("base", self.base.as_ref())
            .with_option("format", self.format.as_ref())
            .with_option("max_removed", self.max_removed)
    }
}

pub async fn run(args: &ReconcileArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    check_inventory(&args.inventory)?;
    args.at.check()?;
    if let Some(base) = &args.base {
        check_location("base", base)?;
    }
    args.change.run(RECONCILE, &args.arguments(), out).await
}
