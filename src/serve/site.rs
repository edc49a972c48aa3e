//! The page for people: `/` for who prefers HTML, the files below `/site`, and `/overview`, which the page draws.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use twox_hash::XxHash3_128;

use super::App;
use super::error::ApiError;
use super::etag::has;
use super::links::JSON;
use super::reader::View;
use crate::site::{Asset, Content, INDEX, document};

/// What the page may load: its own files, pictures of assets from anywhere, and MapLibre's worker, which it makes itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data: blob: http: https:; worker-src blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'self'";

/// Answers `/` with the page where the client prefers HTML.
pub(super) async fn or_page(request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    match is_read && request.uri().path() == "/" && prefers_html(request.headers()) {
        true => file(&INDEX, request.headers()),
        false => next.run(request).await,
    }
}

/// `GET /site/{name}`.
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let asset = Asset::named(&name).ok_or_else(|| ApiError::not_found(format!("the page has no file {name}")))?;
    Ok(file(&asset, &headers))
}

/// `GET /overview`.
pub(super) async fn overview(
    State(app): State<App>,
    Extension(view): Extension<Arc<View>>,
) -> Result<Response, ApiError> {
    let _permit = app.permit().await?;
    let overview = app.reader.overview(&view).await.map_err(ApiError::running)?;
    let text = document(&app.options.title, overview).map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, JSON)], text).into_response())
}

/// A file, or 304 for a client that has it. Its tag is its own: no commit changes it.
fn file(asset: &Asset, headers: &HeaderMap) -> Response {
    let tag = format!("W/\"{:032x}\"", XxHash3_128::oneshot(asset.bytes()));
    let mut response = match has(headers, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => body(asset, headers),
    };
    let of_response = response.headers_mut();
    of_response.extend(HeaderValue::from_str(&tag).map(|tag| (header::ETAG, tag)));
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept, accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    of_response.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

fn body(asset: &Asset, headers: &HeaderMap) -> Response {
    let media_type = (header::CONTENT_TYPE, asset.media_type());
    match asset.content {
        Content::Text(text) => ([media_type], text).into_response(),
        Content::Gzip(bytes) if takes_gzip(headers) => {
            ([media_type, (header::CONTENT_ENCODING, "gzip")], bytes).into_response()
        }
        Content::Gzip(_) => match asset.text() {
            Ok(text) => ([media_type], text.into_owned()).into_response(),
            Err(error) => ApiError::internal(format!("{}: {error}", asset.name)).into_response(),
        },
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    weight(headers, &header::ACCEPT_ENCODING, &["gzip"]) > 0.0
}

/// Whether HTML is what a client would rather have than JSON. Who takes anything, or says nothing, is a client of the API.
fn prefers_html(headers: &HeaderMap) -> bool {
    let html = weight(headers, &header::ACCEPT, &["text/html", "text/*", "*/*"]);
    let json = ["application/json", "application/geo+json"]
        .map(|json| weight(headers, &header::ACCEPT, &[json, "application/*", "*/*"]));
    html > json[0] && html > json[1]
}

/// The weight (RFC 9110, 12.4.2) that a header gives to the first of `names` that it has; 0 if it has none of them.
fn weight(headers: &HeaderMap, header: &HeaderName, names: &[&str]) -> f32 {
    let given = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    let given: Vec<(String, f32)> = given
        .flat_map(|value| value.split(','))
        .map(|each| {
            let mut parts = each.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            (name, weight.unwrap_or(1.0))
        })
        .collect();
    let found = names.iter().find_map(|name| given.iter().find(|(of, _)| of == name));
    found.map_or(0.0, |(_, weight)| *weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_the_page_and_programs_get_json() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        for (accept, html) in [
            (browser, true),
            ("text/html", true),
            ("text/*", true),
            ("application/json;q=0.5, text/html;q=0.9", true),
            ("*/*", false),
            ("", false),
            ("application/geo+json", false),
            ("application/json, text/html;q=0.9", false),
            ("application/geo+json, text/html", false),
            ("text/html, application/json", false),
            ("text/html;q=0, */*", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(prefers_html(&headers), html, "{accept}");
        }
        assert!(!prefers_html(&HeaderMap::new()));
    }

    #[test]
    fn gzip_is_for_who_takes_it() {
        for (accept, gzip) in [("gzip, br", true), ("br;q=1, GZIP;q=0.1", true), ("gzip;q=0", false), ("br", false)] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accept.parse().unwrap())]);
            assert_eq!(takes_gzip(&headers), gzip, "{accept}");
        }
    }
}
