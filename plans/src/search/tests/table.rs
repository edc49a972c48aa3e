//! What searches find in a warehouse of Items that a test writes as JSON.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use serde_json::Value;

pub(super) use crate::session::testing::Table;

/// The call of `stac_search` in SQL.
pub(super) fn call(search: &Value) -> String {
    format!("stac_search(items, '{}')", search.to_string().replace('\'', "''"))
}

/// The ids of the Items that a search finds, in the order in which they come.
pub(super) async fn found(session: &SessionContext, search: &Value) -> Result<Vec<String>> {
    let batches = session.sql(&format!("SELECT id FROM {}", call(search))).await?.collect().await?;
    let mut ids = vec![];
    for batch in batches {
        let texts = cast(batch.column(0), &DataType::Utf8View)?;
        ids.extend(texts.as_string_view().iter().flatten().map(str::to_owned));
    }
    Ok(ids)
}

/// The same, in order.
pub(super) async fn ids(session: &SessionContext, search: &Value) -> Vec<String> {
    let mut ids = found(session, search).await.unwrap_or_else(|e| panic!("{search}: {e}"));
    ids.sort();
    ids
}
