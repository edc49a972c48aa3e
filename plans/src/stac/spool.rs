//! The selected objects of an inventory, on local disk: written once by planning, read at random by chunk.
//!
//! An entry is its bucket's length (u16), its key's length (u32), both little-endian, the bucket and the key.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::disk_manager::{DiskManager, RefCountedTempFile};
use futures::stream::{self, BoxStream, StreamExt};

/// An object of an inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Empty: the key is a path or a URL.
    pub bucket: String,
    /// Decoded.
    pub key: String,
}

/// The entries of one chunk.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SpoolRange {
    pub offset: u64,
    pub entries: u64,
}

/// A spool being written.
pub(super) struct SpoolWriter {
    spool: Spool,
    file: BufWriter<File>,
    offset: u64,
}

/// A spool to read from. Its file is deleted with the last owner.
#[derive(Debug)]
pub(super) struct Spool {
    file: RefCountedTempFile,
}

impl SpoolWriter {
    pub fn try_new(disk: &Arc<DiskManager>) -> Result<Self> {
        let file = disk.create_tmp_file("listing the objects of an inventory")?;
        let writer = File::options().write(true).open(file.path())?;
        Ok(Self { spool: Spool { file }, file: BufWriter::with_capacity(1 << 20, writer), offset: 0 })
    }

    /// Where the next entry will be.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn push(&mut self, bucket: &str, key: &str) -> Result<()> {
        // Bucket names have at most 63 bytes, keys at most 1,024; a longer one is no object and will be missing.
        let bucket = &bucket[..bucket.floor_char_boundary(u16::MAX as usize)];
        let key = &key[..key.floor_char_boundary(1 << 20)];
        self.file.write_all(&(bucket.len() as u16).to_le_bytes())?;
        self.file.write_all(&(key.len() as u32).to_le_bytes())?;
        self.file.write_all(bucket.as_bytes())?;
        self.file.write_all(key.as_bytes())?;
        self.offset += (6 + bucket.len() + key.len()) as u64;
        Ok(())
    }

    pub fn finish(mut self) -> Result<Spool> {
        self.file.flush()?;
        Ok(self.spool)
    }
}

impl Spool {
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

struct Reader {
    /// Keeps the file alive.
    spool: Arc<Spool>,
    file: Option<BufReader<File>>,
    offset: u64,
    left: u64,
}

impl Reader {
    fn next_block(&mut self, block: usize) -> Result<Vec<Entry>> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = BufReader::with_capacity(1 << 18, File::open(self.spool.file.path())?);
                file.seek(SeekFrom::Start(self.offset))?;
                self.file.insert(file)
            }
        };
        let n = self.left.min(block as u64);
        let entries = (0..n).map(|_| read_entry(file)).collect::<std::io::Result<_>>()?;
        self.left -= n;
        Ok(entries)
    }
}

fn read_entry(file: &mut impl Read) -> std::io::Result<Entry> {
    let (mut bucket, mut key) = ([0; 2], [0; 4]);
    file.read_exact(&mut bucket)?;
    file.read_exact(&mut key)?;
    let mut text = |length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(std::io::Error::other)
    };
    Ok(Entry { bucket: text(usize::from(u16::from_le_bytes(bucket)))?, key: text(u32::from_le_bytes(key) as usize)? })
}

#[cfg(test)]
mod tests {
    use datafusion::execution::disk_manager::DiskManagerBuilder;
    use futures::TryStreamExt;

    use super::*;

    fn entry(bucket: &str, key: &str) -> Entry {
        Entry { bucket: bucket.into(), key: key.into() }
    }

    #[tokio::test]
    async fn any_range_is_read_back_and_the_file_goes_with_its_last_owner() {
        // Given a spool with three entries
        let disk = Arc::new(DiskManagerBuilder::default().build().unwrap());
        let mut writer = SpoolWriter::try_new(&disk).unwrap();
        writer.push("b", "Sermeq Kujalleq/é.json").unwrap();
        let second = writer.offset();
        writer.push("", "/x.json").unwrap();
        writer.push("b", "").unwrap();
        let spool = Arc::new(writer.finish().unwrap());
        let path = spool.file.path().to_owned();
        // When the last two are read, one at a time
        let range = SpoolRange { offset: second, entries: 2 };
        let blocks = spool.read(&range, 1).try_collect::<Vec<_>>().await.unwrap();
        // Then they are what was written
        assert_eq!(blocks, [[entry("", "/x.json")], [entry("b", "")]]);
        drop(spool);
        assert!(!path.exists());
    }
}
