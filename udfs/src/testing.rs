//! What tests of functions share.

use arrow::util::pretty::pretty_format_batches;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;

/// The first row of a question's answer, as text; empty without one.
pub async fn answer(session: &SessionContext, sql: &str) -> Result<String> {
    let batches = session.sql(sql).await?.collect().await?;
    let table = pretty_format_batches(&batches)?.to_string();
    Ok(table.lines().nth(3).unwrap_or_default().trim_matches(['|', ' ']).to_owned())
}
