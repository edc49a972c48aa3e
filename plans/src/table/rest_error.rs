//! [`RestError`]: what can go wrong with a REST catalog. No message has a token or a credential.

use thiserror::Error;

/// Why a REST catalog could not be asked, or said no.
#[derive(Debug, Error)]
pub enum RestError {
    #[error("{url} is not the URL of a REST catalog: {reason}")]
    Address { url: String, reason: String },
    #[error("{variable} {reason}")]
    Setting { variable: &'static str, reason: &'static str },
    #[error("the REST catalog {catalog} cannot be reached: {reason}; is its URL right, and does it run?")]
    Unreachable { catalog: String, reason: String },
    #[error("the REST catalog {catalog} did not answer {request}: {reason}; look whether it is well, and try again")]
    NoAnswer { catalog: String, request: &'static str, reason: String },
    #[error("the REST catalog {catalog} refused {request} ({status}): {message}; {advice}")]
    Refused { catalog: String, request: &'static str, status: u16, message: String, advice: &'static str },
    #[error(
        "the REST catalog {catalog} gave no token (from {server}): {reason}; look at EARTHCATALOG_CATALOG_CREDENTIAL, EARTHCATALOG_CATALOG_SCOPE and EARTHCATALOG_CATALOG_OAUTH2_SERVER_URI"
    )]
    Token { catalog: String, server: String, reason: String },
    #[error(
        "the REST catalog {catalog} answered {request} otherwise than Iceberg's specification says: {reason}; is its URL right?"
    )]
    Answer { catalog: String, request: &'static str, reason: String },
    #[error("the REST catalog {catalog} cannot be told of this change of the table: {reason}; nothing was changed")]
    Inexpressible { catalog: String, reason: String },
    #[error(
        "the REST catalog {catalog} created table {table} otherwise than it was asked to: {reason}; drop that table there, and create it in another catalog"
    )]
    Created { catalog: String, table: String, reason: String },
}
