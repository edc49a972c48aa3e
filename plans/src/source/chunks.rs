//! [`Chunks`]: what planning leaves behind, where it was planned or in another process.

use std::sync::Arc;

use datafusion::common::{Result, internal_datafusion_err};
use url::Url;

use super::chunk::{Chunk, ChunkList};
use super::chunk_message::{decode, encode};
use super::spool::Spool;
use crate::runtime::Slices;

/// The chunks of a source, where it was planned, or on a worker in another process.
#[derive(Debug, Clone)]
pub(super) enum Chunks {
    Listed(Arc<ChunkList>),
    Sent(Slices),
}

impl Chunks {
    pub fn count(&self) -> usize {
        match self {
            Self::Listed(list) => list.chunks.len(),
            Self::Sent(slices) => slices.count(),
        }
    }

    /// A chunk, and the spool that its objects are in.
    pub async fn get(&self, chunk: usize) -> Result<(Chunk, Arc<Spool>)> {
        match self {
            Self::Listed(list) => {
                let chunk = list.chunks.get(chunk).ok_or_else(|| internal_datafusion_err!("there is no chunk {chunk}"));
                Ok((chunk?.clone(), Arc::clone(&list.spool)))
            }
            Self::Sent(slices) => decode(slices.get(chunk).await?).await,
        }
    }

    /// The same, to be sent; many chunks go to an object in `folder`.
    pub async fn sliced(&self, folder: Option<&Url>) -> Result<Slices> {
        match self {
            Self::Sent(slices) => Ok(slices.clone()),
            Self::Listed(list) => {
                let list = Arc::clone(list);
                let slice = move |i: usize| encode(&list.chunks[i], &list.spool);
                Slices::store(self.count(), Arc::new(slice), folder).await
            }
        }
    }
}
