//! stac-geoparquet files, cut into chunks of rows.

use datafusion::common::{Result, plan_err};
use earthcatalog_stac_rows::geoparquet::unwritable_columns;
use url::Url;

use super::refuse_since;
use crate::source::chunk::Content;
use crate::source::parquet_file::{ParquetFile, is_part_file};
use crate::source::planner::Planner;
use crate::source::read::geometries::with_geometries;

pub(in super::super) async fn plan(file: &Url, planner: &mut Planner<'_>) -> Result<()> {
    refuse_since(file, planner.options)?;
    let parquet = ParquetFile::open(file).await?;
    if let Some(message) = why_no_items(&parquet) {
        return plan_err!("{file}: {message}");
    }
    plan_file(parquet, planner);
    Ok(())
}

/// Why no row of a file can be an Item; `None` if they can.
pub(super) fn why_no_items(file: &ParquetFile) -> Option<String> {
    if is_part_file(file.schema()) {
        return None;
    }
    let missing = ["id", "geometry"].into_iter().find(|name| file.schema().column_with_name(name).is_none());
    if let Some(missing) = missing {
        let names: Vec<_> = file.schema().fields().iter().map(|field| field.name().as_str()).collect();
        return Some(format!(
            "not a stac-geoparquet file: it has no column {missing}, but {}; a list of objects needs a column key",
            names.join(", ")
        ));
    }
    unwritable_columns(&with_geometries(file.schema()))
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
