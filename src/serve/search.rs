//! `/search`: Items by their place, time and properties.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::App;
use super::bulk::Bulk;
use super::error::ApiError;
use super::limits::body;
use super::links::Base;
use super::page::{Place, page};
use super::parameters::Asked;
use super::reader::View;

/// `GET /search`.
pub(super) async fn search(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let asked = Asked::from_query(query.as_deref(), &[])?;
    found(&app, &view, asked, base, &headers).await
}

/// `POST /search`.
pub(super) async fn search_body(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let asked = Asked::from_body(&body(request).await?, &[])?;
    found(&app, &view, asked, base, &headers).await
}

async fn found(app: &App, view: &View, asked: Asked, base: Base, headers: &HeaderMap) -> Result<Response, ApiError> {
    match Bulk::accepted(headers) {
        Some(bulk) => bulk.answer(app, view, asked).await,
        None => page(app, view, asked, Place { href: base.href(&["search"]), base, collection: None }).await,
    }
}
