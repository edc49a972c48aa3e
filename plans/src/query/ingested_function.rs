//! `ingested(table)`: what has been ingested into a warehouse, object by object.

use std::sync::Arc;

use datafusion::catalog::{TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::prelude::SessionContext;
use earthcatalog_udfs::SessionTables;

use super::stored::stored;
use crate::model::time::parse_period;
use crate::scan::WarehouseTable;
use crate::scan::records::{IngestedTable, Since};

/// `ingested(items)`: the versions of objects whose Items are in a warehouse. `ingested(items, '2025-01-31')`: at least
/// those of objects that were last modified then or later; `ingested(items, 'last')`: as late as the newest of all; with
/// `true` behind a time: all of them, whatever the time.
///
/// The columns are [`INGESTED_SCHEMA`](crate::table::ingest_record::INGESTED_SCHEMA). `items` is a table of a warehouse, bare or
/// as text.
#[derive(Debug)]
pub struct IngestedFunction {
    tables: SessionTables,
}

impl IngestedFunction {
    pub const NAME: &str = "ingested";

    /// Finds tables where SQL in this session finds them.
    pub fn new(session: &SessionContext) -> Self {
        Self { tables: SessionTables::new(session) }
    }
}

impl TableFunctionImpl for IngestedFunction {
    fn call(&self, args: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let (table, since) = match args {
            [table] => (table, None),
            [table, since] => (table, parse_since(since)?),
            [table, since, Expr::Literal(ScalarValue::Boolean(Some(all)), _)] => {
                (table, parse_since(since)?.filter(|_| !all))
            }
            [_, _, all] => return plan_err!("ingested: {all} is neither true nor false"),
            _ => {
                return plan_err!(
                    "ingested takes a table, and a time or none, as in ingested(items, '2025-01-31'), and true or false"
                );
            }
        };
        let (name, table) = self.tables.argument(Self::NAME, table)?;
        let table = stored(table);
        let Some(table) = table.downcast_ref::<WarehouseTable>() else {
            return plan_err!(
                "ingested: table {name} is no warehouse; make it with CREATE EXTERNAL TABLE … STORED AS ICEBERG"
            );
        };
        Ok(Arc::new(IngestedTable::new(table.warehouse().clone(), since)))
    }
}

fn parse_since(since: &Expr) -> Result<Option<Since>> {
    let Expr::Literal(value, _) = since else { return plan_err!("ingested: {since} is no literal time") };
    let Some(text) = value.try_as_str().flatten() else {
        return if value.is_null() { Ok(None) } else { plan_err!("ingested: {value} is no time; write it as text") };
    };
    if text.eq_ignore_ascii_case("last") {
        return Ok(Some(Since::Last));
    }
    match parse_period(text) {
        Some(period) => Ok(Some(Since::Time(period.start().timestamp_millis()))),
        None => plan_err!("ingested: {text:?} is neither last, nor a date, nor an RFC 3339 time"),
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn errors_name_the_function_and_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let (context, f) = (crate::session::session(2).unwrap(), folder.path().display());
        for sql in [
            &format!(
                "CREATE EXTERNAL TABLE items (platform VARCHAR) STORED AS ICEBERG LOCATION '{f}/wh'
                 OPTIONS ('catalog' '{f}/catalog.db', 'h3_resolution' '1')"
            ),
            "CREATE VIEW other AS SELECT 1 AS key",
        ] {
            context.sql(sql).await.unwrap().collect().await.unwrap();
        }
        for (from, words) in [
            ("ingested()", "takes a table, and a time or none"),
            ("ingested(other)", "table other is no warehouse"),
            ("ingested(items, 'yesterday')", "neither last, nor a date"),
            ("ingested(items, 7)", "write it as text"),
            ("ingested(items, 'last', 'yes')", "neither true nor false"),
        ] {
            let error = context.sql(&format!("SELECT * FROM {from}")).await.unwrap_err().to_string();
            assert!(error.contains(words), "{from}: {error}");
        }
        for from in [
            "ingested(items)",
            "ingested(items, NULL)",
            "ingested(items, 'last')",
            "ingested(items, '2025-01-31')",
            "ingested(items, 'last', true)",
        ] {
            let rows = context.sql(&format!("SELECT * FROM {from}")).await.unwrap().collect().await.unwrap();
            assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 0, "{from}");
        }
    }
}
