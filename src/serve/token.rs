//! [`Token`]: where a page ends, and of which state of the table it is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ApiError;

/// Where the next page of a search begins. Clients get it as a text that says nothing to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Token {
    /// Id of the snapshot of which all pages are.
    pub snapshot: i64,
    /// What tells the search from others.
    pub search: u64,
    /// How many Items the search finds, if that is known.
    pub matched: Option<u64>,
    /// Of the last Item of the page before.
    pub position: Value,
}

impl Token {
    pub fn read(text: &str) -> Result<Self, ApiError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let token = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        token.ok_or_else(|| ApiError::parameter("token", "it is none of this service; take it from a link next"))
    }

    /// Errors where the search is another than that of the page before.
    pub fn check(&self, search: u64) -> Result<(), ApiError> {
        match self.search == search {
            true => Ok(()),
            false => {
                let reason = "it is of another search; send it with the parameters that the page before was asked with";
                Err(ApiError::parameter("token", reason))
            }
        }
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let json = serde_json::to_vec(self).map_err(|_| std::fmt::Error)?;
        f.write_str(&URL_SAFE_NO_PAD.encode(json))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let position = json!([4_602_678_819_172_646_912_u64, null, "é", -1]);
        let token = Token { snapshot: i64::MIN, search: u64::MAX, matched: Some(7), position };
        assert_eq!(Token::read(&token.to_string()).unwrap(), token);
        for text in ["", "x", "e30", "bnVsbA", "=", "é"] {
            assert!(Token::read(text).is_err(), "{text}");
        }
        assert!(token.check(1).is_err() && token.check(u64::MAX).is_ok());
    }
}
