//! `earthcatalog delete`: runs `sql/delete.sql`.

use std::io::Write;

use clap::Args;

use super::CommandError;
use super::change_items::ChangeItemsArgs;
use crate::arguments::WarehouseArgs;
use crate::pipeline::DELETE;
use crate::script::Arguments;

/// Flags of `delete`. Those that are parameters of `sql/delete.sql` get help from there.
#[derive(Debug, Clone, Default, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(id = "where", long = "where", value_name = "SQL")]
    pub condition: String,
    #[command(flatten)]
    pub change: ChangeItemsArgs,
}

impl DeleteArgs {
    fn arguments(&self) -> Arguments {
        Arguments::new()
            .with("catalog", &self.at.catalog)
            .with_option("warehouse", self.at.warehouse.as_ref())
            .with("where", &self.condition)
    }
}

pub async fn run(args: &DeleteArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    args.change.run(DELETE, &args.arguments(), out).await
}
