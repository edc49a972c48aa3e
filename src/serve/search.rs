//! `/search`: Items by their place, time and properties.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use earthcatalog_plans::search::PARAMETERS;

use super::App;
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
) -> Result<Response, ApiError> {
    let asked = Asked::from_query(query.as_deref(), &PARAMETERS)?;
    page(&app, &view, asked, Place { href: base.href(&["search"]), base, collection: None }).await
}

/// `POST /search`.
pub(super) async fn search_body(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
    request: Request,
) -> Result<Response, ApiError> {
    let asked = Asked::from_body(&body(request).await?)?;
    page(&app, &view, asked, Place { href: base.href(&["search"]), base, collection: None }).await
}
