//! stac-geoparquet files, cut into chunks of rows.

use datafusion::common::{Result, plan_err};
use url::Url;

use super::refuse_since;
use crate::source::chunk::Content;
use crate::source::parquet_file::ParquetFile;
use crate::source::planner::Planner;

pub(in super::super) async fn plan(file: &Url, planner: &mut Planner<'_>) -> Result<()> {
    refuse_since(file, planner.options)?;
    let parquet = ParquetFile::open(file).await?;
    if let Some(missing) = missing_column(&parquet) {
        return plan_err!("{file} is no stac-geoparquet file: it has no column {missing}");
    }
    plan_file(parquet, planner);
    Ok(())
}

/// The column without which no row is an Item.
pub(super) fn missing_column(file: &ParquetFile) -> Option<&'static str> {
    ["id", "geometry"].into_iter().find(|name| file.schema().column_with_name(name).is_none())
}

pub(super) fn plan_file(parquet: ParquetFile, planner: &mut Planner<'_>) {
    let rows = parquet.row_groups().sum::<u64>().min(planner.left().unwrap_or(u64::MAX));
    let file = parquet.url.clone();
    let mut start = 0;
    while start < rows {
        let range = start..rows.min(start.saturating_add(planner.options.chunk_size));
        start = range.end;
        let content = Content::Rows { file: parquet.clone(), rows: range.clone() };
        planner.push_direct(&file, range.clone(), content, Some(range.end - range.start));
    }
}
