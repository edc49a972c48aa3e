//! SQL over a warehouse: the stream of a query's rows.

use datafusion::common::Result;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::call;
use earthcatalog_plans::warehouse::register_views;

/// Runs one statement over tables `item_cells`, `items` and `rejects` of a warehouse; its rows arrive as they are found.
pub async fn query(
    session: &SessionContext,
    catalog: &str,
    warehouse: &str,
    sql: &str,
) -> Result<SendableRecordBatchStream> {
    register_views(session, catalog, warehouse).await?;
    call::sql(session, sql).await?.execute_stream().await
}
