//! What to set when a store cannot be reached or says no.

use std::error::Error as StdError;

use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};
use thiserror::Error as ThisError;

/// Who runs a store: its variables are the ones to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    S3,
    Google,
    Azure,
    Other,
}

#[derive(Debug, ThisError)]
#[error("{source}; {advice}")]
struct Advised {
    advice: &'static str,
    source: Box<dyn StdError + Send + Sync>,
}

/// Where machines of a cloud ask for credentials.
const METADATA_SERVICE: &str = "169.254.";

impl Service {
    /// The same error; its text ends in what to set, if that is known.
    pub(super) fn advise(self, error: Error) -> Error {
        let Some(advice) = self.advice(&error) else { return error };
        let advised = |source| Box::new(Advised { advice, source });
        match error {
            Error::Generic { store, source } => Error::Generic { store, source: advised(source) },
            Error::NotFound { path, source } => Error::NotFound { path, source: advised(source) },
            Error::PermissionDenied { path, source } => Error::PermissionDenied { path, source: advised(source) },
            Error::Unauthenticated { path, source } => Error::Unauthenticated { path, source: advised(source) },
            other => other,
        }
    }

    fn advice(self, error: &Error) -> Option<&'static str> {
        let text = error.to_string();
        let has = |part: &str| text.contains(part);
        Some(match (self, error) {
            (_, _) if cause::<Advised>(error).is_some() => return None,
            (_, Error::NotFound { .. }) if has("NoSuchBucket") => "is the name of the bucket right, and the endpoint?",
            (_, Error::NotFound { .. }) => return None,
            (Self::S3, _) if has(METADATA_SERVICE) => self.credentials(),
            (Self::S3, _) if has("URL scheme is not allowed") => "set AWS_ALLOW_HTTP=true for an endpoint without TLS",
            (Self::S3, _) if has("redirect without LOCATION") || has("PermanentRedirect") => {
                "set AWS_REGION to the region of the bucket"
            }
            (Self::S3, _) if is_unreachable(error) => "is AWS_ENDPOINT_URL right, and the network up?",
            (_, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) => self.credentials(),
            (_, _) if is_unreachable(error) => "is the endpoint right, and the network up?",
            _ => return None,
        })
    }

    /// Which credentials there may be.
    pub(super) fn credentials(self) -> &'static str {
        match self {
            Self::S3 => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (profiles in ~/.aws are not read), or AWS_SKIP_SIGNATURE=true for a public bucket"
            }
            Self::Google => "set GOOGLE_SERVICE_ACCOUNT to the file of a key, or GOOGLE_SKIP_SIGNATURE=true",
            Self::Azure => "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_SKIP_SIGNATURE=true",
            Self::Other => "the server asks for credentials, and there are none to give",
        }
    }
}

/// Whether a server could not be reached, or did not answer in time.
pub(super) fn is_unreachable(error: &Error) -> bool {
    cause::<HttpError>(error).is_some_and(|e| matches!(e.kind(), HttpErrorKind::Connect | HttpErrorKind::Timeout))
}

/// The error itself or one below it, of a type.
fn cause<E: StdError + 'static>(error: &Error) -> Option<&E> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
