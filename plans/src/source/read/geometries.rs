//! The columns of geometries of a GeoParquet file: which they are, and each as WKB.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::Result;
use serde_json::Value;

use crate::model::items::wkb_of;

/// Key of the field metadata with the name of an Arrow extension type.
const EXTENSION_NAME: &str = "ARROW:extension:name";

/// The schema of a file with its columns of geometries marked as what they are (GeoArrow), by the file's `geo` key where
/// their own metadata do not say it.
pub(in super::super) fn with_geometries(file: &Schema) -> Schema {
    let geo = file.metadata().get("geo").and_then(|geo| serde_json::from_str::<Value>(geo).ok());
    let encoding = |name: &str| geo.as_ref()?.get("columns")?.get(name)?.get("encoding")?.as_str();
    let marked = |field: &FieldRef| {
        let is_marked = field.metadata().contains_key(EXTENSION_NAME);
        let Some(encoding) = encoding(field.name()).filter(|_| !is_marked) else { return Arc::clone(field) };
        let mut metadata = field.metadata().clone();
        metadata.insert(EXTENSION_NAME.to_owned(), format!("geoarrow.{}", encoding.to_ascii_lowercase()));
        Arc::new(field.as_ref().clone().with_metadata(metadata))
    };
    Schema::new(file.fields().iter().map(marked).collect::<Vec<_>>())
}

/// The column by whose bounds rows can be chosen, where it is one of its own: it says nothing of the Item.
pub(super) fn covering(file: &Schema) -> Option<usize> {
    let geo: Value = serde_json::from_str(file.metadata().get("geo")?).ok()?;
    let primary = geo.get("primary_column")?.as_str()?;
    let column = geo.get("columns")?.get(primary)?.pointer("/covering/bbox/xmin/0")?.as_str()?;
    file.index_of(column).ok().filter(|_| column != "bbox")
}

/// `batch`, whose columns are those of `schema`, with geometries of GeoArrow types as WKB, and without column `covering`.
pub(super) fn with_wkb(batch: &RecordBatch, schema: &SchemaRef, covering: Option<usize>) -> Result<RecordBatch> {
    let (mut fields, mut columns): (Vec<FieldRef>, Vec<ArrayRef>) = (vec![], vec![]);
    for (i, (field, column)) in schema.fields().iter().zip(batch.columns()).enumerate() {
        if covering == Some(i) {
            continue;
        }
        let (mut field, mut column) = (Arc::clone(field), Arc::clone(column));
        if is_native(&field) {
            column = Arc::new(wkb_of(&column, &field)?);
            let marked = Field::new(field.name(), DataType::BinaryView, true);
            field = Arc::new(marked.with_metadata(field.metadata().clone()));
        }
        fields.push(field);
        columns.push(column);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Whether a column has geometries as lists of coordinates.
fn is_native(field: &Field) -> bool {
    let is_geoarrow = field.metadata().get(EXTENSION_NAME).is_some_and(|name| name.starts_with("geoarrow."));
    let is_nested = matches!(
        field.data_type(),
        DataType::Struct(_)
            | DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::Union(..)
    );
    is_geoarrow && is_nested
}
