//! The live files of a manifest, with or without the statistics of their columns, which are nearly all of it.

use std::borrow::Cow;

use bytes::Bytes;
use iceberg::spec::ManifestFile;
use serde::Deserialize;

use super::avro::{Container, Reader, Type, Value};
use super::column_bounds::{BoundsBuilder, Recorded};
use super::files::{LiveFile, LiveFiles};
use super::manifest_writer::ManifestForm;
use super::partition::EPOCH_YEAR;
use crate::model::items::ItemSchema;

/// Values of `status`.
pub(super) const EXISTING: i64 = 0;
pub(super) const ADDED: i64 = 1;
pub(super) const DELETED: i64 = 2;

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

/// As [`list`], with the statistics of the columns of `items`.
pub(super) fn list_with_bounds(bytes: &[u8], manifest: &ManifestFile, items: &ItemSchema) -> Option<LiveFiles> {
    /// What is read of an Iceberg schema.
    #[derive(Deserialize)]
    struct Schema<'a> {
        #[serde(borrow)]
        fields: Vec<Field<'a>>,
    }

    #[derive(Deserialize)]
    struct Field<'a> {
        id: i32,
        #[serde(borrow)]
        name: Cow<'a, str>,
    }

    let container = open(bytes, manifest)?;
    let schema: Schema = serde_json::from_slice(container.metadata.get("schema")?).ok()?;
    let id = |name: &str| Some(schema.fields.iter().find(|field| field.name == name)?.id);
    let (mut files, mut bounds) = (vec![], BoundsBuilder::new(items, id));
    each_live(&container, manifest, Columns::Read, |file, entry| {
        files.push(file);
        bounds.push(&entry.recorded);
    })?;
    Some(LiveFiles::new(files, bounds))
}

/// The live entries of the manifest with these bytes, if they are of this form. `None`: as of [`list`].
pub(super) fn entries(bytes: &Bytes, manifest: &ManifestFile, form: &ManifestForm) -> Option<Vec<LiveEntry>> {
    let container = open(bytes, manifest)?;
    if !form.is_that_of(&container.record, manifest) {
        return None;
    }
    let mut entries = vec![];
    each_live(&container, manifest, Columns::Skipped, |file, entry| {
        let snapshot = entry.snapshot.unwrap_or(manifest.added_snapshot_id);
        entries.push(LiveEntry { file, snapshot, data_file: bytes.slice_ref(entry.data_file) });
    })?;
    Some(entries)
}

fn open<'a>(bytes: &'a [u8], manifest: &ManifestFile) -> Option<Container<'a>> {
    if manifest.key_metadata.is_some() { None } else { Container::open(bytes) }
}

/// Hands over each live file, with its entry.
fn each_live<'a>(
    container: &Container<'a>,
    manifest: &ManifestFile,
    columns: Columns,
    mut file: impl FnMut(LiveFile, &Entry<'a>),
) -> Option<()> {
    let Type::Record(fields) = &container.record else { return None };
    for (records, bytes) in &container.blocks {
        let mut reader = Reader { rest: bytes };
        for _ in 0..*records {
            let entry = Entry::read(fields, &mut reader, columns)?;
            if let Some(live) = entry.live_file(manifest)? {
                file(live, &entry);
            }
        }
    }
    Some(())
}

/// Whether statistics of columns are read.
#[derive(Clone, Copy, PartialEq)]
enum Columns {
    Read,
    Skipped,
}

/// A manifest entry (Iceberg spec, "Manifests"), as far as it is read.
#[derive(Debug, Default)]
struct Entry<'a> {
    status: Option<i64>,
    snapshot: Option<i64>,
    sequence: Inherited,
    file_sequence: Inherited,
    path: Option<&'a str>,
    rows: Option<i64>,
    bytes: Option<i64>,
    cell: Option<&'a str>,
    year: Option<i32>,
    /// Empty unless it was asked for.
    recorded: Recorded<'a>,
    data_file: &'a [u8],
}

/// A number that an added file has from its manifest, where it has none of its own.
#[derive(Debug, Default, Clone, Copy)]
enum Inherited {
    /// The manifest has no such field, as in format version 1.
    #[default]
    NoField,
    Null,
    Own(i64),
}

impl<'a> Entry<'a> {
    fn read(fields: &[(String, Type)], reader: &mut Reader<'a>, columns: Columns) -> Option<Self> {
        let mut entry = Self::default();
        for (name, of) in fields {
            match (name.as_str(), of) {
                ("data_file", Type::Record(fields)) => {
                    let from_here = reader.rest;
                    entry.read_data_file(fields, reader, columns)?;
                    entry.data_file = &from_here[..from_here.len() - reader.rest.len()];
                }
                ("snapshot_id", _) => entry.snapshot = long(reader.value(of)?),
                ("status", _) => entry.status = long(reader.value(of)?),
                ("sequence_number", _) => entry.sequence = Inherited::of(reader.value(of)?),
                ("file_sequence_number", _) => entry.file_sequence = Inherited::of(reader.value(of)?),
                _ => _ = reader.value(of)?,
            }
        }
        Some(entry)
    }

    fn read_data_file(&mut self, fields: &[(String, Type)], reader: &mut Reader<'a>, columns: Columns) -> Option<()> {
        let Recorded { lower, upper, nulls } = &mut self.recorded;
        for (name, of) in fields {
            match (name.as_str(), of) {
                ("partition", Type::Record(fields)) => {
                    for (i, (_, of)) in fields.iter().enumerate() {
                        match (i, reader.value(of)?) {
                            (0, Value::Text(cell)) => self.cell = Some(cell),
                            (1, Value::Int(year)) => self.year = Some(year.checked_add(EPOCH_YEAR)?),
                            _ => {}
                        }
                    }
                }
                ("file_path", _) => self.path = text(reader.value(of)?),
                ("record_count", _) => self.rows = long(reader.value(of)?),
                ("file_size_in_bytes", _) => self.bytes = long(reader.value(of)?),
                ("lower_bounds", _) if columns == Columns::Read => {
                    reader.entries(of, |id, value| lower.extend(bytes(value).map(|bound| (id, bound))))?;
                }
                ("upper_bounds", _) if columns == Columns::Read => {
                    reader.entries(of, |id, value| upper.extend(bytes(value).map(|bound| (id, bound))))?;
                }
                ("null_value_counts", _) if columns == Columns::Read => {
                    reader.entries(of, |id, value| nulls.extend(long(value).map(|count| (id, count))))?;
                }
                _ => _ = reader.value(of)?,
            }
        }
        Some(())
    }

    /// The file, if it is live; an error (`None`) if the entry lacks something.
    fn live_file(&self, manifest: &ManifestFile) -> Option<Option<LiveFile>> {
        let added = match self.status? {
            EXISTING => false,
            ADDED => true,
            DELETED => return Some(None),
            _ => return None,
        };
        let inherited = (added || manifest.sequence_number == 0).then_some(manifest.sequence_number);
        Some(Some(LiveFile {
            location: self.path?.to_owned(),
            rows: self.rows?.try_into().ok()?,
            bytes: self.bytes?.try_into().ok()?,
            cell: self.cell.map(str::to_owned),
            year: self.year,
            sequence: self.sequence.or(inherited)?.unwrap_or_default(),
            file_sequence: self.file_sequence.or(inherited)?,
        }))
    }
}

impl Inherited {
    fn of(value: Value) -> Self {
        long(value).map_or(Self::Null, Self::Own)
    }

    fn or(self, inherited: Option<i64>) -> Option<Option<i64>> {
        match self {
            Self::NoField => None,
            Self::Null => Some(inherited),
            Self::Own(number) => Some(Some(number)),
        }
    }
}

fn long(value: Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number.into()),
        Value::Long(number) => Some(number),
        _ => None,
    }
}

fn bytes(value: Value<'_>) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn text(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
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
            let expected = files::live_files(&iceberg);
            assert_eq!(list(&bytes, &manifest), Some(expected.clone()));
            let with_bounds = list_with_bounds(&bytes, &manifest, warehouse.items()).unwrap();
            let read_by_iceberg = LiveFiles::read(&iceberg, warehouse.items());
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
                list_with_bounds(&damaged, &manifest, warehouse.items());
            }
        }
    }
}
