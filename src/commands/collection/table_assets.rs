//! The table of a warehouse and its files as assets of a Collection.

use arrow::datatypes::{DataType, Field};
use datafusion::catalog::TableProvider;
use earthcatalog_plans::collections::extend;
use earthcatalog_plans::query::ItemsTable;
use earthcatalog_plans::table::WarehouseError;
use serde_json::{Map, Value, json};

/// The extension that describes columns.
const TABLE: &str = "https://stac-extensions.github.io/table/v1.2.0/schema.json";

/// Adds assets `items`, the part files, and `iceberg`, the newest metadata of the table, and describes their columns.
/// Assets and members of these names that the document has stay.
pub(super) async fn add(document: &mut Map<String, Value>, items: &ItemsTable) -> Result<(), WarehouseError> {
    let state = items.warehouse().load().await?;
    let rows = items.versions().schema();
    let columns: Vec<_> =
        rows.fields().iter().map(|field| json!({"name": field.name(), "type": named(field)})).collect();
    let assets = document.entry("assets").or_insert_with(|| json!({}));
    let Value::Object(assets) = assets else { return Ok(()) };
    assets.entry("items").or_insert_with(|| {
        json!({
            "href": format!("{}grid_partition=*/year=*/*.parquet", items.warehouse().url()),
            "title": "Items of all collections, in a row for each H3 cell that they touch",
            "type": "application/vnd.apache.parquet",
            "roles": ["data", "collection-mirror"],
        })
    });
    assets.entry("iceberg").or_insert_with(|| {
        json!({
            "href": state.metadata_location,
            "title": "Metadata of the Apache Iceberg table, as of now",
            "type": "application/json",
            "roles": ["metadata"],
        })
    });
    extend(document, TABLE);
    document.entry("table:columns").or_insert_with(|| columns.into());
    document.entry("table:primary_geometry").or_insert_with(|| "geometry".into());
    Ok(())
}

/// The type of a column as Parquet has it.
fn named(field: &Field) -> &'static str {
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "binary",
        DataType::Boolean => "boolean",
        DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Date32 => "date",
        DataType::Timestamp(..) => "timestamp",
        DataType::Struct(_) => "group",
        DataType::List(_) | DataType::LargeList(_) | DataType::ListView(_) => "list",
        _ => "other",
    }
}
