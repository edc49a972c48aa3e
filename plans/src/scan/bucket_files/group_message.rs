//! A group of buckets as a message: what a worker in another process must know to read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::{DataFusionError, Result};
use prost::Message;

use super::groups::BucketFiles;
use crate::model::bucket::Bucket;
use crate::model::item_key::ItemKey;
use crate::table::LiveFile;
use crate::table::deletes::DeletedRows;

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
    /// Starts and ends of the ranges of its deleted rows.
    #[prost(uint64, repeated, tag = "6")]
    deleted: Vec<u64>,
}

impl GroupMessage {
    pub fn new(group: &[BucketFiles]) -> Self {
        let file = |of: &BucketFiles, file: &LiveFile| FileMessage {
            location: file.location.clone(),
            rows: file.rows,
            bytes: file.bytes,
            sequence: file.sequence,
            file_sequence: file.file_sequence,
            deleted: of.deleted.get(&file.location).map(|rows| rows.to_bounds()).unwrap_or_default(),
        };
        let key = |key: &ItemKey| KeyMessage { collection: key.collection.clone(), id: key.id.clone() };
        let bucket = |of: &BucketFiles| BucketMessage {
            cell: of.bucket.cell.clone(),
            year: of.bucket.year,
            files: of.files.iter().map(|of_bucket| file(of, of_bucket)).collect(),
            superseded: of.superseded.iter().map(key).collect(),
        };
        Self { buckets: group.iter().map(bucket).collect() }
    }

    pub fn decode_group(bytes: Bytes) -> Result<Vec<BucketFiles>> {
        let message = Self::decode(bytes).map_err(|e| DataFusionError::External(Box::new(e)))?;
        let bucket = |BucketMessage { cell, year, files, superseded }: BucketMessage| {
            let mut of_files = BTreeMap::new();
            let file = |FileMessage { location, rows, bytes, sequence, file_sequence, deleted }: FileMessage| {
                if !deleted.is_empty() {
                    of_files.insert(location.clone(), Arc::new(DeletedRows::from_bounds(&deleted)));
                }
                LiveFile { location, rows, bytes, cell: Some(cell.clone()), year, sequence, file_sequence }
            };
            let files = files.into_iter().map(file).collect();
            let superseded = superseded.into_iter().map(|KeyMessage { collection, id }| ItemKey { collection, id });
            // Which deletes say so, the commit knows.
            let (superseded, deletes) = (superseded.collect(), vec![]);
            BucketFiles { bucket: Bucket { cell, year }, files, superseded, deleted: of_files, deletes }
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
            deleted: year.map(|_| ("file:///w/a".to_owned(), Arc::new(DeletedRows::new([0, 2])))).into_iter().collect(),
            deletes: vec![],
        };
        let text = |group: &[BucketFiles]| format!("{group:?}");
        for group in [vec![], vec![bucket("81a", Some(2020)), bucket("__none__", None), bucket("81b", Some(-4))]] {
            let bytes = GroupMessage::new(&group).encode_to_vec();
            assert_eq!(text(&GroupMessage::decode_group(bytes.into()).unwrap()), text(&group));
        }
    }
}
