//! The selected objects of an inventory, on local disk: written once by planning, read at random by chunk. A chunk that
//! went to another process has its own in memory.
//!
//! An entry is the lengths of its bucket (u16), key (u32) and ETag (u16), its time (i64), all little-endian, then the
//! three texts.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::{SpillFile, SpillWriter};
use futures::stream::{self, BoxStream, StreamExt};

/// Bytes of an entry before its texts.
const HEADER: usize = 16;

/// Stands for a time that is not known.
const NO_TIME: i64 = i64::MIN;

/// An object of an inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Empty: the key is a path or a URL.
    pub bucket: String,
    /// Decoded.
    pub key: String,
    pub version: ObjectVersion,
}

/// What tells one version of an object from another, as far as its listing says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ObjectVersion {
    /// Empty: unknown.
    pub e_tag: String,
    /// Milliseconds since 1970, UTC.
    pub last_modified: Option<i64>,
}

/// The entries of one chunk.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SpoolRange {
    pub offset: u64,
    /// Behind the last entry.
    pub end: u64,
    pub entries: u64,
}

/// A spool being written.
pub(super) struct SpoolWriter {
    spool: Arc<dyn SpillFile>,
    file: BufWriter<Box<dyn SpillWriter>>,
    offset: u64,
}

/// A spool to read from.
pub(super) enum Spool {
    /// Deleted with the last owner.
    File(Arc<dyn SpillFile>),
    Memory(Bytes),
}

impl SpoolWriter {
    pub fn try_new(disk: &Arc<DiskManager>) -> Result<Self> {
        let file = disk.create_tmp_file("listing the objects of an inventory")?;
        let writer = BufWriter::with_capacity(1 << 20, file.open_writer()?);
        Ok(Self { spool: file, file: writer, offset: 0 })
    }

    /// Where the next entry will be.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn push(&mut self, bucket: &str, key: &str, e_tag: &str, last_modified: Option<i64>) -> Result<()> {
        // Bucket names have at most 63 bytes, keys at most 1,024; a longer one is no object and will be missing.
        let bucket = &bucket[..bucket.floor_char_boundary(u16::MAX as usize)];
        let key = &key[..key.floor_char_boundary(1 << 20)];
        let e_tag = &e_tag[..e_tag.floor_char_boundary(u16::MAX as usize)];
        self.file.write_all(&(bucket.len() as u16).to_le_bytes())?;
        self.file.write_all(&(key.len() as u32).to_le_bytes())?;
        self.file.write_all(&(e_tag.len() as u16).to_le_bytes())?;
        self.file.write_all(&last_modified.unwrap_or(NO_TIME).to_le_bytes())?;
        for text in [bucket, key, e_tag] {
            self.file.write_all(text.as_bytes())?;
        }
        self.offset += (HEADER + bucket.len() + key.len() + e_tag.len()) as u64;
        Ok(())
    }

    pub fn finish(mut self) -> Result<Spool> {
        self.file.flush()?;
        self.file.get_mut().finish()?;
        Ok(Spool::File(self.spool))
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.debug_tuple("File").field(&file.path()).finish(),
            Self::Memory(bytes) => f.debug_tuple("Memory").field(&bytes.len()).finish(),
        }
    }
}

impl Spool {
    /// The bytes of `range`, which are a spool of their own.
    pub fn bytes(&self, range: &SpoolRange) -> Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.slice(range.offset as usize..range.end as usize)),
            Self::File(file) => {
                let mut file = open_spilled(file.as_ref())?;
                file.seek(SeekFrom::Start(range.offset))?;
                let mut bytes = vec![0; (range.end - range.offset) as usize];
                file.read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }

    fn open(&self, offset: u64) -> std::io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Memory(bytes) => {
                let mut bytes = Cursor::new(bytes.clone());
                bytes.set_position(offset);
                Box::new(bytes)
            }
            Self::File(file) => {
                let mut file = BufReader::with_capacity(1 << 18, open_spilled(file.as_ref())?);
                file.seek(SeekFrom::Start(offset))?;
                Box::new(file)
            }
        })
    }

    /// The entries of `range` in blocks of `block` (the last one shorter).
    pub fn read(self: &Arc<Self>, range: &SpoolRange, block: usize) -> BoxStream<'static, Result<Vec<Entry>>> {
        let reader = Reader { spool: Arc::clone(self), file: None, offset: range.offset, left: range.entries };
        stream::try_unfold(reader, move |mut reader| async move {
            if reader.left == 0 {
                return Ok(None);
            }
            let read = tokio::task::spawn_blocking(move || reader.next_block(block).map(|entries| (entries, reader)));
            // Cancelled only when the runtime shuts down, and then nobody waits for the answer.
            read.await.map_err(std::io::Error::other)?.map(Some)
        })
        .boxed()
    }
}

/// The file of a spool, which is on a local disk: this is what the session's temporary files are.
fn open_spilled(file: &dyn SpillFile) -> std::io::Result<File> {
    let missing = || std::io::Error::other("the list of an inventory's objects needs temporary files on a local disk");
    File::open(file.path().ok_or_else(missing)?)
}

struct Reader {
    /// Keeps the file alive.
    spool: Arc<Spool>,
    file: Option<Box<dyn Read + Send>>,
    offset: u64,
    left: u64,
}

impl Reader {
    fn next_block(&mut self, block: usize) -> Result<Vec<Entry>> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(self.spool.open(self.offset)?),
        };
        let n = self.left.min(block as u64);
        let entries = (0..n).map(|_| read_entry(file)).collect::<std::io::Result<_>>()?;
        self.left -= n;
        Ok(entries)
    }
}

fn read_entry(file: &mut impl Read) -> std::io::Result<Entry> {
    let (mut bucket, mut key, mut e_tag, mut time) = ([0; 2], [0; 4], [0; 2], [0; 8]);
    file.read_exact(&mut bucket)?;
    file.read_exact(&mut key)?;
    file.read_exact(&mut e_tag)?;
    file.read_exact(&mut time)?;
    let mut text = |length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(std::io::Error::other)
    };
    let (bucket, key) = (text(u16::from_le_bytes(bucket).into())?, text(u32::from_le_bytes(key) as usize)?);
    let last_modified = Some(i64::from_le_bytes(time)).filter(|time| *time != NO_TIME);
    let version = ObjectVersion { e_tag: text(u16::from_le_bytes(e_tag).into())?, last_modified };
    Ok(Entry { bucket, key, version })
}

#[cfg(test)]
mod tests {
    use datafusion::execution::disk_manager::DiskManagerBuilder;
    use futures::TryStreamExt;

    use super::*;

    fn entry(bucket: &str, key: &str) -> Entry {
        let version = ObjectVersion { e_tag: key.into(), last_modified: (!bucket.is_empty()).then_some(7) };
        Entry { bucket: bucket.into(), key: key.into(), version }
    }

    #[tokio::test]
    async fn any_range_is_read_back_and_the_file_goes_with_its_last_owner() {
        // Given a spool with three entries
        let disk = Arc::new(DiskManagerBuilder::default().build().unwrap());
        let mut writer = SpoolWriter::try_new(&disk).unwrap();
        writer.push("b", "Sermeq Kujalleq/é.json", "", Some(-1)).unwrap();
        let second = writer.offset();
        writer.push("", "/x.json", "/x.json", None).unwrap();
        writer.push("b", "", "", Some(7)).unwrap();
        let end = writer.offset();
        let spool = Arc::new(writer.finish().unwrap());
        let Spool::File(file) = spool.as_ref() else { panic!("a spool is written to a file") };
        let path = file.path().unwrap().to_owned();
        // When the last two are read, one at a time, here or elsewhere,
        let range = SpoolRange { offset: second, end, entries: 2 };
        let elsewhere = Arc::new(Spool::Memory(spool.bytes(&range).unwrap()));
        let all = SpoolRange { offset: 0, end: end - second, entries: 2 };
        for (spool, range) in [(&spool, range), (&elsewhere, all)] {
            let blocks = spool.read(&range, 1).try_collect::<Vec<_>>().await.unwrap();
            // then they are what was written.
            assert_eq!(blocks, [[entry("", "/x.json")], [entry("b", "")]]);
        }
        drop(spool);
        assert!(!path.exists());
    }
}
