//! `earthcatalog update`: runs `sql/update.sql`.

use std::io::Write;

use clap::Args;

use super::CommandError;
use super::change_items::ChangeItemsArgs;
use crate::arguments::WarehouseArgs;
use crate::pipeline::UPDATE;
use crate::script::Arguments;

/// Flags of `update`. Those that are parameters of `sql/update.sql` get help from there.
#[derive(Debug, Clone, Default, Args)]
pub struct UpdateArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(id = "set", long = "set", value_name = "SQL")]
    pub assignments: String,
    #[arg(id = "where", long = "where", value_name = "SQL")]
    pub condition: String,
    #[command(flatten)]
    pub change: ChangeItemsArgs,
}

impl UpdateArgs {
    fn arguments(&self) -> Arguments {
        Arguments::new()
            .with("catalog", &self.at.catalog)
            .with_option("warehouse", self.at.warehouse.as_ref())
            .with("set", &self.assignments)
            .with("where", &self.condition)
    }
}

pub async fn run(args: &UpdateArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    args.change.run(UPDATE, &args.arguments(), out).await
}
