//! `/` and `/conformance`: what there is, and what it conforms to.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::App;
use super::error::ApiError;
use super::links::{Base, GEOJSON, HTML, JSON, OPENAPI, QUERYABLES, SCHEMA, SORTABLES, link};
use super::reader::View;

/// What the service conforms to. Each is tested: by `tests/serve.rs`, and CQL2 by the examples of its standard.
const CONFORMANCE: &[&str] = &[
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/ogcapi-features#fields",
    "https://api.stacspec.org/v1.0.0/ogcapi-features#filter",
    "https://api.stacspec.org/v1.0.0/ogcapi-features#query",
    "https://api.stacspec.org/v1.0.0/ogcapi-features#sort",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#fields",
    "https://api.stacspec.org/v1.0.0/item-search#filter",
    "https://api.stacspec.org/v1.0.0/item-search#query",
    "https://api.stacspec.org/v1.0.0-rc.1/item-search#free-text",
    "https://api.stacspec.org/v1.0.0/item-search#sort",
    "https://api.stacspec.org/v0.3.0/aggregation",
    "https://api.stacspec.org/v0.3.0/aggregation#filter",
    "https://api.stacspec.org/v0.3.0/aggregation#query",
    // Deprecated, and asked for by clients.
    "https://api.stacspec.org/v1.0.0-rc.2/item-search#context",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
    "http://www.opengis.net/spec/cql2/1.0/conf/advanced-comparison-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/case-insensitive-comparison",
    "http://www.opengis.net/spec/cql2/1.0/conf/accent-insensitive-comparison",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/spatial-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/temporal-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/array-functions",
    "http://www.opengis.net/spec/cql2/1.0/conf/property-property",
    "http://www.opengis.net/spec/cql2/1.0/conf/arithmetic",
    // As drafts of CQL2 called them, and clients still do.
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-spatial-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/spatial-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/temporal-operators",
    "http://www.opengis.net/spec/cql2/1.0/conf/array-operators",
];

/// `GET /`.
pub(super) async fn landing(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
    base: Base,
) -> Result<Json<Value>, ApiError> {
    let search = |method: &str| {
        let mut search = link("search", &base.href(&["search"]), GEOJSON);
        search["method"] = method.into();
        search
    };
    let mut links = vec![
        link("self", &base.root(), JSON),
        link("root", &base.root(), JSON),
        link("service-desc", &base.href(&["api"]), OPENAPI),
        link("service-doc", &base.root(), HTML),
        link("conformance", &base.href(&["conformance"]), JSON),
        link("data", &base.href(&["collections"]), JSON),
        search("GET"),
        search("POST"),
        link("aggregate", &base.href(&["aggregate"]), JSON),
        link("aggregations", &base.href(&["aggregations"]), JSON),
        link(QUERYABLES, &base.href(&["queryables"]), SCHEMA),
        link(SORTABLES, &base.href(&["sortables"]), SCHEMA),
    ];
    let collections = app.reader.collections(&view).await.map_err(ApiError::running)?;
    links.extend(collections.iter().map(|collection| {
        let mut child = link("child", &base.collection(&collection.id), JSON);
        child["title"] = collection.title().into();
        child
    }));
    Ok(Json(json!({
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": "earthcatalog",
        "title": app.options.title,
        "description": "STAC Items of an earthcatalog warehouse",
        "conformsTo": CONFORMANCE,
        "links": links,
    })))
}

/// `GET /conformance`.
pub(super) async fn conformance() -> Json<Value> {
    Json(json!({"conformsTo": CONFORMANCE}))
}
