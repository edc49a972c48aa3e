//! Iceberg's metadata I/O through the stores of this process.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;
use iceberg::io::{
    FileIO, FileIOBuilder, FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage, StorageConfig,
    StorageFactory,
};
use iceberg::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};

use super::location::to_url;
use crate::stores::stores;

/// Iceberg's I/O over [`stores`].
pub fn file_io() -> FileIO {
    FileIOBuilder::new(Arc::new(StoresFactory)).build()
}

/// Makes [`StoresStorage`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StoresFactory;

#[typetag::serde(name = "EarthcatalogStoresFactory")]
impl StorageFactory for StoresFactory {
    fn build(&self, _: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(StoresStorage))
    }
}

/// Files by Iceberg location, in [`stores`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StoresStorage;

fn locate(location: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
    let invalid = |e: String| Error::new(ErrorKind::DataInvalid, e);
    let url = to_url(location).map_err(|e| invalid(e.to_string()))?;
    stores().locate(&url).map_err(|e| invalid(e.to_string()))
}

fn failed(location: &str) -> impl FnOnce(object_store::Error) -> Error {
    move |source| {
        let kind = ErrorKind::Unexpected;
        // A missing file stays missing; anything else may work at the next try.
        let retryable = !matches!(source, object_store::Error::NotFound { .. });
        Error::new(kind, location).with_retryable(retryable).with_source(source)
    }
}

#[async_trait]
#[typetag::serde(name = "EarthcatalogStores")]
impl Storage for StoresStorage {
    async fn exists(&self, location: &str) -> Result<bool> {
        let (store, path) = locate(location)?;
        match store.head(&path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(failed(location)(e)),
        }
    }

    async fn metadata(&self, location: &str) -> Result<FileMetadata> {
        let (store, path) = locate(location)?;
        let meta = store.head(&path).await.map_err(failed(location))?;
        Ok(FileMetadata { size: meta.size })
    }

    async fn read(&self, location: &str) -> Result<Bytes> {
        let (store, path) = locate(location)?;
        let object = store.get(&path).await.map_err(failed(location))?;
        object.bytes().await.map_err(failed(location))
    }

    async fn reader(&self, location: &str) -> Result<Box<dyn FileRead>> {
        let (store, path) = locate(location)?;
        Ok(Box::new(RangeReader { store, path, location: location.to_owned() }))
    }

    async fn write(&self, location: &str, bytes: Bytes) -> Result<()> {
        let (store, path) = locate(location)?;
        store.put(&path, PutPayload::from_bytes(bytes)).await.map_err(failed(location))?;
        Ok(())
    }

    async fn writer(&self, location: &str) -> Result<Box<dyn FileWrite>> {
        Ok(Box::new(WholeWriter { location: location.to_owned(), bytes: BytesMut::new() }))
    }

    async fn delete(&self, location: &str) -> Result<()> {
        let (store, path) = locate(location)?;
        match store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(failed(location)(e)),
        }
    }

    async fn delete_prefix(&self, location: &str) -> Result<()> {
        let (store, path) = locate(location)?;
        let mut objects = store.list(Some(&path));
        while let Some(object) = objects.next().await {
            let object = object.map_err(failed(location))?;
            store.delete(&object.location).await.map_err(failed(location))?;
        }
        Ok(())
    }

    async fn delete_stream(&self, mut locations: BoxStream<'static, String>) -> Result<()> {
        while let Some(location) = locations.next().await {
            self.delete(&location).await?;
        }
        Ok(())
    }

    fn new_input(&self, location: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), location.to_owned()))
    }

    fn new_output(&self, location: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), location.to_owned()))
    }
}

struct RangeReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    location: String,
}

#[async_trait]
impl FileRead for RangeReader {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.store.get_range(&self.path, range).await.map_err(failed(&self.location))
    }
}

/// Writes the whole file at `close`: metadata files are small, and a put is atomic.
struct WholeWriter {
    location: String,
    bytes: BytesMut,
}

#[async_trait]
impl FileWrite for WholeWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        StoresStorage.write(&self.location, self.bytes.split().freeze()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_written_whole_read_by_range_and_deleted_twice_without_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let location = format!("file://{}/wh ü/metadata/a b.avro", folder.path().display());
        let io = file_io();

        let mut writer = io.new_output(&location).unwrap().writer().await.unwrap();
        writer.write("one ".into()).await.unwrap();
        writer.write("two".into()).await.unwrap();
        assert!(!io.exists(&location).await.unwrap(), "nothing is visible before close");
        writer.close().await.unwrap();

        let input = io.new_input(&location).unwrap();
        assert_eq!(input.read().await.unwrap(), "one two");
        assert_eq!(input.metadata().await.unwrap().size, 7);
        assert_eq!(input.reader().await.unwrap().read(4..7).await.unwrap(), "two");
        assert!(folder.path().join("wh ü/metadata/a b.avro").exists());

        io.delete(&location).await.unwrap();
        io.delete(&location).await.unwrap();
        assert!(!io.exists(&location).await.unwrap());
    }

    #[tokio::test]
    async fn the_storage_survives_serialisation() {
        let json = serde_json::to_string(&(Box::new(StoresStorage) as Box<dyn Storage>)).unwrap();
        let storage: Box<dyn Storage> = serde_json::from_str(&json).unwrap();
        storage.write("memory://storage-test/x/y", "z".into()).await.unwrap();
        storage.delete_prefix("memory://storage-test/x").await.unwrap();
        assert!(!storage.exists("memory://storage-test/x/y").await.unwrap());
    }
}
