//! Where a result goes: standard output, or a file or object that appears when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use datafusion::common::DataFusionError;
use earthcatalog_plans::sink::LargeUpload;
use earthcatalog_plans::stores::{StoreError, location_url, stores};
use thiserror::Error;
use url::Url;

use super::OutputError;
use super::compression::{Compression, Compressor};

/// Bytes that wait for each other before they are written.
const BUFFERED: usize = 1 << 20;
/// The same, for a file or object; a smaller one is written with one request.
const BUFFERED_OBJECT: usize = 8 << 20;

/// Why a result cannot be written to where it should go.
#[derive(Debug, Error)]
pub enum SinkError {
    #[error("--out {source}")]
    Location { source: Box<StoreError> },
    #[error("--out {location}: its folder {} does not exist; make it, or name another place", folder.display())]
    NoFolder { location: String, folder: PathBuf },
    #[error("--out {0}: this is a folder; name a file")]
    Folder(String),
    #[error("--out {location}: its ending tells no format; end it with {endings}, or name the format with {flag}")]
    Ending { location: String, endings: String, flag: &'static str },
    #[error("--out {location}: Parquet files are compressed inside; leave {ending} out")]
    CompressedTwice { location: String, ending: &'static str },
    #[error("cannot write {location}: {}", crate::reason::reason(source))]
    Object { location: String, source: Box<DataFusionError> },
    #[error("cannot write {location}: {source}")]
    Device { location: String, source: io::Error },
}

/// What `--out` names, checked; nothing is written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    StandardOutput,
    /// A path or URL.
    Object {
        location: String,
        url: Url,
    },
    /// Not a regular file, such as `/dev/null` or a pipe, which cannot be replaced when the result is complete.
    Device {
        location: String,
        path: PathBuf,
    },
}

impl Destination {
    /// Reads `--out`; `-`, or nothing, is standard output.
    pub fn parse(location: Option<&str>) -> Result<Self, SinkError> {
        let Some(location) = location.filter(|location| *location != "-") else { return Ok(Self::StandardOutput) };
        let location = location.to_owned();
        let failed = |source| SinkError::Location { source: Box::new(source) };
        let url = location_url(&location).map_err(failed)?;
        stores().locate(&url).map_err(failed)?;
        if url.scheme() == "file"
            && let Ok(path) = url.to_file_path()
        {
            match fs::metadata(&path) {
                Ok(found) if found.is_dir() => return Err(SinkError::Folder(location)),
                Ok(found) if !found.is_file() => return Ok(Self::Device { location, path }),
                _ => {}
            }
            if location.ends_with('/') {
                return Err(SinkError::Folder(location));
            }
            if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
                return Err(SinkError::NoFolder { location, folder: folder.to_owned() });
            }
        }
        Ok(Self::Object { location, url })
    }

    /// The path or URL; `None` for standard output.
    pub fn location(&self) -> Option<&str> {
        match self {
            Self::StandardOutput => None,
            Self::Object { location, .. } | Self::Device { location, .. } => Some(location),
        }
    }

    /// Opens it; `out` is standard output.
    pub fn open<'a>(&self, out: &'a mut dyn Write) -> Result<Sink<'a>, SinkError> {
        let to = match self {
            Self::StandardOutput => To::Stream(out),
            Self::Device { location, path } => {
                let opened = OpenOptions::new().write(true).open(path);
                let location = location.clone();
                To::Device(opened.map_err(|source| SinkError::Device { location, source })?)
            }
            Self::Object { location, url } => {
                let located = stores().locate(url);
                let (store, path) = located.map_err(|source| SinkError::Location { source: Box::new(source) })?;
                To::Object(location.clone(), LargeUpload::begin(store, path))
            }
        };
        let named = self.location().and_then(|location| Some((location, Compression::named(location).1?)));
        let compressor = named.map(|(location, compression)| {
            let location = location.to_owned();
            Compressor::new(compression).map_err(|source| SinkError::Device { location, source })
        });
        Ok(Sink { to, buffer: vec![], compressor: compressor.transpose()? })
    }
}

/// An open destination. Unless it is [finished](Self::finish), a file or object stays as it was.
pub struct Sink<'a> {
    to: To<'a>,
    /// What comes in, not yet compressed.
    buffer: Vec<u8>,
    /// As the name of the destination tells.
    compressor: Option<Compressor>,
}

enum To<'a> {
    Stream(&'a mut dyn Write),
    Device(File),
    Object(String, LargeUpload),
}

/// Where bytes go, piece by piece.
pub trait Output {
    /// Takes bytes, which are written by the next flush.
    fn buffer(&mut self) -> &mut Vec<u8>;

    /// Writes what was taken, if it is worth it.
    fn flush_if_full(&mut self) -> impl Future<Output = Result<(), OutputError>>;
}

impl Output for Sink<'_> {
    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    async fn flush_if_full(&mut self) -> Result<(), OutputError> {
        let most = if matches!(self.to, To::Object(..)) { BUFFERED_OBJECT } else { BUFFERED };
        if self.buffer.len() < most { Ok(()) } else { self.write().await }
    }
}

impl<'a> Sink<'a> {
    pub fn stream(out: &'a mut dyn Write) -> Self {
        Self { to: To::Stream(out), buffer: vec![], compressor: None }
    }

    /// Writes what was taken, where somebody may be reading it.
    pub async fn flush(&mut self) -> Result<(), OutputError> {
        if matches!(self.to, To::Object(..)) {
            return self.flush_if_full().await;
        }
        self.write().await?;
        match &mut self.to {
            To::Stream(out) => Ok(out.flush()?),
            _ => Ok(()),
        }
    }

    async fn write(&mut self) -> Result<(), OutputError> {
        let mut bytes = std::mem::take(&mut self.buffer);
        if let Some(compressor) = &mut self.compressor {
            bytes = compressor.push(&bytes)?;
        }
        match &mut self.to {
            To::Stream(out) => out.write_all(&bytes)?,
            To::Device(file) => file.write_all(&bytes)?,
            To::Object(location, upload) => {
                upload.write(bytes).await.map_err(|source| object_error(location, source))?;
            }
        }
        Ok(())
    }

    /// Writes the rest; now a file or object is there.
    pub async fn finish(mut self) -> Result<(), OutputError> {
        if let Some(mut compressor) = self.compressor.take() {
            self.buffer = compressor.push(&self.buffer)?;
            self.buffer.extend(compressor.finish()?);
        }
        if let To::Object(location, upload) = self.to {
            return Ok(upload.finish(self.buffer).await.map_err(|source| object_error(&location, source))?);
        }
        self.flush().await
    }

    /// Leaves a file or object as it was; what went to standard output stays.
    pub async fn abort(self) {
        match self.to {
            // What could not be removed is no file yet; the reason for the abort is the news.
            To::Object(_, upload) => drop(upload.abort().await),
            To::Stream(_) | To::Device(_) => {}
        }
    }
}

fn object_error(location: &str, source: DataFusionError) -> SinkError {
    SinkError::Object { location: location.to_owned(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn names(folder: &std::path::Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_file_is_there_when_it_is_complete_and_else_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        let destination = Destination::parse(file.to_str()).unwrap();
        let mut none = io::sink();
        for size in [10, 3 * BUFFERED_OBJECT] {
            let mut sink = destination.open(&mut none).unwrap();
            sink.buffer().resize(size, b'x');
            sink.flush_if_full().await.unwrap();
            assert!(!file.exists());
            sink.abort().await;
            assert_eq!(names(folder.path()), Vec::<String>::new(), "{size}");
        }
        let mut sink = destination.open(&mut none).unwrap();
        sink.buffer().extend(b"done");
        sink.finish().await.unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "done");
    }

    #[tokio::test]
    async fn what_a_name_says_is_compressed_is() {
        let folder = tempfile::tempdir().unwrap();
        let text = "line\n".repeat(BUFFERED_OBJECT / 2);
        for name in ["a.csv.gz", "a.csv.zst"] {
            let file = folder.path().join(name);
            let mut none = io::sink();
            let mut sink = Destination::parse(file.to_str()).unwrap().open(&mut none).unwrap();
            for _ in 0..2 {
                sink.buffer().extend(text.as_bytes());
                sink.flush_if_full().await.unwrap();
            }
            sink.finish().await.unwrap();
            let bytes = fs::read(&file).unwrap();
            let mut read = String::new();
            match name.ends_with("gz") {
                true => flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut read).unwrap(),
                false => zstd::stream::read::Decoder::new(&*bytes).unwrap().read_to_string(&mut read).unwrap(),
            };
            assert!(read == text.repeat(2) && bytes.len() < text.len() / 100, "{name}: {}", bytes.len());
        }
    }

    #[test]
    fn what_is_no_place_for_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let fails = |location: &str| Destination::parse(Some(location)).unwrap_err().to_string();
        assert!(fails(folder.path().to_str().unwrap()).contains("this is a folder; name a file"));
        assert!(fails("no/such/folder/a.csv").contains("no/such/folder does not exist; make it"));
        assert!(fails("ftp://host/a.csv").contains("no object store for scheme ftp"));
        assert_eq!(Destination::parse(Some("-")).unwrap(), Destination::StandardOutput);
    }
}
