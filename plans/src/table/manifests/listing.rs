//! The live files of a manifest, with or without the statistics of their columns, which are nearly all of it.

use bytes::Bytes;
use earthcatalog_manifests::{ADDED, Columns, DELETED, EXISTING, Entry, Manifest};
use iceberg::spec::ManifestFile;

use super::files::{self, LiveFile, LiveFiles};
use super::manifest_writer::ManifestForm;
use super::partition::EPOCH_YEAR;
use crate::table::schema;

/// A live entry of a manifest.
#[derive(Debug)]
pub(super) struct LiveEntry {
    pub file: LiveFile,
    /// Id of the snapshot that added it.
    pub snapshot: i64,
    /// Its `data_file`, as the manifest has it.
    pub data_file: Bytes,
}

/// The live files of the manifest with these bytes; `None` if they are malformed, or were written in a way that is left
/// to Iceberg's reader: encrypted, compressed, or in format version 1.
pub(super) fn list(bytes: &[u8], manifest: &ManifestFile) -> Option<Vec<LiveFile>> {
    let mut files = vec![];
    each_live(&open(bytes, manifest)?, manifest, Columns::Skipped, |file, _| files.push(file))?;
    Some(files)
}

/// As [`list`], with the statistics of `columns`.
pub(super) fn list_with_bounds(bytes: &[u8], manifest: &ManifestFile, columns: &schema::Columns) -> Option<LiveFiles> {
    let opened = open(bytes, manifest)?;
    let (mut files, mut bounds) = (vec![], files::bounds_of(columns));
    each_live(&opened, manifest, Columns::Read, |file, entry| {
        files.push(file);
        bounds.push(&entry.recorded);
    })?;
    Some(LiveFiles::new(files, bounds))
}

/// The live entries of the manifest with these bytes, if they are of this form. `None`: as of [`list`].
pub(super) fn entries(bytes: &Bytes, manifest: &ManifestFile, form: &ManifestForm) -> Option<Vec<LiveEntry>> {
    let opened = open(bytes, manifest)?;
    if !form.is_that_of(opened.entry_type(), manifest) {
        return None;
    }
    let mut entries = vec![];
    each_live(&opened, manifest, Columns::Skipped, |file, entry| {
        let snapshot = entry.snapshot.unwrap_or(manifest.added_snapshot_id);
        entries.push(LiveEntry { file, snapshot, data_file: bytes.slice_ref(entry.data_file) });
    })?;
    Some(entries)
}

fn open<'a>(bytes: &'a [u8], manifest: &ManifestFile) -> Option<Manifest<'a>> {
    if manifest.key_metadata.is_some() { None } else { Manifest::open(bytes) }
}

/// Hands over each live file, with its entry.
fn each_live<'a>(
    opened: &Manifest<'a>,
    manifest: &ManifestFile,
    columns: Columns,
    mut take: impl FnMut(LiveFile, &Entry<'a>),
) -> Option<()> {
    opened.each_entry(columns, |entry| {
        if let Some(file) = live_file(&entry, manifest)? {
            take(file, &entry);
        }
        Some(())
    })
}

/// The file of an entry, if it is live; an error (`None`) if the entry lacks something.
fn live_file(entry: &Entry<'_>, manifest: &ManifestFile) -> Option<Option<LiveFile>> {
    let added = match entry.status? {
        EXISTING => false,
        ADDED => true,
        DELETED => return Some(None),
        _ => return None,
    };
    let inherited = (added || manifest.sequence_number == 0).then_some(manifest.sequence_number);
    let is_by_bucket = manifest.partitions.is_some();
    let year = match entry.years.filter(|_| is_by_bucket) {
        Some(years) => Some(years.checked_add(EPOCH_YEAR)?),
        None => None,
    };
    Some(Some(LiveFile {
        location: entry.path?.to_owned(),
        rows: entry.rows?.try_into().ok()?,
        bytes: entry.bytes?.try_into().ok()?,
        cell: entry.cell.filter(|_| is_by_bucket).map(str::to_owned),
        year,
        sequence: entry.sequence.or(inherited)?.unwrap_or_default(),
        file_sequence: entry.file_sequence.or(inherited)?,
    }))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::*;
    use crate::table::commit::{Change, Committer};
    use crate::table::create::Warehouse;
    use crate::table::manifests;
    use crate::table::manifests::files;
    use crate::table::testing::{record, warehouse};

    /// The live manifests with their bytes.
    async fn manifests(warehouse: &Warehouse) -> Vec<(ManifestFile, Vec<u8>)> {
        let state = warehouse.load().await.unwrap();
        let snapshot = state.metadata.current_snapshot().unwrap();
        let mut read = vec![];
        for manifest in manifests::live_manifests(warehouse.io(), &state.metadata, snapshot).await.unwrap() {
            let bytes = warehouse.io().new_input(&manifest.manifest_path).unwrap().read().await.unwrap();
            read.push((manifest, bytes.to_vec()));
        }
        read
    }

    /// Two manifests: files of one commit, one of them with an older sequence number of its own; and what a removal
    /// left of another.
    async fn sample(folder: &tempfile::TempDir) -> Warehouse {
        let warehouse = warehouse(folder).await;
        let [one, gone, old, none] =
            [("81a", Some(2020)), ("81a", Some(1969)), ("81b", Some(2021)), ("__none__", None)]
                .map(|(cell, year)| record(&warehouse, cell, year, "x"));
        let committer = Committer::new(warehouse.clone());
        let remove = vec![gone.path.clone()];
        committer.commit(Change { add: vec![one, gone], ..Change::default() }).await.unwrap();
        let old = crate::model::part_file::PartFile { sequence: Some(1), ..old };
        committer.commit(Change { add: vec![old, none], remove, ..Change::default() }).await.unwrap();
        warehouse
    }

    #[tokio::test]
    async fn a_listing_has_what_iceberg_reads_of_the_live_files() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = sample(&folder).await;
        let mut all = vec![];
        for (manifest, bytes) in manifests(&warehouse).await {
            let iceberg = manifest.load_manifest(warehouse.io()).await.unwrap();
            let expected = files::live_files(&iceberg, &manifest);
            assert_eq!(list(&bytes, &manifest), Some(expected.clone()));
            let with_bounds = list_with_bounds(&bytes, &manifest, warehouse.columns()).unwrap();
            let read_by_iceberg = LiveFiles::read(&iceberg, &manifest, warehouse.columns());
            assert_eq!(with_bounds.files, expected);
            for field in warehouse.items().table_schema().fields() {
                let [ours, iceberg] = [&with_bounds, &read_by_iceberg].map(|read| read.bounds(field.name()));
                assert_eq!(format!("{ours:?}"), format!("{iceberg:?}"), "{field}");
            }
            let ids = with_bounds.bounds("id").unwrap();
            assert_eq!((ids.min.as_string_view().value(0), ids.max.as_string_view().value(0)), ("a", "z"));
            assert_eq!(ids.nulls.value(0), 0);
            all.extend(expected);
        }
        all.sort_by(|a, b| a.cell.cmp(&b.cell));
        let found = all.iter().map(|f| (f.cell.as_deref(), f.year, f.sequence, f.file_sequence)).collect::<Vec<_>>();
        let expected = [
            (Some("81a"), Some(2020), 1, Some(1)),
            (Some("81b"), Some(2021), 1, Some(2)),
            (Some("__none__"), None, 2, Some(2)),
        ];
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_damaged_manifest_is_left_to_iceberg_and_never_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = sample(&folder).await;
        for (manifest, bytes) in manifests(&warehouse).await {
            assert_eq!(list(&bytes[..bytes.len() - 1], &manifest), None);
            for at in (0..bytes.len()).step_by(3) {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0x55;
                list_with_bounds(&damaged, &manifest, warehouse.columns());
            }
        }
    }
}
