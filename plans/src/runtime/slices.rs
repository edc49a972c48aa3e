//! [`Slices`]: what each partition of a leaf must know, apart from the plan that all of them get.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, internal_datafusion_err, plan_err};
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use tokio::io::AsyncWriteExt;
use url::Url;

use crate::model::layout;
use crate::stores::{below, stores};

/// Bytes of all slices together that travel in the plan; each task gets the plan.
const IN_PLAN: usize = 16 << 10;

/// The same, where there is no folder for an object.
const IN_PLAN_AT_MOST: usize = 8 << 20;

/// Bytes of an entry of the index.
const ENTRY: u64 = 8;

/// A slice per partition: the chunks of an inventory, or groups of buckets. A plan has one or the other; of 10,000
/// chunks, the list alone would be larger than a message may be, and every task would get all of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Slices {
    /// In the plan.
    Inline(Arc<[Bytes]>),
    /// One behind the other in an object; then, from `index` on, where each ends (u64, little-endian).
    Object { url: Url, index: u64, count: usize },
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SlicesMessage {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    inline: Vec<Bytes>,
    #[prost(string, optional, tag = "2")]
    object: Option<String>,
    #[prost(uint64, tag = "3")]
    index: u64,
    #[prost(uint64, tag = "4")]
    count: u64,
}

/// Gives the slice of a partition.
pub(crate) type SliceOf = Arc<dyn Fn(usize) -> Result<Bytes> + Send + Sync>;

impl Slices {
    /// Of `count` partitions. Many bytes go to a new object in `folder`, whose URL ends in `/`.
    pub(crate) async fn store(count: usize, slice: SliceOf, folder: Option<&Url>) -> Result<Self> {
        let most = if folder.is_some() { IN_PLAN } else { IN_PLAN_AT_MOST };
        let (mut inline, mut bytes) = (vec![], 0);
        let next = async |i: usize| {
            let slice = Arc::clone(&slice);
            // It may be read from a local file.
            let read = tokio::task::spawn_blocking(move || slice(i)).await;
            read.map_err(std::io::Error::other)?
        };
        while inline.len() < count && bytes <= most {
            let slice: Bytes = next(inline.len()).await?;
            bytes += slice.len();
            inline.push(slice);
        }
        if bytes <= most {
            return Ok(Self::Inline(inline.into()));
        }
        let Some(folder) = folder else {
            return plan_err!(
                "the source has too many chunks for a query on a cluster; INSERT its rows into a table, or read less of it with option 'limit'"
            );
        };
        let url = below(folder, &layout::slices_name())?;
        let (store, path) = stores().locate(&url)?;
        let mut object = BufWriter::new(store, path);
        let (mut end, mut index) = (0, Vec::with_capacity(count * ENTRY as usize));
        let mut first = inline.into_iter();
        for i in 0..count {
            let slice = match first.next() {
                Some(slice) => slice,
                None => next(i).await?,
            };
            end += slice.len() as u64;
            index.extend(end.to_le_bytes());
            object.put(slice).await?;
        }
        object.put(index.into()).await?;
        object.shutdown().await?;
        Ok(Self::Object { url, index: end, count })
    }

    /// Of how many partitions.
    pub fn count(&self) -> usize {
        match self {
            Self::Inline(slices) => slices.len(),
            Self::Object { count, .. } => *count,
        }
    }

    /// The object that holds them, if one does.
    pub fn object(&self) -> Option<&Url> {
        match self {
            Self::Inline(_) => None,
            Self::Object { url, .. } => Some(url),
        }
    }

    /// The slice of a partition.
    pub async fn get(&self, partition: usize) -> Result<Bytes> {
        let none = || internal_datafusion_err!("there is no slice {partition}");
        match self {
            Self::Inline(slices) => slices.get(partition).cloned().ok_or_else(none),
            Self::Object { count, .. } if partition >= *count => Err(none()),
            Self::Object { url, index, .. } => {
                let (store, path) = stores().locate(url)?;
                let failed = |e: object_store::Error| {
                    DataFusionError::from(e).context(format!("cannot read what partition {partition} is to do"))
                };
                let last = index + partition as u64 * ENTRY;
                let from = if partition == 0 { last } else { last - ENTRY };
                let ends = store.get_range(&path, from..last + ENTRY).await.map_err(failed)?;
                let ends: Vec<u64> = ends.as_chunks().0.iter().map(|end| u64::from_le_bytes(*end)).collect();
                let range = match ends[..] {
                    [end] => 0..end,
                    [start, end] if start <= end => start..end,
                    _ => return Err(exec_datafusion_err!("{url} is damaged; start the run again")),
                };
                match range.is_empty() {
                    true => Ok(Bytes::new()),
                    false => store.get_range(&path, range).await.map_err(failed),
                }
            }
        }
    }

    pub(crate) fn to_message(&self) -> SlicesMessage {
        match self {
            Self::Inline(slices) => SlicesMessage { inline: slices.to_vec(), ..SlicesMessage::default() },
            Self::Object { url, index, count } => {
                SlicesMessage { inline: vec![], object: Some(url.to_string()), index: *index, count: *count as u64 }
            }
        }
    }

    pub(crate) fn from_message(message: Option<SlicesMessage>) -> Result<Self> {
        let message = message.unwrap_or_default();
        Ok(match message.object {
            None => Self::Inline(message.inline.into()),
            Some(url) => Self::Object {
                url: Url::parse(&url).map_err(|e| DataFusionError::External(Box::new(e)))?,
                index: message.index,
                count: message.count as usize,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn few_bytes_travel_in_the_plan_and_many_in_an_object_and_each_partition_gets_its_own() {
        let folder = Url::parse("memory://slices/wh/_checkpoints/run/").unwrap();
        for (length, in_object) in [(10, false), (5_000, true)] {
            // Given slices of which one is empty,
            let slice = move |i: usize| Ok(Bytes::from(vec![i as u8; if i == 2 { 0 } else { length + i }]));
            // when they are stored and sent,
            let slices = Slices::store(5, Arc::new(slice), Some(&folder)).await.unwrap();
            let sent = Slices::from_message(Some(slices.to_message())).unwrap();
            // then each is found again.
            assert_eq!((&sent, sent.count(), sent.object().is_some()), (&slices, 5, in_object));
            for i in 0..5 {
                assert_eq!(sent.get(i).await.unwrap(), slice(i).unwrap(), "{i} of {length}");
            }
            assert!(sent.get(5).await.is_err());
        }
    }

    #[tokio::test]
    async fn without_a_folder_too_many_bytes_are_refused_with_what_to_do() {
        let slice: SliceOf = Arc::new(|_| Ok(Bytes::from(vec![0; 1 << 20])));
        assert_eq!(Slices::store(4, Arc::clone(&slice), None).await.unwrap().count(), 4);
        let error = Slices::store(10, slice, None).await.unwrap_err().to_string();
        assert!(error.contains("too many chunks") && error.contains("'limit'"), "{error}");
    }
}
