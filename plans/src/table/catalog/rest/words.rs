//! What a message says of an answer, or of none.

use serde_json::Value;

/// Why there was no answer, with what was behind it.
pub(super) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        reason = format!("{reason}: {error}");
        source = error.source();
    }
    reason
}

/// What a server says is wrong, in one line.
pub(super) fn message(body: &[u8]) -> String {
    const LONGEST: usize = 300;
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let said = parsed.as_ref().and_then(|body| {
        let error = body.get("error")?;
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        match error {
            Value::String(kind) => Some(text(body, "error_description").unwrap_or_else(|| kind.clone())),
            error => text(error, "message"),
        }
    });
    let said = said.unwrap_or_else(|| match body.first() {
        // A page is of some other server, or of what stands before it.
        Some(b'<') => "a page of HTML".to_owned(),
        _ => String::from_utf8_lossy(body).into_owned(),
    });
    let words: Vec<&str> =
        said.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "without a word".to_owned(),
        None => line,
    }
}

/// What to do about a status that says no.
pub(super) fn advice(status: u16, has_credentials: bool) -> &'static str {
    match status {
        401 | 419 if has_credentials => {
            "get a new token for EARTHCATALOG_CATALOG_TOKEN, or set EARTHCATALOG_CATALOG_CREDENTIAL in its place"
        }
        401 | 419 => "set EARTHCATALOG_CATALOG_TOKEN, or EARTHCATALOG_CATALOG_CREDENTIAL=ID:SECRET for OAuth2",
        403 => "whoever these credentials are of needs the permission for it there",
        404 => "is the URL right, to which /v1/config is appended, and its warehouse= and table=?",
        405 | 406 | 501 => "the server does not have this part of Iceberg's specification",
        429 => "it is asked too often; try again later",
        _ => "nothing was changed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_line() {
        let message = |body: &str| message(body.as_bytes());
        assert_eq!(message(r#"{"error":{"message":"no\n such  table","type":"T","code":404}}"#), "no such table");
        assert_eq!(message(r#"{"error":"invalid_client","error_description":"who?"}"#), "who?");
        assert_eq!(message(r#"{"error":"invalid_client"}"#), "invalid_client");
        assert_eq!(message("<html>"), "a page of HTML");
        assert_eq!(message(""), "without a word");
        assert_eq!(message(&"é".repeat(400)).chars().count(), 301);
    }
}
