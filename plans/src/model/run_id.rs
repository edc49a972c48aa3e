//! [`RunId`]: what a run is called.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use thiserror::Error;

/// Bytes of the longest one: it names folders, and most file systems take 255.
const MOST_BYTES: usize = 200;

/// The id of a run: a name of one folder, of the same meaning as text, in a path and in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(String);

/// Why a text is not the id of a run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} cannot name a run: {reason}; take letters, digits, '-', '_' and '.'")]
pub struct RunIdError {
    text: String,
    reason: &'static str,
}

impl FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let special = |c: char| matches!(c, '/' | '\\' | '#' | '?' | '%') || c.is_control();
        let reason = match text {
            "" => "it is empty",
            "." | ".." => "it means another folder",
            _ if text.len() > MOST_BYTES => "it has more than 200 bytes",
            _ if text.contains(special) => "it has a '/', '\\', '#', '?', '%' or a control character",
            _ => return Ok(Self(text.to_owned())),
        };
        Err(RunIdError { text: text.to_owned(), reason })
    }
}

impl Deref for RunId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<RunId> for String {
    fn from(run: RunId) -> Self {
        run.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_called_what_is_one_folder_whoever_reads_it() {
        for right in ["r1", "2025-09-01 é", "...", ".a", &"x".repeat(200)] {
            assert_eq!(&*right.parse::<RunId>().unwrap(), right);
        }
        for wrong in ["", ".", "..", "a/b", "a\\b", "a#b", "a?b", "%2e%2e", "a\nb", "\u{7f}", &"é".repeat(101)] {
            let error = wrong.parse::<RunId>().unwrap_err().to_string();
            assert!(error.contains("cannot name a run"), "{error}");
        }
    }
}
