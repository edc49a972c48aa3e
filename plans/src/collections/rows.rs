//! Collections from the rows of a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::logical_expr::{Expr, ident, lit};
use datafusion::prelude::{DataFrame, SessionContext};

use super::Extent;
use crate::query::ItemsTable;

/// Rows of a table in which Items are counted: that takes some thirty bytes of memory for each.
const COUNTED_ROWS: u64 = 1_000_000;

const BOUNDS: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];

/// The extent of each collection.
pub(super) async fn extents(session: &SessionContext, table: &ItemsTable) -> Result<BTreeMap<String, Extent>> {
    let [west, south, east, north] = BOUNDS;
    let least = [west, south, "datetime", "start_datetime"].map(|column| min(ident(column)).alias(column));
    let greatest = [east, north].map(|column| max(ident(column)).alias(column));
    let latest = ["datetime", "end_datetime"].map(|column| max(ident(column)).alias(format!("last_{column}")));
    let rows = Arc::clone(table.versions()) as Arc<dyn TableProvider>;
    let found = by_collection(session.read_table(rows)?, least.into_iter().chain(greatest).chain(latest).collect())?;
    let mut extents = BTreeMap::new();
    for batch in found.collect().await? {
        let column = |name: &str| batch.column_by_name(name).map(Arc::clone);
        let Some(ids) = column("collection").map(|ids| cast(&ids, &DataType::Utf8View)).transpose()? else { continue };
        for row in 0..batch.num_rows() {
            let bound = |name| valid(column(name), row).map(|c| c.as_primitive::<Float64Type>().value(row));
            let time = |name| valid(column(name), row).map(|c| c.as_primitive::<TimestampMicrosecondType>().value(row));
            let bbox = || Some([bound(west)?, bound(south)?, bound(east)?, bound(north)?]);
            let mut extent = Extent { bbox: bbox(), interval: [time("datetime"), time("last_datetime")] };
            extent.include(&Extent { bbox: None, interval: [time("start_datetime"), time("last_end_datetime")] });
            extents.insert(ids.as_string_view().value(row).to_owned(), extent);
        }
    }
    Ok(extents)
}

/// How many Items each collection has; `None` where the table is too large to count them.
pub(super) async fn counts(session: &SessionContext, table: &ItemsTable) -> Result<Option<BTreeMap<String, u64>>> {
    let files = table.versions().live_files_with_bounds(&session.state()).await?;
    let rows: u64 = files.iter().flat_map(|of| &of.files).map(|file| file.rows).sum();
    if rows > COUNTED_ROWS {
        return Ok(None);
    }
    let items = session.read_table(Arc::new(table.clone()))?;
    let mut counts = BTreeMap::new();
    for batch in by_collection(items, vec![count(lit(1)).alias("items")])?.collect().await? {
        let ids = cast(batch.column(0), &DataType::Utf8View)?;
        let items = batch.column(1).as_primitive::<Int64Type>();
        let of = |row: usize| (ids.as_string_view().value(row).to_owned(), items.value(row).unsigned_abs());
        counts.extend((0..batch.num_rows()).map(of));
    }
    Ok(Some(counts))
}

fn by_collection(rows: DataFrame, aggregates: Vec<Expr>) -> Result<DataFrame> {
    rows.filter(ident("collection").is_not_null())?.aggregate(vec![ident("collection")], aggregates)
}

fn valid(column: Option<ArrayRef>, row: usize) -> Option<ArrayRef> {
    column.filter(|column| column.is_valid(row))
}
