//! [`Settles`]: of which state of a table a compaction says that it is settled.

/// The state of a table of which a compaction may say that each Item has one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settles {
    /// As the document at this location lists it.
    Listed(String),
    /// As of this snapshot, the ids of which are not listed.
    Unlisted(i64),
}
