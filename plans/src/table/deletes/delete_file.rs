//! [`DeleteFile`]: a file of deletions, and the data files that it may be about.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};
use iceberg::spec::{
    DataContentType, DataFile, DataFileFormat, Datum, ManifestEntryRef, ManifestFile, PrimitiveLiteral, TableMetadata,
};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use super::super::error::{Result, WarehouseError};
use super::super::manifests::files::LiveFile;
use super::super::manifests::partition::bucket_of;
use super::super::schema::is_by_bucket;
use crate::model::bucket::Bucket;

/// Field id of the column of a position delete file that names data files.
const FILE_PATH: i32 = 2_147_483_546;

/// A file that says which rows of data files are deleted.
#[derive(Debug, Clone)]
pub(crate) struct DeleteFile {
    /// Iceberg location.
    pub location: String,
    /// Of the manifest that lists it.
    pub manifest: String,
    pub kind: DeleteKind,
    pub rows: u64,
    pub bytes: u64,
    /// Data sequence number: it is about data files that are older.
    pub sequence: i64,
    scope: Scope,
}

/// How a file says which rows are deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeleteKind {
    /// By data file, and number of the row in it; the only data file, where there is but one.
    Positions { only: Option<String> },
    /// By the values of these columns, which have their field ids: a row of a data file is deleted that has those of a row of this
    /// file.
    Equality { columns: Vec<Field> },
}

/// Where the data files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Bucket(Bucket),
    /// In no bucket: they are partitioned otherwise.
    Elsewhere,
    Table,
}

impl DeleteFile {
    /// The delete file of an entry of `manifest`.
    ///
    /// Errors: it is of a kind that is not read.
    pub fn new(entry: &ManifestEntryRef, manifest: &ManifestFile, metadata: &TableMetadata) -> Result<Self> {
        let file = entry.data_file();
        let refused = |reason: &str| WarehouseError::DeleteFile {
            location: file.file_path().to_owned(),
            reason: reason.to_owned(),
        };
        if file.file_format() != DataFileFormat::Parquet {
            return Err(refused("it is no Parquet file"));
        }
        let spec = metadata.partition_spec_by_id(manifest.partition_spec_id);
        let by_bucket = spec.is_some_and(|spec| is_by_bucket(spec, metadata));
        let of_all = spec.is_some_and(|spec| spec.is_unpartitioned());
        let kind = match file.content_type() {
            DataContentType::PositionDeletes => DeleteKind::Positions { only: only_file(file) },
            DataContentType::EqualityDeletes if by_bucket || of_all => match file.equality_ids() {
                Some(ids) if !ids.is_empty() => {
                    DeleteKind::Equality { columns: ids.into_iter().map(|id| column(id, metadata)).collect() }
                }
                _ => return Err(refused("it does not say which columns it compares")),
            },
            DataContentType::EqualityDeletes => {
                return Err(refused("it is about a partition of another partitioning than by cell and year"));
            }
            DataContentType::Data => return Err(refused("its manifest says that it is a data file")),
        };
        let scope = match (by_bucket, bucket_of(file), &kind) {
            (true, (Some(cell), year), _) => Scope::Bucket(Bucket { cell: cell.to_owned(), year }),
            (true, (None, _), _) => return Err(refused("it is of no cell")),
            (false, _, DeleteKind::Positions { .. }) => Scope::Elsewhere,
            (false, _, DeleteKind::Equality { .. }) => Scope::Table,
        };
        Ok(Self {
            location: file.file_path().to_owned(),
            manifest: manifest.manifest_path.clone(),
            kind,
            rows: file.record_count(),
            bytes: file.file_size_in_bytes(),
            sequence: entry.sequence_number().unwrap_or_default(),
            scope,
        })
    }

    /// Whether it may be about rows of a data file.
    pub fn may_be_about(&self, file: &LiveFile) -> bool {
        let is_there = match &self.scope {
            Scope::Bucket(bucket) => file.cell.as_ref() == Some(&bucket.cell) && file.year == bucket.year,
            Scope::Elsewhere => file.cell.is_none(),
            Scope::Table => true,
        };
        is_there
            && match &self.kind {
                DeleteKind::Positions { only } => {
                    file.sequence <= self.sequence && only.as_ref().is_none_or(|only| *only == file.location)
                }
                DeleteKind::Equality { .. } => file.sequence < self.sequence,
            }
    }

    /// The bucket in which all of its data files lie, if they lie in one.
    pub fn bucket(&self) -> Option<&Bucket> {
        match &self.scope {
            Scope::Bucket(bucket) => Some(bucket),
            Scope::Elsewhere | Scope::Table => None,
        }
    }

    /// Whether it names rows by their position.
    pub fn is_by_position(&self) -> bool {
        matches!(self.kind, DeleteKind::Positions { .. })
    }

    /// The sequence number that files must have about which a later commit shall not take it to be.
    ///
    /// A file that replaces others is as old as its newest row, and values of the whole table would delete rows of it, for ever. Those
    /// of a bucket go when the bucket is replaced.
    pub fn outlived_by(&self) -> Option<i64> {
        (self.scope == Scope::Table).then_some(self.sequence)
    }
}

/// The column of a field id, under the last name that the table has had for it.
fn column(id: i32, metadata: &TableMetadata) -> Field {
    let current = metadata.current_schema().name_by_field_id(id).map(str::to_owned);
    let name =
        current.or_else(|| metadata.schemas_iter().find_map(|schema| schema.name_by_field_id(id)).map(str::to_owned));
    let metadata = [(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())].into();
    Field::new(name.unwrap_or_else(|| format!("(field {id})")), DataType::Null, true).with_metadata(metadata)
}

/// The data file that a position delete file is about, where it is about one alone.
fn only_file(file: &DataFile) -> Option<String> {
    let bound = |bounds: &HashMap<i32, Datum>| match bounds.get(&FILE_PATH)?.literal() {
        PrimitiveLiteral::String(path) => Some(path.clone()),
        _ => None,
    };
    let bounds = || bound(file.lower_bounds()).zip(bound(file.upper_bounds()));
    // A bound may be cut: then it has no ending.
    let whole =
        || bounds().filter(|(lower, upper)| lower == upper && lower.ends_with(".parquet")).map(|(path, _)| path);
    file.referenced_data_file().or_else(whole)
}
