//! `/api`: the service in OpenAPI 3.0.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::error::ApiError;
use super::links::{Base, OPENAPI};

const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /api`.
pub(super) async fn openapi(base: Base) -> Result<Response, ApiError> {
    let mut document: Value = serde_json::from_str(DOCUMENT).map_err(ApiError::internal)?;
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["servers"][0]["url"] = base.as_str().into();
    Ok(([(header::CONTENT_TYPE, OPENAPI)], document.to_string()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_each_reference() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        for reference in DOCUMENT.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
