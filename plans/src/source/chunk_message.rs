//! [`Chunk`] as a message, with its objects: what a worker in another process must know to read it.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use prost::Message;
use url::Url;

use super::chunk::{Chunk, Content, Lines};
use super::decode::Defect;
use super::keys::KeyBase;
use super::parquet_file::ParquetFile;
use super::spool::{Spool, SpoolRange};
use crate::model::chunk::{ChunkId, IngestedObject};

#[derive(Clone, PartialEq, prost::Message)]
struct ChunkMessage {
    /// URL, and rows from and to.
    #[prost(string, tag = "1")]
    file: String,
    #[prost(uint64, tag = "2")]
    start: u64,
    #[prost(uint64, tag = "3")]
    end: u64,
    #[prost(uint64, optional, tag = "4")]
    at_most: Option<u64>,
    /// As JSON.
    #[prost(string, tag = "5")]
    planned: String,
    #[prost(oneof = "ContentMessage", tags = "6, 7, 8, 9, 10")]
    content: Option<ContentMessage>,
    #[prost(message, optional, tag = "11")]
    completes: Option<VersionMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct VersionMessage {
    #[prost(string, tag = "1")]
    object: String,
    #[prost(string, optional, tag = "2")]
    e_tag: Option<String>,
    #[prost(int64, optional, tag = "3")]
    last_modified: Option<i64>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum ContentMessage {
    #[prost(message, tag = "6")]
    Objects(ObjectsMessage),
    #[prost(message, tag = "7")]
    Lines(LinesMessage),
    #[prost(string, tag = "8")]
    Document(String),
    #[prost(message, tag = "9")]
    Rows(RowsMessage),
    #[prost(message, tag = "10")]
    Defective(DefectMessage),
}

#[derive(Clone, PartialEq, prost::Message)]
struct ObjectsMessage {
    /// As in a spool.
    #[prost(bytes = "bytes", tag = "1")]
    entries: Bytes,
    #[prost(uint64, tag = "2")]
    count: u64,
    #[prost(string, tag = "3")]
    folder: String,
    #[prost(string, optional, tag = "4")]
    base: Option<String>,
    #[prost(bool, tag = "5")]
    collections: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LinesMessage {
    #[prost(string, tag = "1")]
    file: String,
    /// Bytes; all lines where there are none.
    #[prost(uint64, optional, tag = "2")]
    start: Option<u64>,
    #[prost(uint64, tag = "3")]
    end: u64,
    /// Number of the first line, where the lines are counted.
    #[prost(uint64, optional, tag = "4")]
    first: Option<u64>,
    /// A byte.
    #[prost(uint32, tag = "5")]
    separator: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RowsMessage {
    #[prost(string, tag = "1")]
    file: String,
    #[prost(uint64, tag = "2")]
    start: u64,
    #[prost(uint64, tag = "3")]
    end: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct DefectMessage {
    #[prost(string, tag = "1")]
    file: String,
    /// As JSON.
    #[prost(string, tag = "2")]
    kind: String,
    #[prost(string, tag = "3")]
    message: String,
}

/// `chunk`, with its objects from `spool`.
pub(super) fn encode(chunk: &Chunk, spool: &Spool) -> Result<Bytes> {
    let content = match &chunk.content {
        Content::Objects { objects, keys, collections } => {
            let (folder, base) = keys.urls();
            ContentMessage::Objects(ObjectsMessage {
                entries: spool.bytes(objects)?,
                count: objects.entries,
                folder: folder.to_string(),
                base: base.map(Url::to_string),
                collections: *collections,
            })
        }
        Content::Lines { file, lines, separator } => {
            let (bytes, first) = match lines {
                Lines::All => (None, None),
                Lines::Counted { bytes, first } => (Some(bytes), Some(*first)),
                Lines::StartingIn { bytes } => (Some(bytes), None),
            };
            let (start, end) = (bytes.map(|bytes| bytes.start), bytes.map_or(0, |bytes| bytes.end));
            let separator = u32::from(*separator);
            ContentMessage::Lines(LinesMessage { file: file.to_string(), start, end, first, separator })
        }
        Content::Document { file } => ContentMessage::Document(file.to_string()),
        Content::Rows { file, rows } => {
            ContentMessage::Rows(RowsMessage { file: file.url.to_string(), start: rows.start, end: rows.end })
        }
        Content::Defective { file, defect } => ContentMessage::Defective(DefectMessage {
            file: file.to_string(),
            kind: serde_json::to_string(&defect.kind).map_err(external)?,
            message: defect.message.clone(),
        }),
    };
    let message =
        ChunkMessage {
            file: chunk.id.file.clone(),
            start: chunk.id.rows.start,
            end: chunk.id.rows.end,
            at_most: chunk.at_most,
            planned: serde_json::to_string(&chunk.planned).map_err(external)?,
            content: Some(content),
            completes: chunk.completes.clone().map(|IngestedObject { object, e_tag, last_modified, .. }| {
                VersionMessage { object, e_tag, last_modified }
            }),
        };
    Ok(message.encode_to_vec().into())
}

/// A chunk, and the spool that its objects are in. Opens the file of rows.
pub(super) async fn decode(bytes: Bytes) -> Result<(Chunk, Arc<Spool>)> {
    let message = ChunkMessage::decode(bytes).map_err(external)?;
    let url = |text: &str| Url::parse(text).map_err(external);
    let mut spool = Spool::Memory(Bytes::new());
    let content = message.content.ok_or_else(|| exec_datafusion_err!("the plan is damaged: a chunk has no content"))?;
    let content = match content {
        ContentMessage::Objects(objects) => {
            let ObjectsMessage { entries, count, folder, base, collections } = objects;
            let base = base.as_deref().map(url).transpose()?;
            let keys = Arc::new(KeyBase::try_new(&url(&folder)?, base.as_ref())?);
            let objects = SpoolRange { offset: 0, end: entries.len() as u64, entries: count };
            spool = Spool::Memory(entries);
            Content::Objects { objects, keys, collections }
        }
        ContentMessage::Lines(LinesMessage { file, start, end, first, separator }) => {
            let lines = match (start, first) {
                (None, _) => Lines::All,
                (Some(start), Some(first)) => Lines::Counted { bytes: start..end, first },
                (Some(start), None) => Lines::StartingIn { bytes: start..end },
            };
            let separator = u8::try_from(separator).map_err(external)?;
            Content::Lines { file: url(&file)?, lines, separator }
        }
        ContentMessage::Document(file) => Content::Document { file: url(&file)? },
        ContentMessage::Rows(RowsMessage { file, start, end }) => {
            Content::Rows { file: ParquetFile::open(&url(&file)?).await?, rows: start..end }
        }
        ContentMessage::Defective(DefectMessage { file, kind, message }) => {
            let kind = serde_json::from_str(&kind).map_err(external)?;
            Content::Defective { file: url(&file)?, defect: Defect { kind, message } }
        }
    };
    let chunk = Chunk {
        id: ChunkId { file: message.file, rows: message.start..message.end },
        content,
        at_most: message.at_most,
        planned: serde_json::from_str(&message.planned).map_err(external)?,
        completes: message.completes.map(|VersionMessage { object, e_tag, last_modified }| IngestedObject {
            object,
            e_tag,
            last_modified,
            item: None,
        }),
    };
    Ok((chunk, Arc::new(spool)))
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use datafusion::execution::disk_manager::DiskManagerBuilder;

    use super::*;
    use crate::model::chunk::{ChunkCounts, RejectKind};
    use crate::source::spool::SpoolWriter;

    async fn round_trip(content: Content, spool: &Spool) -> (Chunk, Chunk, Arc<Spool>) {
        let planned = ChunkCounts {
            listed: 3,
            skipped: BTreeMap::from([("suffix".to_owned(), 1)]),
            max_last_modified: Some(7),
            ..ChunkCounts::default()
        };
        let id = ChunkId { file: "file:///i.csv".into(), rows: 2..u64::MAX };
        let completes =
            Some(IngestedObject { object: "file:///i.csv".into(), e_tag: None, last_modified: Some(-1), item: None });
        let chunk = Chunk { id, content, at_most: Some(2), planned, completes };
        let (sent, spool) = decode(encode(&chunk, spool).unwrap()).await.unwrap();
        assert_eq!(sent.completes, chunk.completes);
        (chunk, sent, spool)
    }

    #[tokio::test]
    async fn a_chunk_of_objects_takes_its_own_entries_along() {
        let disk = Arc::new(DiskManagerBuilder::default().build().unwrap());
        let mut writer = SpoolWriter::try_new(&disk).unwrap();
        writer.push("b", "of another chunk.json", "", None).unwrap();
        let offset = writer.offset();
        writer.push("b", "é.json", "etag", Some(-1)).unwrap();
        let range = SpoolRange { offset, end: writer.offset(), entries: 1 };
        writer.push("b", "of a third.json", "", None).unwrap();
        let spool = Arc::new(writer.finish().unwrap());
        let (inventory, base) =
            (Url::parse("file:///data/i.csv").unwrap(), Url::parse("http://127.0.0.1:1/m/").unwrap());
        for (base, collections) in [(None, true), (Some(&base), false)] {
            let keys = Arc::new(KeyBase::try_new(&inventory, base).unwrap());
            let content = Content::Objects { objects: range.clone(), keys: Arc::clone(&keys), collections };

            let (chunk, sent, elsewhere) = round_trip(content, &spool).await;

            let Content::Objects { objects, keys: sent_keys, collections: sent_collections } = &sent.content else {
                panic!("{sent:?}")
            };
            assert_eq!((sent_keys.urls(), *sent_collections), (keys.urls(), collections));
            let entries = |spool: &Arc<Spool>, range: &SpoolRange| {
                let blocks = spool.read(range, 10);
                futures::TryStreamExt::try_concat(blocks)
            };
            assert_eq!(entries(&elsewhere, objects).await.unwrap(), entries(&spool, &range).await.unwrap());
            assert_eq!((sent.id, sent.at_most, sent.planned), (chunk.id, chunk.at_most, chunk.planned));
        }
    }

    #[tokio::test]
    async fn files_of_many_items_come_back_as_they_were() {
        let none = Spool::Memory(Bytes::new());
        let file = || Url::parse("file:///a%20b.ndjson").unwrap();
        let defect = Defect { kind: RejectKind::TooLarge, message: "9 bytes".into() };
        for content in [
            Content::Lines { file: file(), lines: Lines::All, separator: b'\n' },
            Content::Lines { file: file(), lines: Lines::Counted { bytes: 0..9, first: 0 }, separator: b'\n' },
            Content::Lines { file: file(), lines: Lines::StartingIn { bytes: 9..u64::MAX }, separator: 0x1e },
            Content::Document { file: file() },
            Content::Defective { file: file(), defect },
        ] {
            let (chunk, sent, _) = round_trip(content, &none).await;
            assert_eq!(format!("{:?}", sent.content), format!("{:?}", chunk.content));
        }
    }
}
