//! [`summaries`]: which values the properties of the Items of a collection have.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::json::ArrayWriter;
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{ident, lit};
use datafusion::prelude::SessionContext;
use serde_json::{Map, Value, json};
use std::sync::Arc;

use crate::model::items::PROPERTY_KEY;
use crate::query::ItemsTable;

/// Values that are listed of a property; one that has more is left out.
const MOST_VALUES: usize = 50;

/// Member `summaries` of a Collection, of the properties that have columns: the least and the greatest of numbers and
/// times, and the values of texts and booleans, if there are at most 50 of them, in their order.
pub async fn summaries(session: &SessionContext, table: &ItemsTable, id: &str) -> Result<Map<String, Value>> {
    let items = session.read_table(Arc::new(table.clone()))?.filter(ident("collection").eq(lit(id)))?;
    let mut summaries = Map::new();
    for field in table.schema().fields() {
        let (Some(property), column) = (field.metadata().get(PROPERTY_KEY), ident(field.name())) else { continue };
        let summary = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => {
                let values = items.clone().filter(column.clone().is_not_null())?.select(vec![column.alias("value")])?;
                let values = values.distinct()?.limit(0, Some(MOST_VALUES + 1))?;
                let sorted = values.sort(vec![ident("value").sort(true, false)])?;
                let values: Vec<_> =
                    rows(&sorted.collect().await?)?.into_iter().map(|mut row| row["value"].take()).collect();
                (1..=MOST_VALUES).contains(&values.len()).then(|| Value::from(values))
            }
            _ => {
                let range = vec![min(column.clone()).alias("minimum"), max(column).alias("maximum")];
                let range = rows(&items.clone().aggregate(vec![], range)?.collect().await?)?;
                // Of no values there is an empty object.
                range.into_iter().next().filter(|range| *range != json!({}))
            }
        };
        summaries.extend(summary.map(|summary| (property.clone(), summary)));
    }
    Ok(summaries)
}

/// Rows as JSON objects, without nulls.
fn rows(batches: &[RecordBatch]) -> Result<Vec<Value>> {
    let mut writer = ArrayWriter::new(vec![]);
    writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
    writer.finish()?;
    let text = writer.into_inner();
    if text.is_empty() {
        return Ok(vec![]);
    }
    serde_json::from_slice(&text).map_err(|e| datafusion::common::DataFusionError::External(Box::new(e)))
}
