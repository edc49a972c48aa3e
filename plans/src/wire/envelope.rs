//! What stands before each encoded operator: who wrote it, in which version, and what it is.

use std::sync::OnceLock;

use datafusion::common::{Result, exec_err, plan_err};

/// Starts everything that we encode.
const MAGIC: &[u8] = b"earthcatalog\0";

/// Of the program, and of what its messages mean: the last number goes up with each change to them.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), ".3");

static VERSION_OF_BUILD: OnceLock<String> = OnceLock::new();

/// Adds the commit of the program to [`version`]; to be called before anything is encoded, by a program that knows it.
///
/// The program is told, and not this crate built with it, because otherwise each commit would compile this crate anew.
pub fn set_commit(commit: &str) {
    // The first call counts: messages that are under way have its version.
    drop(VERSION_OF_BUILD.set(format!("{VERSION}+{commit}")));
}

/// The version that client, scheduler and executors must share.
pub fn version() -> &'static str {
    VERSION_OF_BUILD.get().map_or(VERSION, String::as_str)
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An operator of the cluster itself.
    Foreign = 0,
    WriteGeoParquet = 1,
    Stac = 2,
    BucketScan = 3,
    /// A plan as a logical node.
    Planned = 4,
    OncePerItem = 5,
}

const KINDS: [Kind; 6] =
    [Kind::Foreign, Kind::WriteGeoParquet, Kind::Stac, Kind::BucketScan, Kind::Planned, Kind::OncePerItem];

/// Appends the head of a message to `buf`.
pub(super) fn seal(kind: Kind, buf: &mut Vec<u8>) {
    buf.extend(MAGIC);
    let version = version().as_bytes();
    // A version is some bytes long, far from 255: its numbers, and the short name of a commit.
    buf.push(version.len() as u8);
    buf.extend(version);
    buf.push(kind as u8);
}

/// What `bytes` are, and the message.
///
/// Errors: they are of another version, or none of ours.
pub(super) fn open(bytes: &[u8]) -> Result<(Kind, &[u8])> {
    let parts = bytes.strip_prefix(MAGIC).and_then(|rest| {
        let (length, rest) = rest.split_first()?;
        rest.split_at_checked(*length as usize)
    });
    let Some((theirs, rest)) = parts else {
        return plan_err!(
            "the plan is none of earthcatalog's; submit it with earthcatalog, and run earthcatalog's own scheduler and executors"
        );
    };
    if theirs != version().as_bytes() {
        return plan_err!(
            "the plan comes from earthcatalog {}, and this is {}; client, scheduler and executors must run the same build",
            String::from_utf8_lossy(theirs),
            version()
        );
    }
    match rest.split_first().and_then(|(kind, message)| Some((*KINDS.get(*kind as usize)?, message))) {
        Some(opened) => Ok(opened),
        None => exec_err!("the plan is damaged: it has an operator of no known kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened() {
        for kind in KINDS {
            let mut bytes = vec![];
            seal(kind, &mut bytes);
            bytes.extend(b"message");
            assert_eq!(open(&bytes).unwrap(), (kind, &b"message"[..]));
        }
    }

    #[test]
    fn two_builds_of_one_version_refuse_each_other() {
        // This process has no commit set: it is a build of its own.
        let other = format!("{VERSION}+0a1b2c3");
        let mut bytes = MAGIC.to_vec();
        bytes.push(other.len() as u8);
        bytes.extend(other.as_bytes());
        bytes.push(Kind::Stac as u8);
        let error = open(&bytes).unwrap_err().to_string();
        assert!(error.contains(&format!("comes from earthcatalog {other}, and this is {VERSION};")), "{error}");
    }

    #[test]
    fn another_version_is_refused_with_both_versions() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(b"\x050.0.9\x01");
        let error = open(&bytes).unwrap_err().to_string();
        assert!(error.contains("comes from earthcatalog 0.0.9, and this is") && error.contains(version()), "{error}");
        for not_ours in [&b""[..], b"earthcatalog", b"\x0a\x02xy"] {
            assert!(open(not_ours).unwrap_err().to_string().contains("none of earthcatalog's"));
        }
    }
}
