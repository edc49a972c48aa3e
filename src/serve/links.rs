//! [`Base`]: the address at which clients see the service, and links below it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::App;

pub(super) const JSON: &str = "application/json";
pub(super) const GEOJSON: &str = "application/geo+json";
pub(super) const HTML: &str = "text/html";
pub(super) const SCHEMA: &str = "application/schema+json";
pub(super) const OPENAPI: &str = "application/vnd.oai.openapi+json;version=3.0";

pub(super) const QUERYABLES: &str = "http://www.opengis.net/def/rel/ogc/1.0/queryables";
pub(super) const SORTABLES: &str = "http://www.opengis.net/def/rel/ogc/1.0/sortables";

/// The relations of an Item that are those of the service, whatever the Item says.
pub(super) const OF_SERVICE: [&str; 4] = ["self", "parent", "collection", "root"];

/// What need not be encoded in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// The address at which a client sees the service, without a slash at its end.
#[derive(Debug, Clone)]
pub(super) struct Base(String);

impl Base {
    /// `public` is what the service was told; else it is the host that the client has named, or that it listens on.
    fn of(public: Option<&str>, headers: &HeaderMap, bound: &str) -> Self {
        if let Some(public) = public {
            return Self(public.trim_end_matches('/').to_owned());
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
        Self(format!("http://{}", host.as_ref().map_or(bound, Authority::as_str)))
    }

    pub fn root(&self) -> String {
        format!("{}/", self.0)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address of a path of these segments.
    pub fn href(&self, segments: &[&str]) -> String {
        segments.iter().fold(self.0.clone(), |href, segment| {
            // A segment of dots alone would be taken for the way up.
            let encoded = match segment.bytes().all(|byte| byte == b'.') {
                true => segment.replace('.', "%2E"),
                false => utf8_percent_encode(segment, SEGMENT).to_string(),
            };
            href + "/" + &encoded
        })
    }

    pub fn collection(&self, id: &str) -> String {
        self.href(&["collections", id])
    }

    /// The links of an Item, as JSON objects with commas between.
    pub fn of_item(&self, collection: Option<&str>, id: &str) -> String {
        let mut links = vec![link("root", &self.root(), JSON)];
        if let Some(collection) = collection {
            let at = self.collection(collection);
            links.push(link("self", &self.href(&["collections", collection, "items", id]), GEOJSON));
            links.extend(["parent", "collection"].map(|rel| link(rel, &at, JSON)));
        }
        links.iter().map(Value::to_string).collect::<Vec<_>>().join(",")
    }
}

impl FromRequestParts<App> for Base {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::of(app.options.url.as_deref(), &parts.headers, &app.bound))
    }
}

pub(super) fn link(rel: &str, href: &str, media_type: &str) -> Value {
    json!({"rel": rel, "href": href, "type": media_type})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_below_the_address_that_the_client_sees() {
        let mut headers = HeaderMap::new();
        let base = |public, headers: &HeaderMap| Base::of(public, headers, "127.0.0.1:8080").root();
        assert_eq!(base(None, &headers), "http://127.0.0.1:8080/");
        headers.insert(header::HOST, "stac.example.com:81".parse().unwrap());
        assert_eq!(base(None, &headers), "http://stac.example.com:81/");
        assert_eq!(base(Some("https://example.com/stac/"), &headers), "https://example.com/stac/");
        headers.insert(header::HOST, "a b/<".parse().unwrap());
        assert_eq!(base(None, &headers), "http://127.0.0.1:8080/");
    }

    #[test]
    fn ids_are_segments_whatever_is_in_them() {
        let base = Base("http://h".to_owned());
        assert_eq!(
            base.href(&["collections", "a/b?c", "items", "..", "é"]),
            "http://h/collections/a%2Fb%3Fc/items/%2E%2E/%C3%A9"
        );
        let links = base.of_item(None, "x");
        assert_eq!(links, r#"{"rel":"root","href":"http://h/","type":"application/json"}"#);
        let links: Value = serde_json::from_str(&format!("[{}]", base.of_item(Some("c"), "x"))).unwrap();
        let rels: Vec<_> = links.as_array().unwrap().iter().map(|link| link["rel"].as_str().unwrap()).collect();
        assert_eq!(rels, ["root", "self", "parent", "collection"]);
        assert_eq!(links[1]["href"], "http://h/collections/c/items/x");
    }
}
