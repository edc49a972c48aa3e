//! Whether a client has an answer already: its tag is that of the table's state and of the question.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use twox_hash::XxHash3_128;

use super::App;
use super::links::Base;
use crate::version;

/// Hands the state of the table on to what answers, and answers itself where the client has what would be answered.
pub(super) async fn tagged(State(app): State<App>, base: Base, mut request: Request, next: Next) -> Response {
    let view = app.reader.view();
    request.extensions_mut().insert(view.clone());
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let accept = request.headers().get(header::ACCEPT).map_or(&b""[..], HeaderValue::as_bytes);
    let parts = [
        version::SHORT.as_bytes(),
        view.tag.as_bytes(),
        base.as_str().as_bytes(),
        request.uri().to_string().as_bytes(),
        accept,
    ]
    .join(&0);
    // Weak: it may be compressed in one way or another.
    let tag = format!("W/\"{:032x}\"", XxHash3_128::oneshot(&parts));
    let known = has(request.headers(), &tag);
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => next.run(request).await,
    };
    if known || response.status() == StatusCode::OK {
        let headers = response.headers_mut();
        headers.extend(HeaderValue::from_str(&tag).map(|tag| (header::ETAG, tag)));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
    }
    response
}

/// Whether the client says that it has what `tag` names.
pub(super) fn has(headers: &HeaderMap, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let given = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|given| given.to_str().ok());
    given.flat_map(|given| given.split(',')).any(|given| given.trim() == "*" || strong(given) == strong(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_compared_weakly_with_each_that_is_given() {
        let mut headers = HeaderMap::new();
        assert!(!has(&headers, "W/\"a\""));
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"b\", \"a\""));
        assert!(has(&headers, "W/\"a\"") && !has(&headers, "W/\"c\""));
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        assert!(has(&headers, "W/\"a\""));
    }
}
