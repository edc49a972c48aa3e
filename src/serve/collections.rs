//! `/collections`, and each of them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use earthcatalog_plans::collections::Collection;
use serde_json::{Map, Value, json};

use super::App;
use super::error::ApiError;
use super::links::{Base, GEOJSON, JSON, QUERYABLES, SCHEMA, SORTABLES, link};
use super::reader::View;

/// `GET /collections`.
pub(super) async fn collections(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
) -> Result<Json<Value>, ApiError> {
    let collections = app.reader.collections(&view).await.map_err(ApiError::running)?;
    let links = [link("root", &base.root(), JSON), link("self", &base.href(&["collections"]), JSON)];
    let documents: Vec<_> = collections.iter().map(|collection| document(collection, &base)).collect();
    let number = documents.len();
    Ok(Json(json!({"collections": documents, "links": links, "numberMatched": number, "numberReturned": number})))
}

/// `GET /collections/{id}`.
pub(super) async fn collection(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    Path(id): Path<String>,
) -> Result<Json<Map<String, Value>>, ApiError> {
    Ok(Json(document(collection_of(&app, &view, &id).await?, &base)))
}

/// The collection of an id.
pub(super) async fn collection_of<'a>(app: &App, view: &'a View, id: &str) -> Result<&'a Collection, ApiError> {
    let collections = app.reader.collections(view).await.map_err(ApiError::running)?;
    let found = collections.iter().find(|collection| collection.id == id);
    found.ok_or_else(|| ApiError::not_found(format!("there is no collection {id}")))
}

/// A Collection with the links of the service, and behind them those that it was given with.
fn document(collection: &Collection, base: &Base) -> Map<String, Value> {
    let id = collection.id.as_str();
    let below = |name: &str| base.href(&["collections", id, name]);
    let mut document = collection.document();
    let own = [
        link("self", &base.collection(id), JSON),
        link("root", &base.root(), JSON),
        link("parent", &base.root(), JSON),
        link("items", &below("items"), GEOJSON),
        link("aggregate", &below("aggregate"), JSON),
        link("aggregations", &below("aggregations"), JSON),
        link(QUERYABLES, &below("queryables"), SCHEMA),
        link(SORTABLES, &below("sortables"), SCHEMA),
    ];
    let given = match document.remove("links") {
        Some(Value::Array(given)) => given,
        _ => vec![],
    };
    document.insert("links".into(), own.into_iter().chain(given).collect());
    document
}
