//! Columns by Iceberg field id, which stays when another engine renames a column, and is new when one is dropped and added
//! again.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, plan_datafusion_err};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

/// `fields` with their ids as metadata, which Parquet's writer puts into a file and its reader takes from there.
///
/// `ids` has them by dotted path below `parent`: `id`, `bbox`, `bbox.xmin`, `stac_extensions.element`. An error if one lacks.
pub fn with_field_ids<'a>(
    fields: impl IntoIterator<Item = &'a FieldRef>,
    parent: &str,
    ids: &BTreeMap<String, i32>,
) -> Result<Vec<Field>> {
    let with_id = |field: &FieldRef| {
        let path = format!("{parent}{}", field.name());
        let id = ids.get(&path).ok_or_else(|| plan_datafusion_err!("the table has no field id for column {path}"))?;
        let children = format!("{path}.");
        let data_type = match field.data_type() {
            DataType::Struct(fields) => DataType::Struct(with_field_ids(fields, &children, ids)?.into()),
            DataType::List(element) => match with_field_ids([element], &children, ids)?.pop() {
                Some(element) => DataType::List(Arc::new(element)),
                None => field.data_type().clone(),
            },
            other => other.clone(),
        };
        let mut metadata = field.metadata().clone();
        metadata.insert(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string());
        Ok(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata))
    };
    fields.into_iter().map(with_id).collect()
}

/// The id in the metadata of a column.
pub fn field_id(field: &Field) -> Option<i32> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

/// Where the column `wanted` is among those of a file: by its id; by its name in a file without ids.
pub fn position(wanted: &Field, in_file: &Fields) -> Option<usize> {
    let has_ids = in_file.iter().any(|field| field_id(field).is_some());
    match field_id(wanted).filter(|_| has_ids) {
        Some(id) => in_file.iter().position(|field| field_id(field) == Some(id)),
        None => in_file.iter().position(|field| field.name() == wanted.name()),
    }
}
