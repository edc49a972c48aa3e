//! SQL over a warehouse: a session with its tables, and the stream of a query's rows.

use datafusion::common::Result;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::stores::folder_url;
use earthcatalog_plans::warehouse::layout;

use crate::script::{Arguments, Script, ScriptError};

/// Defines the tables of a warehouse.
const TABLES: &str = include_str!("../sql/tables.sql");

/// Registers `item_cells`, `items` and `rejects` of a warehouse in `session`.
pub async fn open(session: &SessionContext, catalog: &str, warehouse: &str) -> Result<(), ScriptError> {
    // A location that is no URL is reported by the statement that uses it.
    let rejects = folder_url(warehouse)
        .ok()
        .and_then(|url| url.join(&format!("{}/", layout::REJECTS)).ok())
        .map_or_else(|| warehouse.to_owned(), String::from);
    let arguments = Arguments::new().with("catalog", catalog).with("warehouse", warehouse).with("rejects", rejects);
    for statement in Script::parse("tables.sql", TABLES)?.bind(&arguments)? {
        statement.plan(session).await?;
    }
    Ok(())
}

/// Runs one statement; its rows arrive as they are found.
pub async fn query(session: &SessionContext, sql: &str) -> Result<SendableRecordBatchStream> {
    session.sql(sql).await?.execute_stream().await
}
