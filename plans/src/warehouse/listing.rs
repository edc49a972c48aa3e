//! The live files of a manifest without the statistics of their columns, which are nearly all of it.

use iceberg::spec::ManifestFile;

use super::avro::{Container, Reader, Type, Value};
use super::files::LiveFile;
use super::snapshot::EPOCH_YEAR;

/// Values of `status`.
const EXISTING: i64 = 0;
const ADDED: i64 = 1;
const DELETED: i64 = 2;

/// The live files of the manifest with these bytes; `None` if they are malformed, or were written in a way that is left
/// to Iceberg's reader: encrypted, compressed, or in format version 1.
pub(super) fn list(bytes: &[u8], manifest: &ManifestFile) -> Option<Vec<LiveFile>> {
    if manifest.key_metadata.is_some() {
        return None;
    }
    let container = Container::open(bytes)?;
    let Type::Record(fields) = &container.record else { return None };
    let mut files = vec![];
    for (records, bytes) in &container.blocks {
        let mut reader = Reader { rest: bytes };
        for _ in 0..*records {
            files.extend(Entry::read(fields, &mut reader)?.live_file(manifest)?);
        }
    }
    Some(files)
}

/// A manifest entry (Iceberg spec, "Manifests"), as far as it is read.
#[derive(Debug, Default)]
struct Entry<'a> {
    status: Option<i64>,
    sequence: Inherited,
    file_sequence: Inherited,
    path: Option<&'a str>,
    rows: Option<i64>,
    bytes: Option<i64>,
    cell: Option<&'a str>,
    year: Option<i32>,
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
    fn read(fields: &[(String, Type)], reader: &mut Reader<'a>) -> Option<Self> {
        let mut entry = Self::default();
        for (name, of) in fields {
            match (name.as_str(), of) {
                ("data_file", Type::Record(fields)) => entry.read_data_file(fields, reader)?,
                ("status", _) => entry.status = long(reader.value(of)?),
                ("sequence_number", _) => entry.sequence = Inherited::of(reader.value(of)?),
                ("file_sequence_number", _) => entry.file_sequence = Inherited::of(reader.value(of)?),
                _ => _ = reader.value(of)?,
            }
        }
        Some(entry)
    }

    fn read_data_file(&mut self, fields: &[(String, Type)], reader: &mut Reader<'a>) -> Option<()> {
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
                _ => _ = reader.value(of)?,
            }
        }
        Some(())
    }

    /// The file, if it is live; an error (`None`) if the entry lacks something.
    fn live_file(self, manifest: &ManifestFile) -> Option<Option<LiveFile>> {
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

fn text(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::commit::{Change, Committer};
    use super::super::create::Warehouse;
    use super::super::testing::{record, warehouse};
    use super::super::{files, manifests};
    use super::*;

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
        let old = crate::part_file::PartFile { sequence: Some(1), ..old };
        committer.commit(Change { add: vec![old, none], remove, ..Change::default() }).await.unwrap();
        warehouse
    }

    #[tokio::test]
    async fn a_listing_has_what_iceberg_reads_of_the_live_files() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = sample(&folder).await;
        let mut all = vec![];
        for (manifest, bytes) in manifests(&warehouse).await {
            let expected = files::live_files(&manifest.load_manifest(warehouse.io()).await.unwrap());
            assert_eq!(list(&bytes, &manifest), Some(expected.clone()));
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
                list(&damaged, &manifest);
            }
        }
    }
}
