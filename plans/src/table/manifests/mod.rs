//! Reading and writing manifests: the lists of data files behind a snapshot.

pub(crate) mod files;
mod listing;
mod manifest_writer;
pub(crate) mod partition;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::runtime::SpawnedTask;
use futures::{StreamExt, TryStreamExt};
use iceberg::MetadataLocation;
use iceberg::io::FileIO;
use iceberg::spec::{
    Manifest, ManifestContentType, ManifestFile, ManifestList, ManifestListWriter, ManifestWriterBuilder, Snapshot,
    TableMetadata,
};
use serde::Serialize;
use uuid::Uuid;

use self::files::{LiveFile, LiveFiles};
use self::listing::LiveEntry;
use self::manifest_writer::{ManifestBuilder, ManifestForm};
use super::catalog::{Catalog, Proposed};
use super::error::{Result, WarehouseError};
use super::ingest_record::RecordList;
use super::known_ids::KnownIds;
use super::location::to_url;
use super::schema::{self, Columns};
use super::state::TableState;
use crate::model::layout;
use crate::model::part_file::PartFile;
use crate::model::task_files::IdFile;
use crate::stores;

/// Entries of a manifest that we write. Replacing one file rewrites one manifest, and a scan that prunes by cell
/// skips most of them.
pub(crate) const MAX_ENTRIES: usize = 500;

/// Metadata files that are read or written at a time.
const CONCURRENCY: usize = 8;

/// The manifests with live files in a snapshot.
pub(crate) async fn live_manifests(
    io: &FileIO,
    metadata: &TableMetadata,
    snapshot: &Snapshot,
) -> Result<Vec<ManifestFile>> {
    let live = |m: &ManifestFile| m.has_added_files() || m.has_existing_files();
    Ok(all_manifests(io, metadata, snapshot).await?.into_iter().filter(live).collect())
}

/// The manifests of deletes, and those of data files.
pub(crate) fn apart(manifests: Vec<ManifestFile>) -> (Vec<ManifestFile>, Vec<ManifestFile>) {
    manifests.into_iter().partition(|manifest| manifest.content == ManifestContentType::Deletes)
}

/// What is to be known of a manifest to read it: where its entries are partitioned otherwise than by cell and year, it says
/// nothing of those, and neither do its files.
pub(crate) fn to_be_read(manifest: ManifestFile, metadata: &TableMetadata) -> ManifestFile {
    let spec = metadata.partition_spec_by_id(manifest.partition_spec_id);
    match spec.is_some_and(|spec| schema::is_by_bucket(spec, metadata)) {
        true => manifest,
        false => ManifestFile { partitions: None, ..manifest },
    }
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
    refuse_damaged(&bytes, location)?;
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
///
/// Errors: [`WarehouseError::Damaged`] where its bytes are not those that were written, or the list says otherwise.
pub(crate) async fn live_files(io: FileIO, manifest: ManifestFile) -> Result<Vec<LiveFile>> {
    let files = match listing::list(&content(&io, &manifest).await?, &manifest) {
        Some(files) => files,
        None => {
            let manifest = manifest.clone();
            on_a_task(async move { Ok(files::live_files(&read_manifest(&io, &manifest).await?, &manifest)) }).await?
        }
    };
    check_count(&manifest, files.len())?;
    Ok(files)
}

/// The paths of manifests and their live files with statistics, with bounded concurrency, in the order given.
pub(super) async fn list_with_bounds(
    io: &FileIO,
    manifests: impl IntoIterator<Item = ManifestFile>,
    columns: &Arc<Columns>,
) -> Result<Vec<(String, LiveFiles)>> {
    let read = |manifest: ManifestFile| {
        let (io, columns) = (io.clone(), Arc::clone(columns));
        async move { Ok((manifest.manifest_path.clone(), live_files_with_bounds(io, manifest, columns).await?)) }
    };
    futures::stream::iter(manifests).map(read).buffered(CONCURRENCY).try_collect().await
}

/// The live files of a manifest with the statistics of their columns.
///
/// Errors: as of [`live_files`].
pub(crate) async fn live_files_with_bounds(
    io: FileIO,
    manifest: ManifestFile,
    columns: Arc<Columns>,
) -> Result<LiveFiles> {
    on_a_task(async move {
        let bytes = content(&io, &manifest).await?;
        let files = match listing::list_with_bounds(&bytes, &manifest, &columns) {
            Some(files) => files,
            None => LiveFiles::read(&read_manifest(&io, &manifest).await?, &manifest, &columns),
        };
        check_count(&manifest, files.files.len())?;
        Ok(files)
    })
    .await
}

async fn content(io: &FileIO, manifest: &ManifestFile) -> Result<Bytes> {
    let read = async { io.new_input(&manifest.manifest_path)?.read().await };
    let bytes = read.await.map_err(WarehouseError::metadata(&manifest.manifest_path))?;
    refuse_damaged(&bytes, &manifest.manifest_path)?;
    if manifest.manifest_length > 0 && bytes.len() as i64 != manifest.manifest_length {
        let reason = format!("it has {} bytes, and {} in the manifest list", bytes.len(), manifest.manifest_length);
        return Err(WarehouseError::Damaged { location: manifest.manifest_path.clone(), reason });
    }
    Ok(bytes)
}

fn refuse_damaged(bytes: &[u8], location: &str) -> Result<()> {
    match earthcatalog_manifests::is_whole(bytes) {
        true => Ok(()),
        false => {
            let reason = "its bytes are not those that were written".to_owned();
            Err(WarehouseError::Damaged { location: location.to_owned(), reason })
        }
    }
}

/// Errors where a manifest list says that a manifest has another number of live files.
fn check_count(manifest: &ManifestFile, files: usize) -> Result<()> {
    let listed = manifest.added_files_count.zip(manifest.existing_files_count);
    match listed.map(|(added, existing)| u64::from(added) + u64::from(existing)) {
        Some(listed) if listed != files as u64 => {
            let reason = format!("it has {files} live files, and {listed} in the manifest list");
            Err(WarehouseError::Damaged { location: manifest.manifest_path.clone(), reason })
        }
        _ => Ok(()),
    }
}

/// A manifest, as Iceberg reads it.
pub(crate) async fn read_manifest(io: &FileIO, manifest: &ManifestFile) -> Result<Manifest> {
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

impl MetadataFiles {
    pub fn new(io: &FileIO, metadata: &TableMetadata, snapshot: i64) -> Self {
        Self { snapshot, ..Self::at(io, metadata.location()) }
    }

    /// Of a table at an Iceberg location.
    pub fn at(io: &FileIO, location: &str) -> Self {
        Self { io: io.clone(), location: location.to_owned(), id: Uuid::new_v4(), snapshot: 0, written: vec![] }
    }

    /// Writes `parts` as added, in the order given, into manifests of at most [`MAX_ENTRIES`].
    pub async fn write_added(&mut self, parts: &[PartFile], metadata: &TableMetadata) -> Result<Vec<ManifestFile>> {
        let form = ManifestForm::of(metadata).await?;
        self.write_manifests(&form, parts, |manifest, part| manifest.add(part)).await
    }

    /// Writes what is left of `manifests` without the files in `remove`, sorted by bucket and so into no more manifests
    /// than needed.
    pub async fn write_without(
        &mut self,
        manifests: Vec<ManifestFile>,
        remove: &HashSet<String>,
        metadata: &TableMetadata,
    ) -> Result<Vec<ManifestFile>> {
        if manifests.is_empty() {
            return Ok(vec![]);
        }
        let form = ManifestForm::of(metadata).await?;
        let read = |manifest| live_entries(&self.io, manifest, &form, metadata);
        let read = futures::stream::iter(manifests).map(read).buffered(CONCURRENCY);
        let mut left: Vec<_> = read.try_collect::<Vec<_>>().await?.into_iter().flatten().collect();
        left.retain(|entry| !remove.contains(&entry.file.location));
        // As a commit orders the files that it adds.
        let order = |LiveEntry { file, .. }: &LiveEntry| (file.cell.clone(), file.year, file.location.clone());
        left.sort_by_cached_key(order);
        self.write_manifests(&form, &left, |manifest, entry| manifest.keep(entry)).await
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
        let form = ManifestForm::of(metadata).await?;
        let mut manifest = ManifestBuilder::new(&form, self.snapshot);
        files.iter().try_for_each(|file| manifest.delete(file))?;
        let location = self.manifest_location();
        write_manifest(&self.io, manifest, location).await.map(Some)
    }

    /// Writes a manifest of deletes again, with the files in `remove` as deleted by this snapshot.
    pub async fn write_deletes_without(
        &mut self,
        manifest: &ManifestFile,
        remove: &HashSet<&str>,
        metadata: &TableMetadata,
    ) -> Result<ManifestFile> {
        let read = read_manifest(&self.io, manifest).await?;
        let location = self.manifest_location();
        let write = async {
            let spec = metadata.partition_spec_by_id(manifest.partition_spec_id);
            let spec = spec.unwrap_or(metadata.default_partition_spec()).as_ref().clone();
            let (output, schema) = (self.io.new_output(&location)?, metadata.current_schema().clone());
            let builder = ManifestWriterBuilder::new(output, Some(self.snapshot), schema, spec);
            let mut writer = builder.build_v2_deletes();
            for entry in read.entries().iter().filter(|entry| entry.is_alive()) {
                let (file, sequence) = (entry.data_file().clone(), entry.sequence_number().unwrap_or_default());
                match remove.contains(entry.file_path()) {
                    true => writer.add_delete_file(file, sequence, entry.file_sequence_number)?,
                    false => {
                        let added_by = entry.snapshot_id().unwrap_or_default();
                        writer.add_existing_file(file, added_by, sequence, entry.file_sequence_number)?;
                    }
                }
            }
            writer.write_manifest_file().await
        };
        write.await.map_err(WarehouseError::metadata(&location))
    }

    /// Writes entries, in the order given, into manifests of at most [`MAX_ENTRIES`].
    async fn write_manifests<T>(
        &mut self,
        form: &ManifestForm,
        entries: &[T],
        add: impl Fn(&mut ManifestBuilder<'_>, &T) -> Result<()>,
    ) -> Result<Vec<ManifestFile>> {
        let manifests = entries.len().div_ceil(MAX_ENTRIES);
        let locations: Vec<_> = (0..manifests).map(|_| self.manifest_location()).collect();
        let (io, snapshot, add) = (&self.io, self.snapshot, &add);
        let write = |(n, location)| async move {
            let mut manifest = ManifestBuilder::new(form, snapshot);
            // Even sizes: 501 files make two manifests of about 250, not one of 500 and one of 1.
            let entries = &entries[n * entries.len() / manifests..(n + 1) * entries.len() / manifests];
            entries.iter().try_for_each(|entry| add(&mut manifest, entry))?;
            write_manifest(io, manifest, location).await
        };
        let written = futures::stream::iter(locations.into_iter().enumerate()).map(write);
        written.buffered(CONCURRENCY).try_collect().await
    }

    fn manifest_location(&mut self) -> String {
        let location = format!("{}/{}/{}", self.location, layout::METADATA, self.manifest_name());
        self.written.push(location.clone());
        location
    }

    /// The name of the next manifest.
    pub fn manifest_name(&self) -> String {
        format!("{}-m{}.avro", self.id, self.written.len())
    }

    /// A name for a manifest list.
    pub fn list_name(&self) -> String {
        format!("snap-{}-{}.avro", self.snapshot, Uuid::new_v4())
    }

    /// Writes the manifest list of the snapshot and returns its location.
    pub async fn write_list(&mut self, manifests: Vec<ManifestFile>, base: &TableMetadata) -> Result<String> {
        let location = format!("{}/{}/{}", self.location, layout::METADATA, self.list_name());
        self.written.push(location.clone());
        let write = async {
            let (memory, name) = (FileIO::new_with_memory(), "memory:/list.avro");
            let (parent, sequence) = (base.current_snapshot_id(), base.next_sequence_number());
            let writer = memory.new_output(name)?.writer().await?;
            let mut list = ManifestListWriter::v2(writer, self.snapshot, parent, sequence);
            list.add_manifests(manifests.into_iter())?;
            list.close().await?;
            let list = memory.new_input(name)?.read().await?;
            let unsealed = || iceberg::Error::new(iceberg::ErrorKind::Unexpected, "Iceberg's writer made no Avro file");
            let sealed = earthcatalog_manifests::seal(list.into()).ok_or_else(unsealed)?;
            self.io.new_output(&location)?.write(sealed.into()).await
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

    /// Writes a file of that name, and returns its location.
    pub async fn write(&mut self, name: &str, bytes: Vec<u8>) -> Result<String> {
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

    /// What is to follow `base` in `catalog`: written, unless the catalog writes metadata itself.
    pub async fn propose(&mut self, next: TableMetadata, base: &TableState, catalog: &Catalog) -> Result<Proposed> {
        let location = match catalog.writes_metadata() {
            true => None,
            false => Some(self.write_metadata(&next, base).await?),
        };
        Ok(Proposed { metadata: next.into(), location })
    }

    /// Has a local disk keep what was written, before something that lasts names it.
    pub async fn sync(&self) -> Result<()> {
        let urls = self.written.iter().map(|location| to_url(location)).collect::<Result<Vec<_>>>()?;
        Ok(stores::sync(urls).await?)
    }

    /// Deletes what was written. Only for what certainly did not become visible.
    ///
    /// A file that cannot be deleted stays behind as an orphan, which maintenance removes.
    pub async fn delete(self) {
        for location in self.written {
            let _ = self.io.delete(&location).await;
        }
    }
}

async fn write_manifest(io: &FileIO, manifest: ManifestBuilder<'_>, location: String) -> Result<ManifestFile> {
    let (bytes, file) = manifest.finish(location)?;
    let write = async { io.new_output(&file.manifest_path)?.write(bytes).await };
    write.await.map_err(WarehouseError::metadata(&file.manifest_path))?;
    Ok(file)
}

/// The live entries of a manifest, to be copied into manifests of this form.
async fn live_entries(
    io: &FileIO,
    manifest: ManifestFile,
    form: &ManifestForm,
    metadata: &TableMetadata,
) -> Result<Vec<LiveEntry>> {
    if let Some(entries) = listing::entries(&content(io, &manifest).await?, &manifest, form) {
        check_count(&manifest, entries.len())?;
        return Ok(entries);
    }
    // Another writer has written it in another way: Iceberg writes it in ours.
    let (entries, _) = read_manifest(io, &manifest).await?.into_parts();
    let entries: Vec<_> = entries.into_iter().filter(|entry| entry.is_alive()).collect();
    check_count(&manifest, entries.len())?;
    let written = manifest_writer::iceberg_manifest(metadata, &entries).await?;
    let location = manifest.manifest_path.clone();
    let ours = ManifestFile { key_metadata: None, partition_spec_id: metadata.default_partition_spec_id(), ..manifest };
    listing::entries(&written, &ours, form).ok_or_else(|| {
        let reason =
            "its entries cannot be written again; rewrite the manifests with the engine that wrote it".to_owned();
        WarehouseError::NotItems { location, reason }
    })
}
