//! [`StacTableFactory`]: `CREATE EXTERNAL TABLE … STORED AS STAC`.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider, TableProviderFactory};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::logical_expr::CreateExternalTable;

use super::options::StacOptions;
use super::table::StacTable;
use crate::model::items::ItemSchema;
use crate::runtime::{named_table, one_location};
use crate::stores::location_url;

/// Makes a [`StacTable`] of `CREATE EXTERNAL TABLE t [(promoted columns)] STORED AS STAC LOCATION '…' OPTIONS (…)`.
///
/// The promoted columns are the statement's column list, or those of the table that option `like` names.
/// Errors: unknown or invalid options, an unknown table, clauses that mean nothing here.
#[derive(Debug, Default)]
pub struct StacTableFactory;

#[async_trait]
impl TableProviderFactory for StacTableFactory {
    async fn create(&self, state: &dyn Session, command: &CreateExternalTable) -> Result<Arc<dyn TableProvider>> {
        let options = StacOptions::try_new(&command.options)?;
        if !command.table_partition_cols.is_empty() || !command.order_exprs.is_empty() || command.unbounded {
            return plan_err!("{}: a STAC table takes no PARTITIONED BY, WITH ORDER or UNBOUNDED", command.name);
        }
        let declared = command.schema.as_arrow();
        let schema = match &options.like {
            Some(_) if !declared.fields().is_empty() => {
                return plan_err!("{}: give a column list or option 'like', not both", command.name);
            }
            Some(like) => ItemSchema::from_table(named_table(state, "like", like).await?.schema().as_ref()),
            None => ItemSchema::from_declared(declared),
        };
        let schema = schema.map_err(|e| DataFusionError::Plan(format!("{}: {e}", command.name)))?;
        Ok(Arc::new(StacTable::new(location_url(one_location(command)?)?, schema, options)))
    }
}
