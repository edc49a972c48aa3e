//! Small local files, many per thread switch: the one place that reads data without an object store.
//!
//! Measured on 40,000 files of 3.7 kB in the page cache, without decoding: 13 µs of CPU per file, and 67 µs with one
//! `LocalFileSystem::get` each.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use datafusion::common::Result;

use super::objects::too_large;
use super::raw::{Block, ObjectName, Raw};
use crate::chunk::RejectKind;
use crate::stac::decode::Defect;

/// Reads files one after the other on a blocking thread.
pub(super) async fn read_files(files: Vec<(ObjectName, PathBuf)>, max_bytes: u64) -> Result<Block> {
    let read = move || {
        let read = |(object, path): (_, PathBuf)| Raw {
            object,
            position: None,
            range: None,
            body: read_file(&path, max_bytes),
        };
        files.into_iter().map(read).collect()
    };
    // Cancelled only when the runtime shuts down, and then nobody waits for the answer.
    Ok(tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?)
}

fn read_file(path: &Path, max_bytes: u64) -> Result<Bytes, Defect> {
    let read = || {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        let size = metadata.len();
        if size > max_bytes {
            return Ok(Err(too_large(size, max_bytes)));
        }
        let mut bytes = Vec::with_capacity(size as usize + 1);
        file.read_to_end(&mut bytes)?;
        Ok(Ok(Bytes::from(bytes)))
    };
    read().unwrap_or_else(|e: std::io::Error| {
        let kind = match e.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => RejectKind::Missing,
            _ => RejectKind::Unreadable,
        };
        Err(Defect { kind, message: format!("{}: {e}", path.display()) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        std::fs::write(&file, "{}").unwrap();
        let kind = |path: &Path, max_bytes| read_file(path, max_bytes).map_err(|defect| defect.kind);
        assert_eq!(kind(&file, 2), Ok(Bytes::from("{}")));
        assert_eq!(kind(&file, 1), Err(RejectKind::TooLarge));
        assert_eq!(kind(&folder.path().join("b.json"), 1), Err(RejectKind::Missing));
        assert_eq!(kind(&file.join("c.json"), 1), Err(RejectKind::Missing));
        assert_eq!(kind(folder.path(), 1), Err(RejectKind::Unreadable));
    }
}
