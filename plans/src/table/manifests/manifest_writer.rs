//! Manifests, written from what is known of files without an object for every value.
//!
//! Iceberg's own writer makes what stands before the entries, and [`earthcatalog_manifests`] the entries. One that stays
//! is copied.

use std::collections::HashMap;

use bytes::Bytes;
use earthcatalog_manifests::avro::Type;
use earthcatalog_manifests::{ADDED, ColumnMetrics, DELETED, DataFile, EXISTING, EntryNumbers, Form, ManifestWriter};
use iceberg::io::FileIO;
use iceberg::spec::{
    FieldSummary, ManifestContentType, ManifestEntryRef, ManifestFile, ManifestWriterBuilder, PrimitiveType,
    TableMetadata,
};
use url::Url;

use super::files::LiveFile;
use super::listing::LiveEntry;
use super::partition::EPOCH_YEAR;
use crate::model::part_file::PartFile;
use crate::table::error::{Result, WarehouseError};
use crate::table::location::to_location;
use crate::table::schema;

/// Stands for a number that the manifest list assigns.
const UNASSIGNED: i64 = -1;

/// How the manifests of a table are written.
pub(super) struct ManifestForm {
    form: Form,
    partition_spec: i32,
    sort_order: Option<i64>,
    /// Types of the columns that may have statistics, by field id.
    columns: HashMap<i32, PrimitiveType>,
}

impl ManifestForm {
    /// Errors: Iceberg cannot write a manifest of the table.
    pub async fn of(metadata: &TableMetadata) -> Result<Self> {
        let header = iceberg_manifest(metadata, &[]).await?;
        let Some(form) = Form::from_manifest(&header) else { return Err(unexpected("its header")) };
        let current = metadata.current_schema();
        let primitive = |(id, field): (&i32, &iceberg::spec::NestedFieldRef)| {
            Some((*id, field.field_type.as_primitive_type()?.clone()))
        };
        Ok(Self {
            form,
            partition_spec: metadata.default_partition_spec_id(),
            sort_order: schema::sort_order_id(metadata),
            columns: current.field_id_to_fields().iter().filter_map(primitive).collect(),
        })
    }

    /// Whether entries of a manifest with this form of entries can be copied.
    pub fn is_that_of(&self, entry: &Type, manifest: &ManifestFile) -> bool {
        entry == self.form.entry_type() && manifest.partition_spec_id == self.partition_spec
    }
}

/// A manifest as Iceberg writes it, with entries that stay.
pub(super) async fn iceberg_manifest(metadata: &TableMetadata, entries: &[ManifestEntryRef]) -> Result<Bytes> {
    let (io, name) = (FileIO::new_with_memory(), "memory:/manifest.avro");
    let written = async {
        let (schema, spec) = (metadata.current_schema().clone(), metadata.default_partition_spec().as_ref().clone());
        let builder = ManifestWriterBuilder::new(io.new_output(name)?, None, schema, spec);
        let mut writer = builder.build_v2_data();
        for entry in entries {
            let (added_by, sequence) = (entry.snapshot_id().unwrap_or_default(), entry.sequence_number());
            let file = entry.data_file().clone();
            writer.add_existing_file(file, added_by, sequence.unwrap_or_default(), entry.file_sequence_number)?;
        }
        writer.write_manifest_file().await?;
        io.new_input(name)?.read().await
    };
    written.await.map_err(WarehouseError::metadata(metadata.location()))
}

/// A manifest that is being written.
pub(super) struct ManifestBuilder<'a> {
    form: &'a ManifestForm,
    /// Id of the snapshot that writes it.
    snapshot: i64,
    entries: ManifestWriter<'a>,
    /// Files and rows by status.
    files: [u32; 3],
    rows: [u64; 3],
    min_sequence: Option<i64>,
    cells: Summary<String>,
    years: Summary<i32>,
}

impl<'a> ManifestBuilder<'a> {
    pub fn new(form: &'a ManifestForm, snapshot: i64) -> Self {
        Self {
            form,
            snapshot,
            entries: ManifestWriter::new(&form.form),
            files: [0; 3],
            rows: [0; 3],
            min_sequence: None,
            cells: Summary::default(),
            years: Summary::default(),
        }
    }

    /// Errors: what is known of the file does not fit the table.
    pub fn add(&mut self, part: &PartFile) -> Result<()> {
        let invalid = |reason: String| WarehouseError::InvalidPartFile { path: part.path.clone(), reason };
        for column in &part.columns {
            let known = self.form.columns.get(&column.field_id);
            let of =
                known.ok_or_else(|| invalid(format!("the table has no column with field id {}", column.field_id)))?;
            let fits = |bound: Option<&[u8]>| bound.is_none_or(|bytes| length(of).is_none_or(|n| n == bytes.len()));
            if !fits(column.lower) || !fits(column.upper) {
                return Err(invalid(format!("a bound of field {} is no {of}", column.field_id)));
            }
        }
        let url = Url::parse(&part.path).map_err(|e| invalid(e.to_string()))?;
        let years = match part.year {
            Some(year) => Some(years(year).ok_or_else(|| invalid(format!("year {year} is out of range")))?),
            None => None,
        };
        let columns = part.columns.iter().map(|c| ColumnMetrics {
            field_id: c.field_id,
            values: c.values as i64,
            nulls: c.nulls as i64,
            lower: c.lower,
            upper: c.upper,
        });
        let file = DataFile {
            location: &to_location(&url)?,
            cell: Some(&part.cell),
            years,
            rows: part.rows,
            bytes: part.bytes,
            sort_order: self.form.sort_order,
            columns: (!part.columns.is_empty()).then_some(columns),
        };
        let numbers =
            EntryNumbers { status: ADDED, snapshot: self.snapshot, sequence: part.sequence, file_sequence: None };
        self.entries.add(numbers, &file).ok_or_else(unexpected_entry)?;
        self.count(ADDED, part.rows, part.sequence, Some(&part.cell), years);
        Ok(())
    }

    /// An entry that stays.
    pub fn keep(&mut self, entry: &LiveEntry) -> Result<()> {
        let LiveEntry { file, snapshot, data_file } = entry;
        let (sequence, file_sequence) = (Some(file.sequence), file.file_sequence);
        let numbers = EntryNumbers { status: EXISTING, snapshot: *snapshot, sequence, file_sequence };
        self.entries.copy(numbers, data_file).ok_or_else(unexpected_entry)?;
        self.count(EXISTING, file.rows, sequence, file.cell.as_deref(), file.year.and_then(years));
        Ok(())
    }

    /// Records a file as deleted.
    pub fn delete(&mut self, file: &LiveFile) -> Result<()> {
        let years = file.year.and_then(years);
        let gone = DataFile {
            location: &file.location,
            cell: file.cell.as_deref(),
            years,
            rows: file.rows,
            bytes: file.bytes,
            sort_order: None,
            columns: None::<std::iter::Empty<ColumnMetrics<'_>>>,
        };
        let (sequence, file_sequence) = (Some(file.sequence), file.file_sequence);
        let numbers = EntryNumbers { status: DELETED, snapshot: self.snapshot, sequence, file_sequence };
        self.entries.add(numbers, &gone).ok_or_else(unexpected_entry)?;
        self.count(DELETED, file.rows, None, file.cell.as_deref(), years);
        Ok(())
    }

    /// `sequence`: of a live entry, where it has one of its own.
    fn count(&mut self, status: i64, rows: u64, sequence: Option<i64>, cell: Option<&str>, years: Option<i32>) {
        self.files[status as usize] += 1;
        let total = &mut self.rows[status as usize];
        *total = total.saturating_add(rows);
        self.min_sequence = self.min_sequence.into_iter().chain(sequence).min();
        self.cells.add(cell.map(str::to_owned));
        self.years.add(years);
    }

    /// The bytes of the manifest that will lie at `location`, and how a manifest list names it.
    pub fn finish(self, location: String) -> Result<(Bytes, ManifestFile)> {
        let manifest = self.entries.finish().ok_or_else(unexpected_entry)?;
        let file = ManifestFile {
            manifest_path: location,
            manifest_length: manifest.len() as i64,
            partition_spec_id: self.form.partition_spec,
            content: ManifestContentType::Data,
            sequence_number: UNASSIGNED,
            min_sequence_number: self.min_sequence.unwrap_or(UNASSIGNED),
            added_snapshot_id: self.snapshot,
            added_files_count: Some(self.files[ADDED as usize]),
            existing_files_count: Some(self.files[EXISTING as usize]),
            deleted_files_count: Some(self.files[DELETED as usize]),
            added_rows_count: Some(self.rows[ADDED as usize]),
            existing_rows_count: Some(self.rows[EXISTING as usize]),
            deleted_rows_count: Some(self.rows[DELETED as usize]),
            partitions: Some(vec![
                self.cells.finish(String::into_bytes),
                self.years.finish(|year| year.to_le_bytes().to_vec()),
            ]),
            key_metadata: None,
            first_row_id: None,
        };
        Ok((manifest.into(), file))
    }
}

/// What Iceberg makes of a year.
fn years(year: i32) -> Option<i32> {
    year.checked_sub(EPOCH_YEAR)
}

/// Least and greatest value of a partition field over the files of a manifest.
#[derive(Default)]
struct Summary<T> {
    contains_null: bool,
    bounds: Option<(T, T)>,
}

impl<T: Ord + Clone> Summary<T> {
    fn add(&mut self, value: Option<T>) {
        let Some(value) = value else {
            self.contains_null = true;
            return;
        };
        self.bounds = Some(match self.bounds.take() {
            None => (value.clone(), value),
            Some((least, greatest)) => (least.min(value.clone()), greatest.max(value)),
        });
    }

    fn finish(self, bytes: impl Fn(T) -> Vec<u8>) -> FieldSummary {
        let (least, greatest) = self.bounds.map(|(least, greatest)| (bytes(least), bytes(greatest))).unzip();
        FieldSummary {
            contains_null: self.contains_null,
            contains_nan: Some(false),
            lower_bound: least.map(Into::into),
            upper_bound: greatest.map(Into::into),
        }
    }
}

/// Bytes of a single value of this type; `None` where they vary.
fn length(of: &PrimitiveType) -> Option<usize> {
    Some(match of {
        PrimitiveType::Boolean => 1,
        PrimitiveType::Int | PrimitiveType::Float | PrimitiveType::Date => 4,
        PrimitiveType::Long
        | PrimitiveType::Double
        | PrimitiveType::Time
        | PrimitiveType::Timestamp
        | PrimitiveType::Timestamptz
        | PrimitiveType::TimestampNs
        | PrimitiveType::TimestamptzNs => 8,
        _ => return None,
    })
}

fn unexpected_entry() -> WarehouseError {
    unexpected("the form of its entries")
}

/// Only another version of Iceberg's library can bring that about.
fn unexpected(what: &str) -> WarehouseError {
    let error = iceberg::Error::new(iceberg::ErrorKind::Unexpected, format!("a manifest cannot be written: {what}"));
    WarehouseError::metadata("a new manifest")(error)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use iceberg::spec::{Datum, Literal, Manifest, ManifestStatus, Struct};

    use super::*;
    use crate::model::part_file::ColumnStatistics;
    use crate::table::create::Warehouse;
    use crate::table::manifests::MetadataFiles;
    use crate::table::testing::{record, warehouse};

    const SNAPSHOT: i64 = 77;

    async fn read(warehouse: &Warehouse, manifest: &ManifestFile) -> Manifest {
        // As a manifest list assigns it.
        ManifestFile { sequence_number: 9, ..manifest.clone() }.load_manifest(warehouse.io()).await.unwrap()
    }

    fn column(field_id: i32, lower: &[u8], upper: &[u8]) -> ColumnStatistics {
        ColumnStatistics { field_id, values: 3, nulls: 1, lower: Some(lower.to_vec()), upper: Some(upper.to_vec()) }
    }

    /// Two files: one with statistics, one without a year and with a sequence number of its own.
    fn parts(warehouse: &Warehouse) -> [PartFile; 2] {
        let id = |name: &str| warehouse.field_ids()[name];
        let columns = [
            column(id("id"), b"a", "é".as_bytes()),
            column(id("latitude"), &(-1.5f64).to_le_bytes(), &2.5f64.to_le_bytes()),
        ];
        [
            PartFile { columns: columns.into_iter().collect(), ..record(warehouse, "81a", Some(1969), "one part") },
            PartFile { sequence: Some(4), ..record(warehouse, "__none__", None, "2") },
        ]
    }

    #[tokio::test]
    async fn iceberg_reads_what_is_added_with_all_that_is_known_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let metadata = &warehouse.load().await.unwrap().metadata;
        let mut files = MetadataFiles::new(warehouse.io(), metadata, SNAPSHOT);
        let [manifest] = &files.write_added(&parts(&warehouse), metadata).await.unwrap()[..] else { panic!("one") };

        assert_eq!(
            manifest.manifest_length as u64,
            std::fs::metadata(&manifest.manifest_path["file://".len()..]).unwrap().len()
        );
        assert_eq!((manifest.added_files_count, manifest.added_rows_count), (Some(2), Some(6)));
        assert_eq!((manifest.sequence_number, manifest.min_sequence_number), (UNASSIGNED, 4));
        let summaries = manifest.partitions.as_deref().unwrap();
        let bounds = summaries
            .iter()
            .map(|s| (s.lower_bound.as_ref().unwrap().to_vec(), s.upper_bound.as_ref().unwrap().to_vec()));
        let year = (-1i32).to_le_bytes().to_vec();
        assert_eq!(bounds.collect::<Vec<_>>(), [(b"81a".to_vec(), b"__none__".to_vec()), (year.clone(), year)]);
        assert_eq!(summaries.iter().map(|s| s.contains_null).collect::<Vec<_>>(), [false, true]);

        let read = read(&warehouse, manifest).await;
        let [one, two] = read.entries() else { panic!("two entries") };
        assert_eq!(
            (one.status(), one.snapshot_id(), one.sequence_number()),
            (ManifestStatus::Added, Some(SNAPSHOT), Some(9))
        );
        assert_eq!((two.sequence_number(), two.file_sequence_number), (Some(4), Some(9)));
        let file = one.data_file();
        assert!(file.file_path().ends_with("/grid_partition=81a/year=1969/one part.parquet"), "{}", file.file_path());
        assert_eq!((file.record_count(), file.file_size_in_bytes()), (3, 100));
        assert_eq!(*file.partition(), Struct::from_iter([Some(Literal::string("81a")), Some(Literal::int(-1))]));
        let [id, latitude] = ["id", "latitude"].map(|name| warehouse.field_ids()[name]);
        assert_eq!(*file.lower_bounds(), HashMap::from([(id, Datum::string("a")), (latitude, Datum::double(-1.5))]));
        assert_eq!(*file.upper_bounds(), HashMap::from([(id, Datum::string("é")), (latitude, Datum::double(2.5))]));
        assert_eq!(*file.value_counts(), HashMap::from([(id, 3), (latitude, 3)]));
        assert_eq!(*file.null_value_counts(), HashMap::from([(id, 1), (latitude, 1)]));
        assert_eq!(file.sort_order_id(), Some(metadata.default_sort_order_id() as i32));
        assert_eq!(*two.data_file().partition(), Struct::from_iter([Some(Literal::string("__none__")), None]));
    }

    #[tokio::test]
    async fn an_entry_that_stays_is_the_same_whoever_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let metadata = &warehouse.load().await.unwrap().metadata;
        let mut files = MetadataFiles::new(warehouse.io(), metadata, SNAPSHOT);
        let added = files.write_added(&parts(&warehouse), metadata).await.unwrap().remove(0);
        let added = ManifestFile { sequence_number: 9, ..added };
        let before = read(&warehouse, &added).await;
        // The same by Iceberg's library, in the form of version 1, which has no sequence numbers.
        let output = warehouse.io().new_output(format!("{}/metadata/v1.avro", metadata.location())).unwrap();
        let (schema, spec) = (metadata.current_schema().clone(), metadata.default_partition_spec().as_ref().clone());
        let mut other = ManifestWriterBuilder::new(output, Some(5), schema, spec).build_v1();
        for entry in before.entries() {
            other.add_file(entry.data_file().clone(), 0).unwrap();
        }
        let other = ManifestFile { sequence_number: 0, ..other.write_manifest_file().await.unwrap() };

        for (source, snapshot, sequences) in [(added, SNAPSHOT, [(9, 9), (4, 9)]), (other, 5, [(0, 0), (0, 0)])] {
            let kept = files.write_without(vec![source], &HashSet::new(), metadata).await.unwrap().remove(0);
            assert_eq!((kept.existing_files_count, kept.existing_rows_count), (Some(2), Some(6)));
            assert_eq!(kept.min_sequence_number, sequences[1].0);
            let read = read(&warehouse, &kept).await;
            for ((entry, was), (sequence, file_sequence)) in read.entries().iter().zip(before.entries()).zip(sequences)
            {
                assert_eq!(entry.data_file(), was.data_file());
                assert_eq!((entry.status(), entry.snapshot_id()), (ManifestStatus::Existing, Some(snapshot)));
                let numbers = (entry.sequence_number(), entry.file_sequence_number);
                assert_eq!(numbers, (Some(sequence), Some(file_sequence)));
            }
        }
    }

    #[tokio::test]
    async fn a_deleted_file_keeps_its_sequence_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let metadata = &warehouse.load().await.unwrap().metadata;
        let mut files = MetadataFiles::new(warehouse.io(), metadata, SNAPSHOT);
        let gone = LiveFile {
            location: "file:///gone.parquet".to_owned(),
            rows: 2,
            bytes: 50,
            cell: Some("81a".to_owned()),
            year: None,
            sequence: 3,
            file_sequence: Some(4),
        };
        let manifest = files.write_deleted(&[gone], metadata).await.unwrap().unwrap();
        assert_eq!((manifest.deleted_files_count, manifest.min_sequence_number), (Some(1), UNASSIGNED));
        let read = read(&warehouse, &manifest).await;
        let entry = &read.entries()[0];
        assert_eq!((entry.status(), entry.snapshot_id()), (ManifestStatus::Deleted, Some(SNAPSHOT)));
        assert_eq!((entry.sequence_number(), entry.file_sequence_number), (Some(3), Some(4)));
        assert_eq!((entry.file_path(), entry.record_count()), ("file:///gone.parquet", 2));
    }

    #[tokio::test]
    async fn statistics_that_do_not_fit_the_table_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let metadata = &warehouse.load().await.unwrap().metadata;
        let latitude = warehouse.field_ids()["latitude"];
        for (column, reason) in [(column(9999, b"a", b"b"), "9999"), (column(latitude, b"a", b"b"), "no double")] {
            let part = PartFile { columns: [column].into_iter().collect(), ..record(&warehouse, "81a", None, "x") };
            let mut files = MetadataFiles::new(warehouse.io(), metadata, SNAPSHOT);
            let error = files.write_added(&[part], metadata).await.unwrap_err().to_string();
            assert!(error.contains("x.parquet") && error.contains(reason), "{error}");
        }
    }
}
