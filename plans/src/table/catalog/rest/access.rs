//! [`Access`]: who asks a REST catalog, by a token or by OAuth2's client credentials.

use std::fmt;
use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::words::{message, reason};
use crate::table::rest_error::RestError;

/// A token that is sent as it is.
const TOKEN: &str = "EARTHCATALOG_CATALOG_TOKEN";
/// `ID:SECRET`, or a secret alone, for which the server gives tokens.
const CREDENTIAL: &str = "EARTHCATALOG_CATALOG_CREDENTIAL";
/// Where tokens are given, if not by the catalog.
const SERVER: &str = "EARTHCATALOG_CATALOG_OAUTH2_SERVER_URI";
/// What tokens are asked for, if not for `catalog`.
const SCOPE: &str = "EARTHCATALOG_CATALOG_SCOPE";

/// How long before its end a token is renewed; of one that ends sooner, a tenth of its time.
const SPARE: Duration = Duration::from_secs(30);

/// What the environment says of who asks.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Settings {
    token: Option<String>,
    credential: Option<String>,
    server: Option<String>,
    scope: Option<String>,
}

impl Settings {
    pub fn from_env() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        Self {
            token: variable(TOKEN),
            credential: variable(CREDENTIAL),
            server: variable(SERVER),
            scope: variable(SCOPE),
        }
    }
}

/// Who asks.
pub(super) struct Access {
    grant: Grant,
    scope: String,
    server: Option<String>,
    issued: Mutex<Option<Issued>>,
}

enum Grant {
    Nobody,
    Token(String),
    Client { id: Option<String>, secret: String },
}

struct Issued {
    token: String,
    ends: Option<Instant>,
}

/// What a server of tokens answers.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<f64>,
}

impl Access {
    /// Who asks, as settings say.
    ///
    /// Errors: they say two things.
    pub fn new(settings: &Settings) -> Result<Self, RestError> {
        let Settings { token, credential, server, scope } = settings;
        let grant = match (token, credential) {
            (None, None) => Grant::Nobody,
            (Some(token), None) => Grant::Token(token.trim().to_owned()),
            (None, Some(credential)) => match credential.trim().split_once(':') {
                Some((id, secret)) => Grant::Client { id: Some(id.to_owned()), secret: secret.to_owned() },
                None => Grant::Client { id: None, secret: credential.trim().to_owned() },
            },
            (Some(_), Some(_)) => {
                let reason = "and EARTHCATALOG_CATALOG_CREDENTIAL are both set; set one of them";
                return Err(RestError::Setting { variable: TOKEN, reason });
            }
        };
        // A header can have no other characters.
        if let Grant::Token(token) = &grant
            && !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(RestError::Setting {
                variable: TOKEN,
                reason: "is not a token: it has spaces or other characters that none has",
            });
        }
        let scope = scope.clone().unwrap_or_else(|| "catalog".to_owned());
        Ok(Self { grant, scope, server: server.clone(), issued: Mutex::default() })
    }

    pub fn has_credentials(&self) -> bool {
        !matches!(self.grant, Grant::Nobody)
    }

    /// Whether another token can be had in place of one that is refused.
    pub fn is_renewable(&self) -> bool {
        matches!(self.grant, Grant::Client { .. })
    }

    /// The token of the next request. `usual` is where the catalog says that tokens are given; `refused` is a token that is not
    /// taken any more.
    pub async fn token(
        &self,
        client: &Client,
        catalog: &str,
        usual: &str,
        refused: Option<&str>,
    ) -> Result<Option<String>, RestError> {
        let (id, secret) = match &self.grant {
            Grant::Nobody => return Ok(None),
            Grant::Token(token) => return Ok(Some(token.clone())),
            Grant::Client { id, secret } => (id, secret),
        };
        // Whoever comes meanwhile waits, and takes the same.
        let mut issued = self.issued.lock().await;
        if let Some(issued) = issued.as_ref()
            && issued.ends.is_none_or(|ends| Instant::now() < ends)
            && refused != Some(issued.token.as_str())
        {
            return Ok(Some(issued.token.clone()));
        }
        let server = self.server.as_deref().unwrap_or(usual);
        let failed = |why: String| RestError::Token {
            catalog: catalog.to_owned(),
            server: server.to_owned(),
            reason: self.hidden(&why),
        };
        let url = Url::parse(server).map_err(|e| failed(e.to_string()))?;
        let form = self.form(id.as_deref(), secret);
        let request = client.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let asked = Instant::now();
        let answer = request.send().await.map_err(|e| failed(reason(e)))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|e| failed(reason(e)))?;
        if !status.is_success() {
            return Err(failed(format!("{}: {}", status.as_u16(), message(&body))));
        }
        let Answer { access_token: token, expires_in } =
            serde_json::from_slice(&body).map_err(|_| failed("its answer has no access_token".to_owned()))?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(failed("its access_token is none".to_owned()));
        }
        let lasts = expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let ends = lasts.map(|lasts| asked + lasts - SPARE.min(lasts / 10));
        *issued = Some(Issued { token: token.clone(), ends });
        Ok(Some(token))
    }

    /// What a server of tokens is asked.
    fn form(&self, id: Option<&str>, secret: &str) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials").append_pair("scope", &self.scope);
        if let Some(id) = id {
            form.append_pair("client_id", id);
        }
        form.append_pair("client_secret", secret).finish()
    }

    /// A text that a server has written, without what it was sent.
    pub fn hidden(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let (Grant::Token(secret) | Grant::Client { secret, .. }) = &self.grant else { return text };
        let issued = self.issued.try_lock().ok().and_then(|issued| Some(issued.as_ref()?.token.clone()));
        for secret in [Some(secret), issued.as_ref()].into_iter().flatten().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret.as_str(), "…");
        }
        text
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grant = match self.grant {
            Grant::Nobody => "nobody",
            Grant::Token(_) => "a token",
            Grant::Client { .. } => "a client",
        };
        f.debug_struct("Access").field("grant", &grant).field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(set: &[(&str, &str)]) -> Result<Access, RestError> {
        let said = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        Access::new(&Settings { token: said(TOKEN), credential: said(CREDENTIAL), ..Settings::default() })
    }

    #[tokio::test]
    async fn who_asks_is_said_by_variables_of_which_one_is_enough() {
        let client = Client::new();
        assert!(!access(&[]).unwrap().has_credentials());
        let token = access(&[(TOKEN, " abc \n")]).unwrap();
        assert!(token.has_credentials() && !token.is_renewable());
        assert_eq!(token.token(&client, "c", "http://127.0.0.1:9/", None).await.unwrap().as_deref(), Some("abc"));
        let error = access(&[(TOKEN, "hunter2"), (CREDENTIAL, "a:b")]).unwrap_err().to_string();
        assert!(error.contains(TOKEN) && error.contains(CREDENTIAL) && !error.contains("hunter2"), "{error}");
        let error = access(&[(TOKEN, "hunter2\nX-Other: 1")]).unwrap_err().to_string();
        assert!(error.contains("is not a token") && !error.contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn no_message_has_a_secret() {
        let access = access(&[(CREDENTIAL, "me:hunter2")]).unwrap();
        assert_eq!(access.hidden("invalid secret hunter2!"), "invalid secret …!");
        assert!(!format!("{access:?}").contains("hunter2"));
        let refused = access.token(&Client::new(), "https://h/c", "http://127.0.0.1:9/v1/oauth/tokens", None).await;
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("https://h/c") && error.contains(CREDENTIAL) && !error.contains("hunter2"), "{error}");
    }
}
