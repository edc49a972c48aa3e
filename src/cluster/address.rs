//! [`ClusterAddress`]: where a scheduler is.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::Url;

/// Host and port of a scheduler, written `df://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterAddress {
    host: String,
    port: u16,
}

/// Port of a scheduler, where none is named.
pub const PORT: u16 = 50050;

#[derive(Debug, Error, PartialEq)]
#[error("it must be df://HOST:PORT, the address of a scheduler")]
pub struct InvalidAddress;

impl ClusterAddress {
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same as a URL, for gRPC and REST.
    pub fn http(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }
}

impl FromStr for ClusterAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let rest = text.strip_prefix("df://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        if rest.contains("://") {
            return Err(InvalidAddress);
        }
        let url = Url::parse(&format!("http://{}", rest.trim_end_matches('/'))).map_err(|_| InvalidAddress)?;
        let plain = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        match url.host_str().filter(|_| plain) {
            Some(host) => Ok(Self { host: host.to_owned(), port: port(rest, &url) }),
            None => Err(InvalidAddress),
        }
    }
}

/// A URL takes its scheme's own port for none.
fn port(text: &str, url: &Url) -> u16 {
    let default = if text.trim_end_matches('/').ends_with(":80") { 80 } else { PORT };
    url.port().unwrap_or(default)
}

impl fmt::Display for ClusterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "df://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (text, host, port) in [
            ("df://scheduler:50050", "scheduler", 50050),
            ("df://127.0.0.1:81/", "127.0.0.1", 81),
            ("df://scheduler", "scheduler", PORT),
            ("http://scheduler:80", "scheduler", 80),
            ("[::1]:7", "[::1]", 7),
        ] {
            assert_eq!(text.parse(), Ok(ClusterAddress::new(host, port)), "{text}");
        }
        for text in ["", "df://", "https://a:1", "df://a:1/b", "df://a:x", "df://me@a:1"] {
            assert_eq!(text.parse::<ClusterAddress>(), Err(InvalidAddress), "{text}");
        }
    }
}
