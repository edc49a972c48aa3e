//! A group of buckets as a message: what a worker in another process must know to read it.

use bytes::Bytes;
use datafusion::common::{DataFusionError, Result};
use prost::Message;

use super::groups::BucketFiles;
use crate::model::bucket::Bucket;
use crate::model::item_key::ItemKey;
use crate::table::LiveFile;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GroupMessage {
    #[prost(message, repeated, tag = "1")]
    buckets: Vec<BucketMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BucketMessage {
    #[prost(string, tag = "1")]
    cell: String,
    #[prost(sint32, optional, tag = "2")]
    year: Option<i32>,
    #[prost(message, repeated, tag = "3")]
    files: Vec<FileMessage>,
    #[prost(message, repeated, tag = "4")]
    superseded: Vec<KeyMessage>,
}

/// An Item.
#[derive(Clone, PartialEq, prost::Message)]
struct KeyMessage {
    #[prost(string, optional, tag = "1")]
    collection: Option<String>,
    #[prost(string, tag = "2")]
    id: String,
}

/// A file of the bucket.
#[derive(Clone, PartialEq, prost::Message)]
struct FileMessage {
    #[prost(string, tag = "1")]
    location: String,
    #[prost(uint64, tag = "2")]
    rows: u64,
    #[prost(uint64, tag = "3")]
    bytes: u64,
    #[prost(sint64, tag = "4")]
    sequence: i64,
    #[prost(sint64, optional, tag = "5")]
    file_sequence: Option<i64>,
}

impl GroupMessage {
    pub fn new(group: &[BucketFiles]) -> Self {
        let file = |file: &LiveFile| FileMessage {
            location: file.location.clone(),
            rows: file.rows,
            bytes: file.bytes,
            sequence: file.sequence,
            file_sequence: file.file_sequence,
        };
        let key = |key: &ItemKey| KeyMessage { collection: key.collection.clone(), id: key.id.clone() };
        let bucket = |of: &BucketFiles| BucketMessage {
            cell: of.bucket.cell.clone(),
            year: of.bucket.year,
            files: of.files.iter().map(file).collect(),
            superseded: of.superseded.iter().map(key).collect(),
        };
        Self { buckets: group.iter().map(bucket).collect() }
    }

    pub fn decode_group(bytes: Bytes) -> Result<Vec<BucketFiles>> {
        let message = Self::decode(bytes).map_err(|e| DataFusionError::External(Box::new(e)))?;
        let bucket = |BucketMessage { cell, year, files, superseded }: BucketMessage| {
            let file = |FileMessage { location, rows, bytes, sequence, file_sequence }: FileMessage| LiveFile {
                location,
                rows,
                bytes,
                cell: Some(cell.clone()),
                year,
                sequence,
                file_sequence,
            };
            let files = files.into_iter().map(file).collect();
            let superseded = superseded.into_iter().map(|KeyMessage { collection, id }| ItemKey { collection, id });
            BucketFiles { bucket: Bucket { cell, year }, files, superseded: superseded.collect() }
        };
        Ok(message.buckets.into_iter().map(bucket).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_comes_back_with_its_buckets_and_their_files_in_order() {
        let file = |name: &str, cell: &str, year| LiveFile {
            location: format!("file:///w/{name}"),
            rows: 3,
            bytes: 1 << 40,
            cell: Some(cell.to_owned()),
            year,
            sequence: 7,
            file_sequence: year.map(i64::from),
        };
        let bucket = |cell: &str, year| BucketFiles {
            bucket: Bucket { cell: cell.into(), year },
            files: vec![file("b", cell, year), file("a", cell, year)],
            superseded: year
                .map(|year| ItemKey {
                    collection: Some("c".to_owned()).filter(|_| year > 0),
                    id: format!("item-{year}"),
                })
                .into_iter()
                .collect(),
        };
        for group in [vec![], vec![bucket("81a", Some(2020)), bucket("__none__", None), bucket("81b", Some(-4))]] {
            let bytes = GroupMessage::new(&group).encode_to_vec();
            assert_eq!(GroupMessage::decode_group(bytes.into()).unwrap(), group);
        }
    }
}
