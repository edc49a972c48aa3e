//! `/queryables` and `/sortables`: what filters and orders may name, as JSON Schema.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use datafusion::catalog::TableProvider;
use earthcatalog_plans::model::items::{PROPERTY_KEY, TIME_COLUMNS};
use serde_json::{Map, Value, json};

use super::App;
use super::collections::collection_of;
use super::error::ApiError;
use super::links::{Base, SCHEMA};
use super::reader::View;

/// `GET /queryables`.
pub(super) async fn queryables(Extension(view): Extension<Arc<View>>, base: Base) -> Response {
    Names::Queryables.document(&view, &base, None)
}

/// `GET /sortables`.
pub(super) async fn sortables(Extension(view): Extension<Arc<View>>, base: Base) -> Response {
    Names::Sortables.document(&view, &base, None)
}

/// `GET /collections/{id}/queryables`.
pub(super) async fn queryables_of(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    collection_of(&app, &view, &id).await?;
    Ok(Names::Queryables.document(&view, &base, Some(&id)))
}

/// `GET /collections/{id}/sortables`.
pub(super) async fn sortables_of(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    collection_of(&app, &view, &id).await?;
    Ok(Names::Sortables.document(&view, &base, Some(&id)))
}

/// What may be named where.
#[derive(Debug, Clone, Copy)]
enum Names {
    Queryables,
    Sortables,
}

impl Names {
    /// The document of a collection, or of all.
    fn document(self, view: &View, base: &Base, collection: Option<&str>) -> Response {
        let schema = view.items.schema();
        let (name, title, properties) = match self {
            Self::Queryables => ("queryables", "Queryables", queryable(&schema)),
            Self::Sortables => ("sortables", "Sortables", sortable(&schema)),
        };
        match collection {
            Some(id) => document(&base.href(&["collections", id, name]), &format!("{title} of {id}"), properties),
            None => document(&base.href(&[name]), title, properties),
        }
    }
}

fn document(id: &str, title: &str, properties: Map<String, Value>) -> Response {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "$id": id,
        "type": "object",
        "title": title,
        // Whatever else an Item has in its properties can be named, too.
        "additionalProperties": true,
        "properties": properties,
    });
    ([(header::CONTENT_TYPE, SCHEMA)], schema.to_string()).into_response()
}

fn queryable(schema: &Schema) -> Map<String, Value> {
    let mut properties = sortable(schema);
    let geometry = json!({"title": "Footprint", "$ref": "https://geojson.org/schema/Geometry.json"});
    properties.insert("geometry".to_owned(), geometry);
    properties
}

/// Members and properties that have a column.
fn sortable(schema: &Schema) -> Map<String, Value> {
    let mut properties = Map::new();
    properties.insert("id".to_owned(), json!({"title": "Id", "type": "string"}));
    properties.insert("collection".to_owned(), json!({"title": "Collection", "type": "string"}));
    for field in schema.fields() {
        let property = field.metadata().get(PROPERTY_KEY);
        let is_time = TIME_COLUMNS.contains(&field.name().as_str());
        if let Some(name) = property.or(is_time.then_some(field.name())) {
            properties.insert(name.clone(), kind(field.data_type()));
        }
    }
    properties
}

fn kind(data_type: &DataType) -> Value {
    match data_type {
        DataType::Timestamp(..) => json!({"type": "string", "format": "date-time"}),
        DataType::Boolean => json!({"type": "boolean"}),
        integer if integer.is_integer() => json!({"type": "integer"}),
        number if number.is_numeric() => json!({"type": "number"}),
        _ => json!({"type": "string"}),
    }
}

#[cfg(test)]
mod tests {
    use earthcatalog_plans::model::items::{ItemSchema, Promoted};

    use super::*;

    #[test]
    fn promoted_properties_have_the_types_of_their_columns() {
        let promoted = [("proj:code", DataType::Utf8), ("gsd", DataType::Float32), ("rows", DataType::Int32)]
            .map(|(name, data_type)| Promoted::new(name, &data_type).unwrap());
        let items = ItemSchema::try_new(promoted.to_vec()).unwrap();
        let queryables = Value::from(queryable(items.item_schema()));
        assert_eq!(queryables["proj:code"], json!({"type": "string"}));
        assert_eq!(queryables["gsd"], json!({"type": "number"}));
        assert_eq!(queryables["rows"], json!({"type": "integer"}));
        assert_eq!(queryables["datetime"]["format"], "date-time");
        assert!(queryables["geometry"]["$ref"].is_string() && queryables["id"].is_object());
        assert!(queryables.get("assets").is_none() && queryables.get("xmin").is_none());
        assert!(sortable(items.item_schema()).get("geometry").is_none());
    }
}
