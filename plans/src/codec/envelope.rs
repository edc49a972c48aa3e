//! What stands before each encoded operator: who wrote it, in which version, and what it is.

use datafusion::common::{Result, exec_err, plan_err};

/// Starts everything that we encode.
const MAGIC: &[u8] = b"earthcatalog\0";

/// Of the program, and of what its messages mean: the second number goes up with each change to them.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), ".2");

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
    // A version is a few bytes long.
    buf.push(VERSION.len() as u8);
    buf.extend(VERSION.as_bytes());
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
    let Some((version, rest)) = parts else {
        return plan_err!(
            "the plan is none of earthcatalog's; submit it with earthcatalog, and run earthcatalog's own scheduler and executors"
        );
    };
    if version != VERSION.as_bytes() {
        return plan_err!(
            "the plan comes from earthcatalog {}, and this is {VERSION}; client, scheduler and executors must be of one version",
            String::from_utf8_lossy(version)
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
    fn another_version_is_refused_with_both_versions() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(b"\x050.0.9\x01");
        let error = open(&bytes).unwrap_err().to_string();
        assert!(error.contains("comes from earthcatalog 0.0.9, and this is") && error.contains(VERSION), "{error}");
        for not_ours in [&b""[..], b"earthcatalog", b"\x0a\x02xy"] {
            assert!(open(not_ours).unwrap_err().to_string().contains("none of earthcatalog's"));
        }
    }
}
