//! [`InventoryTableFactory`]: `CREATE EXTERNAL TABLE … STORED AS INVENTORY`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::CreateExternalTable;

use crate::runtime::one_location;
use crate::scan::named_warehouse;
use crate::source::{InventoryTable, StacOptions};
use crate::stores::location_url;

/// Makes an [`InventoryTable`] of `CREATE EXTERNAL TABLE t STORED AS INVENTORY LOCATION '…' OPTIONS (…)`.
///
/// The options are those of a STAC table that select objects: `since`, `suffix`, `limit`, `format`, `base`. Option
/// `since` may also be `last`, which is the time of the newest object that table `of` (`STORED AS ICEBERG`) has seen.
#[derive(Debug, Default)]
pub struct InventoryTableFactory;

#[async_trait]
impl TableProviderFactory for InventoryTableFactory {
    async fn create(&self, state: &dyn Session, statement: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        if !statement.schema.fields().is_empty() {
            return plan_err!("{}: STORED AS INVENTORY takes no columns, it has its own", statement.name);
        }
        let mut options = statement.options.clone();
        let named = |key: &String, name: &str| key.strip_prefix("format.").unwrap_or(key) == name;
        let of = options.extract_if(|key, _| named(key, "of")).next().map(|(_, of)| of);
        let is_last =
            |key: &String, value: &mut String| named(key, "since") && value.trim().eq_ignore_ascii_case("last");
        let is_last = options.extract_if(is_last).next().is_some();
        let since_last_of = match (is_last, of) {
            (false, _) => None,
            (true, Some(of)) => Some(named_warehouse(state, "of", &of).await?),
            (true, None) => {
                return plan_err!(
                    "option 'since' is last, and there is no option 'of' with the table whose last is meant"
                );
            }
        };
        let options = StacOptions::try_new(&options)?;
        Ok(Arc::new(InventoryTable::new(location_url(one_location(statement)?)?, options, since_last_of)))
    }
}
