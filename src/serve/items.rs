//! `/collections/{id}/items`, and each of them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use earthcatalog_plans::search::{Page, Search};
use futures::TryStreamExt;

use super::App;
use super::bulk::Bulk;
use super::collections::collection_of;
use super::error::ApiError;
use super::feature::Features;
use super::links::{Base, GEOJSON};
use super::page::{Place, page};
use super::parameters::Asked;
use super::reader::{View, items as table_name};

/// `GET /collections/{id}/items`.
pub(super) async fn items(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asked = Asked::from_query(query.as_deref(), &[])?.within(&id);
    collection_of(&app, &view, &id).await?;
    let href = base.href(&["collections", &id, "items"]);
    match Bulk::accepted(&headers) {
        Some(bulk) => bulk.answer(&app, &view, asked).await,
        None => page(&app, &view, asked, Place { base, href, collection: Some(id) }).await,
    }
}

/// `GET /collections/{id}/items/{itemId}`.
pub(super) async fn item(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    Path((collection, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let missing = || ApiError::not_found(format!("there is no Item {id} in collection {collection}"));
    let _permit = app.permit().await?;
    let search = Search {
        collections: Some(vec![collection.clone()]),
        ids: Some(vec![id.clone()]),
        limit: Some(1),
        ..Search::default()
    };
    let page =
        Page::new(&table_name(), Arc::clone(&view.items) as _, &search, None, None).map_err(ApiError::planning)?;
    let rows: Vec<_> = app.reader.rows(&page.plan).await?.try_collect().await.map_err(ApiError::running)?;
    let found = rows.iter().find(|batch| batch.num_rows() > 0).ok_or_else(missing)?;
    let mut item = vec![];
    let features = Features { base, fields: None };
    features.write(&page, found, 1, &mut item, || b"").map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, GEOJSON)], item).into_response())
}
