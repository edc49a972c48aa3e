//! How much is done at once, and for how long.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::App;
use super::error::ApiError;

/// Bytes of a body, at most: a place with some fifty thousand corners.
const BODY: usize = 2 << 20;

/// How long a question waits for others to be answered.
const QUEUE: Duration = Duration::from_secs(5);

impl App {
    /// A place among the questions that are answered at once.
    pub async fn permit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let acquired = tokio::time::timeout(QUEUE, Arc::clone(&self.permits).acquire_owned()).await;
        acquired.map_err(|_| ApiError::busy())?.map_err(|_| ApiError::busy())
    }
}

/// Ends a question that takes too long.
pub(super) async fn in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let limit = app.options.timeout;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::timeout(limit.as_secs_f64()).into_response(),
    }
}

/// The body of a request.
pub(super) async fn body(request: Request) -> Result<Bytes, ApiError> {
    let length = request.headers().get(axum::http::header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY) {
        return Err(ApiError::too_large(BODY));
    }
    // It is too large, or the client has gone.
    to_bytes(request.into_body(), BODY).await.map_err(|_| ApiError::too_large(BODY))
}
