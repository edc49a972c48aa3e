//! How much is done at once, and for how long.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::sync::OwnedSemaphorePermit;

use super::App;
use super::error::ApiError;

/// Bytes of a body, at most: a place with some fifty thousand corners.
const BODY: usize = 2 << 20;

/// Bytes of a body that are read before the connection is ended, at most.
const READ: usize = 16 * BODY;

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

/// The body of a request. One that is too large is read to its end, unless that is far: most clients hear no answer
/// before they have sent all of it, and take the end of the connection for a failure.
pub(super) async fn body(request: Request) -> Result<Bytes, ApiError> {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > READ) {
        return Err(ApiError::too_large(BODY));
    }
    let mut parts = request.into_body().into_data_stream();
    let (mut body, mut read) = (BytesMut::new(), 0);
    while read <= READ
        && let Some(part) = parts.next().await
    {
        // An error is a client that has gone.
        let part = part.map_err(|_| ApiError::too_large(BODY))?;
        read += part.len();
        if read <= BODY {
            body.extend_from_slice(&part);
        }
    }
    if read > BODY { Err(ApiError::too_large(BODY)) } else { Ok(body.freeze()) }
}
