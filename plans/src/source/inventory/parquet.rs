//! Parquet inventories, read batch by batch.

use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::{Result, plan_err};
use futures::StreamExt;
use parquet::arrow::ProjectionMask;
use url::Url;

use super::batch::{ListedBatch, columns_of};
use super::check_since;
use super::columns::no_key;
use crate::source::keys::KeyBase;
use crate::source::parquet_file::ParquetFile;
use crate::source::planner::Planner;

/// Whether a Parquet file lists objects, by its columns: Items have a geometry, whatever other columns they have.
pub(in super::super) fn is_inventory(schema: &Schema) -> bool {
    schema.index_of("geometry").is_err() && columns_of(schema).is_some()
}

/// Plans a data file.
pub(super) async fn plan(file: &Url, planner: &mut Planner<'_>, keys: &Arc<KeyBase>) -> Result<()> {
    let parquet = ParquetFile::open(file).await?;
    let Some(columns) = columns_of(parquet.schema()) else {
        let names = parquet.schema().fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>();
        return plan_err!("{file} is not an inventory: {}", no_key(&names));
    };
    check_since(file, columns.last_modified.is_some(), planner)?;
    planner.start_file(file, Arc::clone(keys), false);
    let builder = parquet.builder()?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns.wanted());
    let columns = columns.projected();
    let mut batches = builder.with_projection(mask).with_batch_size(8192).build()?;
    while !planner.is_full()
        && let Some(batch) = batches.next().await
    {
        ListedBatch::try_new(&batch?, &columns)?.push(planner)?;
    }
    planner.end_file();
    Ok(())
}
