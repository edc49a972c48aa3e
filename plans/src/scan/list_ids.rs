//! [`list_ids`]: the ids of a table whose lists are lost, or were never made.

use arrow::array::{Array, AsArray};
use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::physical_plan::execute_stream_partitioned;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;

use super::table::WarehouseTable;
use crate::model::item_key::ItemKey;
use crate::table::Warehouse;
use crate::table::known_ids::{IdHash, encode};

/// The list of all ids of a snapshot, as a file, and how many there are. Takes eight bytes of memory a row.
pub(crate) async fn list_ids(warehouse: &Warehouse, snapshot: i64) -> Result<(Vec<u8>, u64)> {
    let table = WarehouseTable::at_snapshot(warehouse.clone(), snapshot);
    let session = SessionContext::new();
    let [collection, id] = ItemKey::COLUMNS.map(|name| table.schema().index_of(name));
    let plan = table.scan(&session.state(), Some(&vec![collection?, id?]), &[], None).await?;
    let mut ids = vec![];
    for mut batches in execute_stream_partitioned(plan, session.task_ctx())? {
        while let Some(batch) = batches.try_next().await? {
            let [collections, of_batch] = [0, 1].map(|column| batch.column(column).as_string_view());
            let collection = |row: usize| collections.is_valid(row).then(|| collections.value(row));
            let of_row = |row: usize| IdHash::new(collection(row), of_batch.value(row));
            ids.extend((0..batch.num_rows()).filter(|row| of_batch.is_valid(*row)).map(of_row));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let count = ids.len() as u64;
    Ok((encode(ids)?, count))
}
