//! How many Items a search finds.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, lit};
use datafusion::physical_plan::collect;
use earthcatalog_plans::query::ItemsTable;
use earthcatalog_plans::scan::rows_to_read;
use earthcatalog_plans::search::{Search, search_plan};

use super::reader::{Reader, items};

/// Rows that are read to count, at most: a question must not take longer for the sake of a number.
const MOST_ROWS: u64 = 100_000;

/// How many Items a search finds; `None` where too many rows would have to be read.
pub(super) async fn matched(reader: &Reader, table: Arc<ItemsTable>, search: &Search) -> Result<Option<u64>> {
    let all = Search { sortby: vec![], fields: None, limit: None, ..search.clone() };
    let found = search_plan(&items(), table, &all)?;
    let plan = LogicalPlanBuilder::from(found).aggregate(Vec::<Expr>::new(), vec![count(lit(1))])?.build()?;
    let session = reader.narrow();
    let plan = session.state().create_physical_plan(&plan).await?;
    if rows_to_read(&plan)?.is_none_or(|rows| rows > MOST_ROWS) {
        return Ok(None);
    }
    let batches = collect(plan, session.task_ctx()).await?;
    let counts = batches.iter().filter(|batch| batch.num_rows() > 0);
    Ok(counts.map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0).unsigned_abs()).next())
}
