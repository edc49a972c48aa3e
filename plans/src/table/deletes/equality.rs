//! What equality delete files say.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast_with_options;
use arrow::datatypes::{DataType, Field};
use arrow::row::{OwnedRow, RowConverter, SortField};
use futures::{StreamExt, TryStreamExt, stream};
use parquet::arrow::ProjectionMask;

use super::delete_file::{DeleteFile, DeleteKind};
use super::{CONCURRENCY, Deletes, data_file, delete_file};
use crate::model::field_ids::position;
use crate::table::error::{Result, WarehouseError};
use crate::table::manifests::files::LiveFile;
use crate::table::written_by_any::{EXACT, open};

/// The values of equality delete files, by location.
pub(super) struct EqualityKeys(HashMap<String, Arc<Keys>>);

/// The values of one.
struct Keys {
    columns: Vec<Field>,
    types: Vec<DataType>,
    converter: RowConverter,
    rows: HashSet<OwnedRow>,
}

impl EqualityKeys {
    /// The values of those that may be about one of these files.
    pub async fn read(deletes: &Deletes, files: &[&LiveFile]) -> Result<Self> {
        let concerned = files.iter().flat_map(|file| deletes.about(file)).filter_map(|of| match &of.kind {
            DeleteKind::Equality { columns } => Some((of.location.as_str(), (of, columns))),
            DeleteKind::Positions { .. } => None,
        });
        let concerned: HashMap<&str, _> = concerned.collect();
        let reads: Vec<_> = concerned.into_values().map(|(of, columns)| read(of, columns)).collect();
        Ok(Self(stream::iter(reads).buffer_unordered(CONCURRENCY).try_collect().await?))
    }

    /// The rows of a data file that have the values of a delete file.
    pub async fn rows_of(&self, deletes: &Deletes, file: &LiveFile) -> Result<Vec<u64>> {
        let keys: Vec<&Arc<Keys>> = deletes.about(file).filter_map(|of| self.0.get(&of.location)).collect();
        let mut found = vec![];
        if keys.is_empty() {
            return Ok(found);
        }
        let unreadable = data_file(&file.location);
        let builder = open(&file.location, file.bytes).await.map_err(&unreadable)?;
        let in_file = builder.schema().fields().clone();
        // A file that is older than a column does not have it.
        let mut roots: Vec<usize> =
            keys.iter().flat_map(|keys| &keys.columns).filter_map(|column| position(column, &in_file)).collect();
        roots.sort_unstable();
        roots.dedup();
        let column = |column: &Field| roots.binary_search(&position(column, &in_file)?).ok();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
        let mut batches = builder.with_projection(mask).build().map_err(|e| unreadable(e.into()))?;
        let mut row = 0;
        while let Some(batch) = batches.try_next().await.map_err(|e| unreadable(e.into()))? {
            for keys in &keys {
                let of_fields = keys.columns.iter().zip(&keys.types).map(|(of, data_type)| match column(of) {
                    Some(i) => cast_with_options(batch.column(i), data_type, &EXACT),
                    None => Ok(new_null_array(data_type, batch.num_rows())),
                });
                let of_fields: Vec<ArrayRef> =
                    of_fields.collect::<std::result::Result<_, _>>().map_err(|e| unreadable(e.into()))?;
                let rows = keys.converter.convert_columns(&of_fields).map_err(|e| unreadable(e.into()))?;
                let is_deleted = |i: &usize| keys.rows.contains(&rows.row(*i).owned());
                found.extend((0..batch.num_rows()).filter(is_deleted).map(|i| row + i as u64));
            }
            row += batch.num_rows() as u64;
        }
        Ok(found)
    }
}

/// The values of a delete file, with its location.
async fn read(of: &DeleteFile, columns: &[Field]) -> Result<(String, Arc<Keys>)> {
    let unreadable = delete_file(&of.location);
    let refused = |reason: String| WarehouseError::DeleteFile { location: of.location.clone(), reason };
    let builder = open(&of.location, of.bytes).await.map_err(&unreadable)?;
    let in_file = builder.schema().fields().clone();
    let root = |column: &Field| {
        position(column, &in_file).ok_or_else(|| refused(format!("it has no column {}", column.name())))
    };
    let roots: Vec<usize> = columns.iter().map(root).collect::<Result<_>>()?;
    let types: Vec<DataType> = roots.iter().map(|root| in_file[*root].data_type().clone()).collect();
    if types.iter().any(DataType::is_nested) {
        return Err(refused("it compares columns of columns".to_owned()));
    }
    let converter = RowConverter::new(types.iter().cloned().map(SortField::new).collect());
    let converter = converter.map_err(|e| unreadable(e.into()))?;
    let mut batches = builder.build().map_err(|e| unreadable(e.into()))?;
    let mut rows = HashSet::new();
    while let Some(batch) = batches.try_next().await.map_err(|e| unreadable(e.into()))? {
        let batch: RecordBatch = batch.project(&roots).map_err(|e| unreadable(e.into()))?;
        let converted = converter.convert_columns(batch.columns()).map_err(|e| unreadable(e.into()))?;
        rows.extend(converted.iter().map(|row| row.owned()));
    }
    Ok((of.location.clone(), Arc::new(Keys { columns: columns.to_vec(), types, converter, rows })))
}
