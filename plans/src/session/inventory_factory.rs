//! [`InventoryTableFactory`]: `CREATE EXTERNAL TABLE … STORED AS INVENTORY`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::CreateExternalTable;

use crate::runtime::one_location;
use crate::scan::named_warehouse;
use crate::scan::records::RejectsTable;
use crate::source::{InventoryTable, StacOptions, flag};
use crate::stores::location_url;

/// Makes an [`InventoryTable`] of `CREATE EXTERNAL TABLE t STORED AS INVENTORY LOCATION '…' OPTIONS (…)`.
///
/// The options are those of a STAC table that select objects: `since`, `suffix`, `limit`, `format`, `base`. Option
/// `since` may also be `last`, which is the time of the newest object that table `of` (`STORED AS ICEBERG`) has seen; with
/// option `retry_rejects`, it does not leave out what runs into that table have rejected.
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
        let retries = options.extract_if(|key, _| named(key, "retry_rejects")).next();
        let retries = retries.map_or(Ok(false), |(_, value)| flag("retry_rejects", &value))?;
        let of = match of {
            Some(of) if is_last || retries => Some(named_warehouse(state, "of", &of).await?),
            None if is_last || retries => {
                let (option, whose) =
                    if is_last { ("since' is 'last", "last") } else { ("retry_rejects' is 'true", "rejects") };
                return plan_err!(
                    "option '{option}', and there is no option 'of' with the table whose {whose} are meant"
                );
            }
            _ => None,
        };
        let rejects = of.as_ref().filter(|_| retries).map(|of| RejectsTable::try_new(of.url())).transpose()?;
        let options = StacOptions::try_new(&options)?;
        let table = InventoryTable::new(location_url(one_location(statement)?)?, options, of.filter(|_| is_last));
        Ok(Arc::new(match rejects {
            Some(rejects) => table.retrying(Arc::new(rejects)),
            None => table,
        }))
    }
}
