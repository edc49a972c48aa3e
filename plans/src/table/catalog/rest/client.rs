//! [`RestClient`]: requests to a REST catalog, with the token that they need, repeated where that is safe.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::access::{Access, Settings};
use super::address::Address;
use super::words::{advice, message, reason};
use crate::table::rest_error::RestError;

type Result<T> = std::result::Result<T, RestError>;

/// How often a request is sent that can be repeated.
const ATTEMPTS: u32 = 5;

/// The longest that a server can have a request wait before it is repeated.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// What a segment of a path has as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Between the levels of a namespace in a path, where the server says nothing else.
const SEPARATOR: &str = "%1F";

#[derive(Debug)]
pub(super) struct RestClient {
    pub address: Address,
    access: Access,
    http: Client,
    configuration: OnceCell<Configuration>,
}

/// What the server says of itself.
#[derive(Debug)]
struct Configuration {
    base: String,
    prefix: String,
    separator: String,
    tokens: String,
}

#[derive(Deserialize)]
struct ConfigurationAnswer {
    #[serde(default)]
    defaults: HashMap<String, Value>,
    #[serde(default)]
    overrides: HashMap<String, Value>,
}

/// A request, by what it is called in messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Request<'a> {
    pub name: &'static str,
    pub method: Method,
    /// Below the prefix.
    pub path: String,
    pub body: Option<&'a Value>,
    /// That of the answer before, of which there need not be another.
    pub etag: Option<&'a str>,
}

/// What a server answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub etag: Option<String>,
    pub body: Bytes,
}

impl Answer {
    /// The type of the error in Iceberg's form, if it is one.
    pub fn error_type(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        Some(body.get("error")?.get("type")?.as_str()?.to_owned())
    }
}

impl RestClient {
    pub fn new(address: Address, settings: &Settings) -> Result<Self> {
        let unusable = |e| RestError::Unreachable { catalog: address.to_string(), reason: reason(e) };
        let http = Client::builder().connect_timeout(Duration::from_secs(10)).read_timeout(SILENCE);
        let http = http.user_agent(concat!("earthcatalog/", env!("CARGO_PKG_VERSION"))).build().map_err(unusable)?;
        Ok(Self { access: Access::new(settings)?, http, configuration: OnceCell::new(), address })
    }

    /// The path of the namespace.
    pub async fn namespace_path(&self) -> Result<String> {
        let separator = &self.configuration().await?.separator;
        let levels: Vec<String> = self.address.namespace().iter().map(|level| segment(level)).collect();
        Ok(format!("namespaces/{}", levels.join(separator)))
    }

    /// The path of the table.
    pub async fn table_path(&self) -> Result<String> {
        Ok(format!("{}/tables/{}", self.namespace_path().await?, segment(self.address.table())))
    }

    /// Sends a request that can be repeated: it changes nothing, or the same again.
    pub async fn ask(&self, request: Request<'_>) -> Result<Answer> {
        self.send_configured(&request, true).await
    }

    /// Sends a request whose outcome is unknown where there is no answer ([`RestError::NoAnswer`]); of any other error, nothing
    /// was done.
    pub async fn tell(&self, request: Request<'_>) -> Result<Answer> {
        self.send_configured(&request, false).await
    }

    async fn send_configured(&self, request: &Request<'_>, repeats: bool) -> Result<Answer> {
        let configuration = self.configuration().await?;
        self.send(&configuration.url(&request.path), &configuration.tokens, request, repeats).await
    }

    /// The error of an answer that says no.
    pub fn refused(&self, request: &'static str, answer: &Answer) -> RestError {
        let status = answer.status.as_u16();
        RestError::Refused {
            catalog: self.address.to_string(),
            request,
            status,
            message: self.access.hidden(&message(&answer.body)),
            advice: advice(status, self.access.has_credentials()),
        }
    }

    /// The error of an answer that is not understood.
    pub fn misunderstood(&self, request: &'static str, reason: impl ToString) -> RestError {
        RestError::Answer { catalog: self.address.to_string(), request, reason: reason.to_string() }
    }

    async fn configuration(&self) -> Result<&Configuration> {
        self.configuration.get_or_try_init(|| self.ask_for_configuration()).await
    }

    async fn ask_for_configuration(&self) -> Result<Configuration> {
        const NAME: &str = "a request for its configuration";
        let base = self.address.base();
        let tokens = format!("{base}/v1/oauth/tokens");
        let mut url = format!("{base}/v1/config");
        if let Some(warehouse) = self.address.warehouse() {
            url = format!("{url}?warehouse={}", segment(warehouse));
        }
        let request = Request { name: NAME, ..Request::default() };
        let answer = self.send(&url, &tokens, &request, true).await?;
        if !answer.status.is_success() {
            return Err(self.refused(NAME, &answer));
        }
        let said: ConfigurationAnswer =
            serde_json::from_slice(&answer.body).map_err(|e| self.misunderstood(NAME, e))?;
        let value = |name: &str| said.overrides.get(name).or_else(|| said.defaults.get(name))?.as_str();
        let base = value("uri").unwrap_or(base).trim_end_matches('/').to_owned();
        let tokens = value("oauth2-server-uri").map_or_else(|| format!("{base}/v1/oauth/tokens"), str::to_owned);
        Ok(Configuration {
            prefix: value("prefix").unwrap_or_default().trim_matches('/').to_owned(),
            separator: value("namespace-separator").unwrap_or(SEPARATOR).to_owned(),
            base,
            tokens,
        })
    }

    async fn send(&self, url: &str, tokens: &str, request: &Request<'_>, repeats: bool) -> Result<Answer> {
        let catalog = || self.address.to_string();
        let parsed = Url::parse(url).map_err(|e| self.misunderstood(request.name, e))?;
        let (mut refused, mut attempt) = (None, 0);
        loop {
            attempt += 1;
            let token = self.access.token(&self.http, &catalog(), tokens, refused.as_deref()).await?;
            let mut sent = self.http.request(request.method.clone(), parsed.clone()).header(ACCEPT, "application/json");
            sent = sent.header("x-iceberg-access-delegation", "vended-credentials");
            if let Some(token) = &token
                && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}"))
            {
                value.set_sensitive(true);
                sent = sent.header(AUTHORIZATION, value);
            }
            if let Some(etag) = request.etag {
                sent = sent.header(IF_NONE_MATCH, etag);
            }
            if let Some(body) = request.body {
                sent = sent.header(CONTENT_TYPE, "application/json").body(body.to_string());
            }
            let wait = Duration::from_millis(100 << attempt.min(6));
            let (wait, failure) = match answered(sent).await {
                Ok((answer, _)) if is_stale(answer.status) && self.access.is_renewable() && refused.is_none() => {
                    refused = token;
                    continue;
                }
                Ok((answer, after)) if answer.status == StatusCode::TOO_MANY_REQUESTS && attempt < ATTEMPTS => {
                    drop(answer);
                    (after.unwrap_or(wait), None)
                }
                Ok((answer, after)) if answer.status.is_server_error() => {
                    let said = format!("{} {}", answer.status.as_u16(), self.access.hidden(&message(&answer.body)));
                    let has_no_such_thing = answer.status == StatusCode::NOT_IMPLEMENTED;
                    if has_no_such_thing {
                        return Ok(answer);
                    }
                    let failure = RestError::NoAnswer { catalog: catalog(), request: request.name, reason: said };
                    if !repeats {
                        return Err(failure);
                    }
                    (after.unwrap_or(wait), Some(failure))
                }
                Ok((answer, _)) => return Ok(answer),
                Err(e) if e.is_connect() => {
                    (wait, Some(RestError::Unreachable { catalog: catalog(), reason: reason(e) }))
                }
                Err(e) => {
                    let (catalog, reason) = (catalog(), reason(e));
                    let failure = RestError::NoAnswer { catalog, request: request.name, reason };
                    if !repeats {
                        return Err(failure);
                    }
                    (wait, Some(failure))
                }
            };
            if let Some(failure) = failure.filter(|_| attempt >= ATTEMPTS) {
                return Err(failure);
            }
            tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
        }
    }
}

impl Configuration {
    fn url(&self, path: &str) -> String {
        let parts = [self.base.as_str(), "v1", &self.prefix, path];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }
}

/// An answer, and how long its server wants to be left alone.
async fn answered(request: reqwest::RequestBuilder) -> reqwest::Result<(Answer, Option<Duration>)> {
    let response = request.send().await?;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok().map(str::to_owned));
    let (status, etag) = (response.status(), header(ETAG));
    let after = header(RETRY_AFTER).and_then(|value| value.parse().ok()).map(Duration::from_secs);
    Ok((Answer { status, etag, body: response.bytes().await? }, after))
}

/// Whether a token is refused that may have been good before.
fn is_stale(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 419)
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_prefix_and_names_as_they_are() {
        let configuration = |prefix: &str| Configuration {
            base: "https://h/c".into(),
            prefix: prefix.into(),
            separator: SEPARATOR.into(),
            tokens: String::new(),
        };
        assert_eq!(configuration("").url("namespaces"), "https://h/c/v1/namespaces");
        assert_eq!(configuration("ws/a%20b").url("namespaces"), "https://h/c/v1/ws/a%20b/namespaces");
        assert_eq!(segment("a b/é.x-y"), "a%20b%2F%C3%A9.x-y");
    }
}
