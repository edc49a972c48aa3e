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

/// A store's error with what to set; and without the markup of its answer.
#[derive(Debug, ThisError)]
#[error("{text}")]
struct Advised {
    text: String,
    source: Box<dyn StdError + Send + Sync>,
}

/// Where machines of a cloud ask for credentials.
const METADATA_SERVICE: &str = "169.254.";

impl Service {
    /// The same error; its text ends in what to set, if that is known.
    pub(super) fn advise(self, error: Error) -> Error {
        let advice = self.advice(&error);
        let advised = |source: Box<dyn StdError + Send + Sync>| -> Box<dyn StdError + Send + Sync> {
            let text = source.to_string();
            match (plain(&text), advice) {
                (None, None) => source,
                (Some(text), None) => Box::new(Advised { text, source }),
                (plain, Some(advice)) => {
                    let text = format!("{}; {advice}", plain.unwrap_or(text));
                    Box::new(Advised { text, source })
                }
            }
        };
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
            (Self::S3, _) if is_misconfigured(error) => "set AWS_ALLOW_HTTP=true for an endpoint without TLS (http://)",
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
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile in ~/.aws with keys, or AWS_SKIP_SIGNATURE=true for a public bucket"
            }
            Self::Google => "set GOOGLE_SERVICE_ACCOUNT to the file of a key, or GOOGLE_SKIP_SIGNATURE=true",
            Self::Azure => "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_SKIP_SIGNATURE=true",
            Self::Other => "the server asks for credentials, and there are none to give",
        }
    }
}

/// The code and message of an answer in XML, in place of the answer.
fn plain(text: &str) -> Option<String> {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once("</")?.0)
    };
    let (before, _) = text.split_once('<')?;
    Some(format!("{before}{}: {}", element("Code")?, element("Message")?))
}

/// Whether the client refuses to make such a request at all.
pub(super) fn is_misconfigured(error: &Error) -> bool {
    cause::<HttpError>(error).is_some_and(|e| e.to_string().contains("builder error"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_xml_becomes_a_sentence_and_its_kind_stays() {
        let answer = "404 Not Found: <?xml version=\"1.0\"?>\n<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message><X/></Error>";
        let error = Service::S3.advise(Error::NotFound { path: "a".into(), source: answer.into() });
        assert!(matches!(error, Error::NotFound { .. }));
        assert_eq!(
            error.to_string(),
            "Object at location a not found: 404 Not Found: NoSuchBucket: The specified bucket does not exist; is the name of the bucket right, and the endpoint?"
        );
        let twice = Service::S3.advise(error);
        assert_eq!(twice.to_string().matches("is the name").count(), 1);
    }
}
