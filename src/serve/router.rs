//! The routes, and what every request goes through.

use std::any::Any;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, header};
use axum::middleware::{from_fn, from_fn_with_state, map_request};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::cors::{Any as AnyOrigin, CorsLayer};

use super::App;
use super::error::ApiError;
use super::{aggregate, collections, etag, items, landing, limits, observe, openapi, schemas, search, site};

pub(super) fn router(app: App) -> Router {
    let documents = Router::new()
        .route("/", get(landing::landing))
        .route("/conformance", get(landing::conformance))
        .route("/api", get(openapi::openapi))
        .route("/collections", get(collections::collections))
        .route("/collections/{id}", get(collections::collection))
        .route("/collections/{id}/items", get(items::items))
        .route("/collections/{id}/items/{item}", get(items::item))
        .route("/collections/{id}/queryables", get(schemas::queryables_of))
        .route("/collections/{id}/sortables", get(schemas::sortables_of))
        .route("/aggregate", get(aggregate::aggregate).post(aggregate::aggregate_body))
        .route("/aggregations", get(aggregate::aggregations))
        .route("/collections/{id}/aggregate", get(aggregate::aggregate_of))
        .route("/collections/{id}/aggregations", get(aggregate::aggregations_of))
        .route("/queryables", get(schemas::queryables))
        .route("/sortables", get(schemas::sortables))
        .route("/search", get(search::search).post(search::search_body))
        .route("/overview", get(site::overview))
        .layer(from_fn_with_state(app.clone(), limits::in_time))
        .layer(from_fn_with_state(app.clone(), etag::tagged))
        .layer(from_fn(site::or_page));
    Router::new()
        .merge(documents)
        .route("/site/{name}", get(site::asset))
        .route("/healthz", get(healthz))
        .route("/metrics", get(observe::metrics))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(CompressionLayer::new().compress_when(is_worth_compressing()))
        .layer(map_request(named_encoding))
        .layer(cors())
        .layer(from_fn_with_state(app.clone(), observe::observe))
        .with_state(app)
}

/// Whether the service can answer: it has opened the table.
async fn healthz() -> &'static str {
    "ok\n"
}

async fn no_route(request: Request) -> ApiError {
    ApiError::not_found(format!("there is nothing at {}; GET / lists what there is", request.uri().path()))
}

async fn no_method(request: Request) -> ApiError {
    ApiError::method(request.method())
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    ApiError::internal(format!("a panic: {}", text.unwrap_or("of another kind"))).into_response()
}

/// Who takes any encoding, and names none, often knows none.
async fn named_encoding(mut request: Request) -> Request {
    let headers = request.headers_mut();
    if headers.get(header::ACCEPT_ENCODING).is_some_and(|any| any == "*") {
        headers.remove(header::ACCEPT_ENCODING);
    }
    request
}

/// What is compressed already is left alone.
fn is_worth_compressing() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("application/vnd.apache."))
}

/// Pages of every origin may ask.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::OPTIONS])
        .allow_headers(AnyOrigin)
        .expose_headers([header::ETAG, header::LINK, header::RETRY_AFTER])
}
