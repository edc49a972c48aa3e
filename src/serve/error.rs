//! [`ApiError`]: why a request has no answer, as its client reads it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use datafusion::common::DataFusionError;
use earthcatalog_plans::search::{PARAMETERS, SearchError};
use serde_json::json;

use super::log::log;
use crate::reason::reason;

/// Parameter with the token of a page.
pub(super) const TOKEN: &str = "token";

/// Why a request has no answer: a status, and a body with `code` and `description`.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    description: String,
}

/// Seconds after which a client may come again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

impl ApiError {
    fn new(status: StatusCode, code: &'static str, description: impl Into<String>) -> Self {
        Self { status, code, description: description.into() }
    }

    /// What the client gave for a parameter is none of its values.
    pub fn parameter(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameterValue", format!("{name}: {reason}"))
    }

    /// There is no parameter of that name, beside those of a search, `own` ones, and the token of a page.
    pub fn unknown_parameter(name: &str, own: &[&str]) -> Self {
        let known: Vec<&str> = PARAMETERS.iter().chain(own).chain([&TOKEN]).copied().collect();
        let description = format!("{name}: there is no such parameter; there are {}", known.join(", "));
        Self::new(StatusCode::BAD_REQUEST, "UnknownParameter", description)
    }

    pub fn too_large(bytes: usize) -> Self {
        let description = format!("the body has more than {bytes} bytes; ask for less at once");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "BodyTooLarge", description)
    }

    /// There is no such thing.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", what.to_string())
    }

    pub fn method(method: &axum::http::Method) -> Self {
        let description = format!("{method} is not answered here; the service is read-only");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", description)
    }

    /// The snapshot that a token pins is no longer there.
    pub fn gone(snapshot: i64) -> Self {
        let description =
            format!("token: snapshot {snapshot}, of which the earlier pages are, has expired; begin the search again");
        Self::new(StatusCode::GONE, "TokenExpired", description)
    }

    pub fn busy() -> Self {
        let description = "as many requests are being answered as may be at once; try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Busy", description)
    }

    pub fn timeout(seconds: f64) -> Self {
        let description = format!(
            "there was no answer within {seconds} s; ask for a smaller place or a shorter time, or for fewer Items"
        );
        Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", description)
    }

    /// Nobody but this program is to blame; its log says more than the client needs to know.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        log(format_args!("error: {error}"));
        let description = "the request could not be answered; the log of the server says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", description)
    }

    /// A search could not be planned.
    pub fn planning(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::Plan(_) | DataFusionError::SchemaError(..) | DataFusionError::NotImplemented(_) => {
                let reason = reason(&error);
                let description = reason.strip_prefix("stac_search: ").unwrap_or(&reason);
                Self::new(StatusCode::BAD_REQUEST, "InvalidParameterValue", description)
            }
            _ => Self::running(error),
        }
    }

    /// A search failed on the way.
    pub fn running(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => {
                let description =
                    "the answer needs more memory than there is now; ask for fewer Items, or try again later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "OutOfMemory", description)
            }
            _ => Self::internal(reason(&error)),
        }
    }
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        let code = match error {
            SearchError::Unknown(_) => "UnknownParameter",
            SearchError::Parameter { .. } => "InvalidParameterValue",
            SearchError::NotAnObject(_) => "InvalidBody",
        };
        Self::new(StatusCode::BAD_REQUEST, code, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(json!({"code": self.code, "description": self.description}));
        let mut response = (self.status, body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
