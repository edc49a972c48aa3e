//! `buckets(table, threshold)`: the rows of a warehouse by bucket.

use std::sync::Arc;

use datafusion::catalog::{TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use earthcatalog_udfs::SessionTables;

use super::table::BucketsTable;
use crate::warehouse::WarehouseTable;

/// `buckets(items, threshold)`: the rows of the buckets of a warehouse that have at least `threshold` part files.
///
/// The columns are those of [`BucketsTable`]. `items` is a table made with `STORED AS ICEBERG`, bare or as text;
/// `threshold` is an integer literal.
#[derive(Debug)]
pub struct BucketsFunction {
    tables: SessionTables,
}

impl BucketsFunction {
    pub const NAME: &str = "buckets";

    /// Finds tables where SQL in this session finds them.
    pub fn new(session: &SessionContext) -> Self {
        Self { tables: SessionTables::new(session) }
    }
}

impl TableFunctionImpl for BucketsFunction {
    fn call(&self, args: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let [table, threshold] = args else {
            return plan_err!("buckets takes a table and a number of files, as in buckets(items, 2)");
        };
        let (name, table) = self.tables.argument(Self::NAME, table)?;
        if !table.as_any().is::<WarehouseTable>() {
            return plan_err!(
                "buckets: table {name} is no warehouse; make it with CREATE EXTERNAL TABLE … STORED AS ICEBERG"
            );
        }
        let threshold = match threshold {
            Expr::Literal(ScalarValue::Int64(Some(n)), _) => usize::try_from(*n).ok(),
            _ => None,
        };
        let Some(threshold) = threshold else {
            return plan_err!(
                "buckets: the threshold of {name} is no whole number from 0; buckets(items, 2) reads the buckets with 2 files or more"
            );
        };
        Ok(Arc::new(BucketsTable::try_new(table, threshold)?))
    }
}
