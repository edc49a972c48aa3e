//! Reading and writing manifests: the lists of data files behind a snapshot.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::runtime::SpawnedTask;
use futures::{StreamExt, TryStreamExt};
use iceberg::MetadataLocation;
use iceberg::io::FileIO;
use iceberg::spec::{
    Manifest, ManifestContentType, ManifestEntryRef, ManifestFile, ManifestList, ManifestListWriter, ManifestWriter,
    ManifestWriterBuilder, Snapshot, TableMetadata,
};
use serde::Serialize;
use uuid::Uuid;

use super::create::TableState;
use super::error::{Result, WarehouseError};
use super::files::{self, LiveFile, LiveFiles};
use super::location::to_url;
use super::{layout, listing, snapshot};
use crate::ingest_record::RecordList;
use crate::items::ItemSchema;
use crate::known_ids::{IdFile, KnownIds};
use crate::part_file::PartFile;

/// Entries of a manifest that we write. Replacing one file rewrites one manifest, and a scan that prunes by cell
/// skips most of them.
pub(crate) const MAX_ENTRIES: usize = 500;

/// Metadata files that are read or written at a time.
const CONCURRENCY: usize = 8;

/// Manifests of added files that are written at a time; each holds some 10 MB while it is.
const WRITES: usize = 4;

/// The manifests with live files in a snapshot.
pub(crate) async fn live_manifests(
    io: &FileIO,
    metadata: &TableMetadata,
    snapshot: &Snapshot,
) -> Result<Vec<ManifestFile>> {
    let live = |m: &ManifestFile| m.has_added_files() || m.has_existing_files();
    Ok(all_manifests(io, metadata, snapshot).await?.into_iter().filter(live).collect())
}

/// The manifests that a snapshot names.
pub(crate) async fn all_manifests(
    io: &FileIO,
    metadata: &TableMetadata,
    snapshot: &Snapshot,
) -> Result<Vec<ManifestFile>> {
    let location = snapshot.manifest_list();
    let read = async { io.new_input(location)?.read().await };
    let bytes = read.await.map_err(WarehouseError::metadata(location))?;
    let list = ManifestList::parse_with_version(&bytes, metadata.format_version());
    let list = list.map_err(WarehouseError::metadata(location))?;
    Ok(list.consume_entries().into_iter().collect())
}

/// Whether a manifest may list files of one of these cells: whether one lies between the bounds of its cells.
pub(crate) fn may_hold<'a>(manifest: &ManifestFile, cells: impl IntoIterator<Item = &'a str>) -> bool {
    let cell = manifest.partitions.as_ref().and_then(|fields| fields.first());
    let bounds = cell.and_then(|cell| cell.lower_bound.as_ref().zip(cell.upper_bound.as_ref()));
    let Some((lower, upper)) = bounds else { return true };
    cells.into_iter().any(|cell| (lower.as_slice()..=upper.as_slice()).contains(&cell.as_bytes()))
}

/// The least cell of a manifest, as bytes.
pub(crate) fn first_cell(manifest: &ManifestFile) -> Option<Vec<u8>> {
    let cell = manifest.partitions.as_ref()?.first()?;
    cell.lower_bound.as_ref().map(|bound| bound.to_vec())
}

/// Reads manifests with bounded concurrency, and keeps what `keep` makes of each, in the order given.
pub(crate) async fn load<T: Send + 'static>(
    io: &FileIO,
    manifests: impl IntoIterator<Item = ManifestFile>,
    keep: impl Fn(ManifestFile, Manifest) -> T + Clone + Send + 'static,
) -> Result<Vec<T>> {
    let read = |manifest| read(io.clone(), manifest, keep.clone());
    futures::stream::iter(manifests).map(read).buffered(CONCURRENCY).try_collect().await
}

/// Reads a manifest, and keeps what `keep` makes of it.
pub(crate) async fn read<T: Send + 'static>(
    io: FileIO,
    manifest: ManifestFile,
    keep: impl Fn(ManifestFile, Manifest) -> T + Send + 'static,
) -> Result<T> {
    on_a_task(async move {
        let decoded = decoded(&io, &manifest).await?;
        Ok(keep(manifest, decoded))
    })
    .await
}

/// The live files of manifests without the statistics of their columns, with bounded concurrency, in the order given.
pub(crate) async fn list(
    io: &FileIO,
    manifests: impl IntoIterator<Item = ManifestFile>,
) -> Result<Vec<(ManifestFile, Vec<LiveFile>)>> {
    let read = |manifest: ManifestFile| async {
        let files = live_files(io.clone(), manifest.clone()).await?;
        Ok((manifest, files))
    };
    futures::stream::iter(manifests).map(read).buffered(CONCURRENCY).try_collect().await
}

/// The live files of a manifest without the statistics of their columns.
pub(crate) async fn live_files(io: FileIO, manifest: ManifestFile) -> Result<Vec<LiveFile>> {
    match listing::list(&content(&io, &manifest).await?, &manifest) {
        Some(files) => Ok(files),
        None => read(io, manifest, |_, manifest| files::live_files(&manifest)).await,
    }
}

/// The paths of manifests and their live files with statistics, with bounded concurrency, in the order given.
pub(super) async fn list_with_bounds(
    io: &FileIO,
    manifests: impl IntoIterator<Item = ManifestFile>,
    items: &ItemSchema,
) -> Result<Vec<(String, LiveFiles)>> {
    let read = |manifest: ManifestFile| {
        let (io, items) = (io.clone(), items.clone());
        on_a_task(async move {
            let bytes = content(&io, &manifest).await?;
            let files = match listing::list_with_bounds(&bytes, &manifest, &items) {
                Some(files) => files,
                None => LiveFiles::read(&decoded(&io, &manifest).await?, &items),
            };
            Ok((manifest.manifest_path, files))
        })
    };
    futures::stream::iter(manifests).map(read).buffered(CONCURRENCY).try_collect().await
}

async fn content(io: &FileIO, manifest: &ManifestFile) -> Result<Bytes> {
    let read = async { io.new_input(&manifest.manifest_path)?.read().await };
    read.await.map_err(WarehouseError::metadata(&manifest.manifest_path))
}

async fn decoded(io: &FileIO, manifest: &ManifestFile) -> Result<Manifest> {
    manifest.load_manifest(io).await.map_err(WarehouseError::metadata(&manifest.manifest_path))
}

/// Runs what decodes, for that takes longer than reading.
async fn on_a_task<T: Send + 'static>(task: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    SpawnedTask::spawn(task).join_unwind().await.unwrap_or_else(|e| Err(WarehouseError::Cancelled(e)))
}

/// Writes metadata files of one snapshot, and knows their locations.
pub(crate) struct MetadataFiles {
    io: FileIO,
    location: String,
    /// Part of every name, so that no two attempts write the same file.
    id: Uuid,
    snapshot: i64,
    written: Vec<String>,
}

/// Cell, year, path: the order in which a commit writes its files.
pub(crate) fn bucket_order(entry: &ManifestEntryRef) -> (Option<&str>, Option<i32>, &str) {
    let (cell, year) = snapshot::bucket_of(entry.data_file());
    (cell, year, entry.file_path())
}

impl MetadataFiles {
    pub fn new(io: &FileIO, metadata: &TableMetadata, snapshot: i64) -> Self {
        let location = metadata.location().to_owned();
        Self { io: io.clone(), location, id: Uuid::new_v4(), snapshot, written: vec![] }
    }

    /// Writes `parts` as added, in the order given, into manifests of at most [`MAX_ENTRIES`].
    pub async fn write_added(&mut self, parts: &[PartFile], metadata: &TableMetadata) -> Result<Vec<ManifestFile>> {
        let manifests = parts.len().div_ceil(MAX_ENTRIES);
        let mut writes = vec![];
        for n in 0..manifests {
            // Even sizes: 501 files make two manifests of about 250, not one of 500 and one of 1.
            let parts = &parts[n * parts.len() / manifests..(n + 1) * parts.len() / manifests];
            let (mut writer, location) = self.writer(metadata)?;
            writes.push(async move {
                for part in parts {
                    let file = snapshot::data_file(part, metadata)?;
                    // A negative sequence number stays open until the manifest list assigns it.
                    writer.add_file(file, part.sequence.unwrap_or(-1)).map_err(WarehouseError::metadata(&location))?;
                }
                writer.write_manifest_file().await.map_err(WarehouseError::metadata(&location))
            });
        }
        futures::stream::iter(writes).buffered(WRITES).try_collect().await
    }

    /// Writes live entries of other manifests, in the order given, into manifests of at most [`MAX_ENTRIES`].
    pub async fn write_existing(
        &mut self,
        entries: &[ManifestEntryRef],
        metadata: &TableMetadata,
    ) -> Result<Vec<ManifestFile>> {
        let chunks = entries.len().div_ceil(MAX_ENTRIES);
        let mut writes = vec![];
        for chunk in 0..chunks {
            let (mut writer, location) = self.writer(metadata)?;
            for entry in &entries[chunk * entries.len() / chunks..(chunk + 1) * entries.len() / chunks] {
                let (added_by, sequence) = (entry.snapshot_id().unwrap_or_default(), entry.sequence_number());
                let file = entry.data_file().clone();
                let written =
                    writer.add_existing_file(file, added_by, sequence.unwrap_or_default(), entry.file_sequence_number);
                written.map_err(WarehouseError::metadata(&location))?;
            }
            writes.push(async move { writer.write_manifest_file().await.map_err(WarehouseError::metadata(&location)) });
        }
        futures::stream::iter(writes).buffered(CONCURRENCY).try_collect().await
    }

    /// Writes what is left of `manifests` without the files in `remove`, sorted by bucket and so into no more manifests
    /// than needed.
    pub async fn write_without(
        &mut self,
        manifests: Vec<ManifestFile>,
        remove: Arc<HashSet<String>>,
        metadata: &TableMetadata,
    ) -> Result<Vec<ManifestFile>> {
        let left = load(&self.io, manifests, move |_, manifest| {
            let live = manifest.into_parts().0.into_iter().filter(|entry| entry.is_alive());
            live.filter(|entry| !remove.contains(entry.file_path())).collect::<Vec<_>>()
        });
        let mut left = left.await?.concat();
        left.sort_by(|a, b| bucket_order(a).cmp(&bucket_order(b)));
        self.write_existing(&left, metadata).await
    }

    /// Writes a manifest that records files, if there are any, as deleted by this snapshot.
    pub async fn write_deleted(
        &mut self,
        files: &[LiveFile],
        metadata: &TableMetadata,
    ) -> Result<Option<ManifestFile>> {
        if files.is_empty() {
            return Ok(None);
        }
        let (mut writer, location) = self.writer(metadata)?;
        for file in files {
            let (sequence, file_sequence) = (file.sequence, file.file_sequence);
            let deleted = writer.add_delete_file(snapshot::listed_file(file, metadata)?, sequence, file_sequence);
            deleted.map_err(WarehouseError::metadata(&location))?;
        }
        writer.write_manifest_file().await.map(Some).map_err(WarehouseError::metadata(&location))
    }

    /// Writes the manifest list of the snapshot and returns its location.
    pub async fn write_list(&mut self, manifests: Vec<ManifestFile>, base: &TableMetadata) -> Result<String> {
        let location = format!("{}/metadata/snap-{}-{}.avro", self.location, self.snapshot, Uuid::new_v4());
        self.written.push(location.clone());
        let write = async {
            let writer = self.io.new_output(&location)?.writer().await?;
            let (parent, sequence) = (base.current_snapshot_id(), base.next_sequence_number());
            let mut list = ManifestListWriter::v2(writer, self.snapshot, parent, sequence);
            list.add_manifests(manifests.into_iter())?;
            list.close().await
        };
        write.await.map_err(WarehouseError::metadata(&location))?;
        Ok(location)
    }

    /// Writes the list of the files of the ingest record, and returns its location.
    pub async fn write_record_list(&mut self, record: &RecordList) -> Result<String> {
        self.write_document(&layout::record_list_name(Uuid::new_v4()), record).await
    }

    /// Writes what is known of the ids of the table, and returns its location.
    pub async fn write_known_ids(&mut self, known: &KnownIds) -> Result<String> {
        self.write_document(&layout::known_ids_name(Uuid::new_v4()), known).await
    }

    /// Writes a list of so many ids.
    pub async fn write_id_list(&mut self, list: Vec<u8>, ids: u64) -> Result<IdFile> {
        let bytes = list.len() as u64;
        let location = self.write(&layout::id_list_name(Uuid::new_v4()), list).await?;
        Ok(IdFile { path: to_url(&location)?.to_string(), ids, bytes })
    }

    async fn write_document(&mut self, name: &str, document: &impl Serialize) -> Result<String> {
        let invalid = |e: serde_json::Error| iceberg::Error::new(iceberg::ErrorKind::Unexpected, e.to_string());
        let bytes = serde_json::to_vec(document).map_err(invalid).map_err(WarehouseError::metadata(name))?;
        self.write(name, bytes).await
    }

    async fn write(&mut self, name: &str, bytes: Vec<u8>) -> Result<String> {
        let location = format!("{}/{}/{name}", self.location, layout::METADATA);
        self.written.push(location.clone());
        let write = async { self.io.new_output(&location)?.write(bytes.into()).await };
        write.await.map_err(WarehouseError::metadata(&location))?;
        Ok(location)
    }

    /// Writes the metadata that follows that of `base`, and returns its location.
    pub async fn write_metadata(&mut self, next: &TableMetadata, base: &TableState) -> Result<String> {
        let previous = base.metadata_location.parse::<MetadataLocation>();
        let previous = previous.map_err(WarehouseError::metadata(&base.metadata_location))?;
        let location = previous.with_next_version().with_new_metadata(next);
        self.written.push(location.to_string());
        next.write_to(&self.io, &location).await.map_err(WarehouseError::metadata(location.to_string()))?;
        Ok(location.to_string())
    }

    /// Deletes what was written. Only for what certainly did not become visible.
    ///
    /// A file that cannot be deleted stays behind as an orphan, which maintenance removes.
    pub async fn delete(self) {
        for location in self.written {
            let _ = self.io.delete(&location).await;
        }
    }

    fn writer(&mut self, metadata: &TableMetadata) -> Result<(ManifestWriter, String)> {
        let location = format!("{}/metadata/{}-m{}.avro", self.location, self.id, self.written.len());
        self.written.push(location.clone());
        let output = self.io.new_output(&location).map_err(WarehouseError::metadata(&location))?;
        let (schema, spec) = (metadata.current_schema().clone(), metadata.default_partition_spec());
        let builder = ManifestWriterBuilder::new(output, Some(self.snapshot), schema, spec.as_ref().clone());
        Ok((builder.build_v2_data(), location))
    }
}

/// Errors if a manifest lists delete files, which none of our readers applies.
pub(super) fn refuse_delete_files(manifests: &[ManifestFile]) -> Result<()> {
    match manifests.iter().find(|m| m.content == ManifestContentType::Deletes) {
        Some(m) => Err(WarehouseError::DeleteFiles { manifest: m.manifest_path.clone() }),
        None => Ok(()),
    }
}
