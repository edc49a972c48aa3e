//! What equality delete files say.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use arrow::util::display::FormatOptions;
use futures::{StreamExt, TryStreamExt, stream};
use parquet::arrow::ProjectionMask;
use parquet::schema::types::SchemaDescriptor;

use super::delete_file::{DeleteFile, DeleteKind};
use super::{CONCURRENCY, Deletes, open, unreadable};
use crate::table::error::{Result, WarehouseError};
use crate::table::manifests::files::LiveFile;

/// A cast that fails where a value has no place in the other type.
const EXACT: CastOptions<'static> = CastOptions { safe: false, format_options: FormatOptions::new() };

/// The values of equality delete files, by location.
pub(super) struct EqualityKeys(HashMap<String, Arc<Keys>>);

/// The values of one.
struct Keys {
    fields: Vec<i32>,
    types: Vec<DataType>,
    converter: RowConverter,
    rows: HashSet<OwnedRow>,
}

impl EqualityKeys {
    /// The values of those that may be about one of these files.
    pub async fn read(deletes: &Deletes, files: &[&LiveFile]) -> Result<Self> {
        let concerned = deletes.files().iter().filter(|of| files.iter().any(|file| of.may_be_about(file)));
        let reads: Vec<_> = concerned
            .filter_map(|of| match &of.kind {
                DeleteKind::Equality { fields } => Some(read(of, fields)),
                DeleteKind::Positions { .. } => None,
            })
            .collect();
        Ok(Self(stream::iter(reads).buffer_unordered(CONCURRENCY).try_collect().await?))
    }

    /// The rows of a data file that have the values of a delete file.
    pub async fn rows_of(&self, deletes: &Deletes, file: &LiveFile) -> Result<Vec<u64>> {
        let keys: Vec<&Arc<Keys>> = deletes.about(file).filter_map(|of| self.0.get(&of.location)).collect();
        let mut found = vec![];
        if keys.is_empty() {
            return Ok(found);
        }
        let builder = open(&file.location, file.bytes).await?;
        let columns = field_ids(builder.parquet_schema());
        let fields: HashSet<i32> = keys.iter().flat_map(|keys| &keys.fields).copied().collect();
        let mut roots: Vec<usize> = fields.iter().filter_map(|field| columns.get(field).copied()).collect();
        roots.sort_unstable();
        let column = |field: &i32| roots.iter().position(|root| columns.get(field) == Some(root));
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.iter().copied());
        let mut batches = builder.with_projection(mask).build().map_err(unreadable(&file.location))?;
        let mut row = 0;
        while let Some(batch) = batches.try_next().await.map_err(unreadable(&file.location))? {
            for keys in &keys {
                let of_fields = keys.fields.iter().zip(&keys.types).map(|(field, data_type)| match column(field) {
                    Some(i) => cast_with_options(batch.column(i), data_type, &EXACT),
                    // A file that is older than the column.
                    None => Ok(new_null_array(data_type, batch.num_rows())),
                });
                let of_fields: Vec<ArrayRef> =
                    of_fields.collect::<std::result::Result<_, _>>().map_err(unreadable(&file.location))?;
                let rows = keys.converter.convert_columns(&of_fields).map_err(unreadable(&file.location))?;
                let is_deleted = |i: &usize| keys.rows.contains(&rows.row(*i).owned());
                found.extend((0..batch.num_rows()).filter(is_deleted).map(|i| row + i as u64));
            }
            row += batch.num_rows() as u64;
        }
        Ok(found)
    }
}

/// The values of a delete file, with its location.
async fn read(of: &DeleteFile, fields: &[i32]) -> Result<(String, Arc<Keys>)> {
    let refused = |reason: String| WarehouseError::DeleteFile { location: of.location.clone(), reason };
    let builder = open(&of.location, of.bytes).await?;
    let columns = field_ids(builder.parquet_schema());
    let column = |field: &i32| {
        columns.get(field).copied().ok_or_else(|| refused(format!("it has no column with field id {field}")))
    };
    let roots: Vec<usize> = fields.iter().map(column).collect::<Result<_>>()?;
    let schema: SchemaRef = Arc::clone(builder.schema());
    let types: Vec<DataType> = roots.iter().map(|root| schema.field(*root).data_type().clone()).collect();
    if types.iter().any(DataType::is_nested) {
        return Err(refused("it compares columns of columns".to_owned()));
    }
    let converter = RowConverter::new(types.iter().cloned().map(SortField::new).collect());
    let converter = converter.map_err(unreadable(&of.location))?;
    let mut batches = builder.build().map_err(unreadable(&of.location))?;
    let mut rows = HashSet::new();
    while let Some(batch) = batches.try_next().await.map_err(unreadable(&of.location))? {
        let batch: RecordBatch = batch.project(&roots).map_err(unreadable(&of.location))?;
        let converted = converter.convert_columns(batch.columns()).map_err(unreadable(&of.location))?;
        rows.extend(converted.iter().map(|row| row.owned()));
    }
    Ok((of.location.clone(), Arc::new(Keys { fields: fields.to_vec(), types, converter, rows })))
}

/// The columns of a file by field id.
fn field_ids(schema: &SchemaDescriptor) -> HashMap<i32, usize> {
    let fields = schema.root_schema().get_fields().iter().map(|field| field.get_basic_info()).enumerate();
    fields.filter(|(_, info)| info.has_id()).map(|(i, info)| (info.id(), i)).collect()
}
