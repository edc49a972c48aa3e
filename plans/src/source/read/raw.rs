//! The bytes of an Item on their way from a store to the decoder.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use futures::stream::BoxStream;

use crate::model::chunk::IngestedObject;
use crate::source::decode::Defect;
use crate::source::keys::KeyBase;
use crate::source::spool::Entry;

/// Items as they arrive, in order; an error ends the query.
pub(in super::super) type Block = Vec<Raw>;
pub(super) type Blocks = BoxStream<'static, Result<Block>>;

/// The raw bytes of one Item, or why there are none.
#[derive(Debug)]
pub(in super::super) struct Raw {
    pub object: ObjectName,
    /// Line, feature or row within the object.
    pub position: Option<u64>,
    /// Where in the object.
    pub range: Option<Range<u64>>,
    pub body: Result<Bytes, Defect>,
}

/// The object of an Item, named only if the Item is rejected.
#[derive(Debug, Clone)]
pub(in super::super) enum ObjectName {
    Url(Arc<str>),
    Listed(Entry, Arc<KeyBase>),
}

impl ObjectName {
    pub fn url(&self) -> String {
        match self {
            Self::Url(url) => url.to_string(),
            Self::Listed(entry, keys) => keys.url(entry),
        }
    }

    /// A listed object, with its version as far as the listing tells it; `None` of one that is not listed.
    pub fn ingested(&self) -> Option<IngestedObject> {
        let Self::Listed(entry, keys) = self else { return None };
        Some(keys.ingested(entry))
    }
}
