//! Small files on a local disk, many per thread switch: the one place that writes data without an object store.
//!
//! With one `LocalFileSystem::put` per file, a run of 18,600 files switches threads 33,000 times, and tokio starts
//! threads by the hundred, each with an allocator's heap of its own.

use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

/// Writes files one after the other. Each appears under its name when it is whole.
pub fn write_files(files: Vec<(PathBuf, Bytes)>) -> Result<()> {
    for (path, bytes) in files {
        write_file(&path, &bytes)
            .map_err(|e| Error::new(e.kind(), format!("{} cannot be written: {e}", path.display())))?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    // As `LocalFileSystem` names a file in the making; its listings leave such names out.
    let mut staged = path.as_os_str().to_owned();
    staged.push("#1");
    let staged = PathBuf::from(staged);
    let mut file = match File::create_new(&staged) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            File::create_new(&staged)?
        }
        created => created?,
    };
    let written = file.write_all(bytes).and_then(|()| std::fs::rename(&staged, path));
    if written.is_err() {
        // What cannot be removed either stays behind, and no listing shows it.
        let _ = std::fs::remove_file(&staged);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_appear_whole_in_folders_that_are_made_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a=1/b=2/x", "a=1/b=2/y", "z"].map(|path| folder.path().join(path));
        write_files(paths.iter().map(|path| (path.clone(), Bytes::from("whole"))).collect()).unwrap();
        for path in &paths {
            assert_eq!(std::fs::read(path).unwrap(), b"whole");
        }
        assert_eq!(std::fs::read_dir(paths[0].parent().unwrap()).unwrap().count(), 2);
    }

    #[test]
    fn what_cannot_be_written_says_so_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir_all(path.join("by a folder")).unwrap();
        let error = write_files(vec![(path.clone(), Bytes::from("x"))]).unwrap_err();
        assert!(error.to_string().contains("taken cannot be written"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
