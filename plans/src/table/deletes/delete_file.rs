//! [`DeleteFile`]: a file of deletions, and the data files that it may be about.

use iceberg::spec::{
    DataContentType, DataFile, DataFileFormat, ManifestEntryRef, ManifestFile, PrimitiveLiteral, TableMetadata,
};

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
    /// In which all of its data files lie; `None` where they may be of any.
    bucket: Option<Bucket>,
}

/// How a file says which rows are deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeleteKind {
    /// By data file, and number of the row in it; the only data file, where there is but one.
    Positions { only: Option<String> },
    /// By the values of these fields: a row of a data file is deleted that has those of a row of this file.
    Equality { fields: Vec<i32> },
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
                Some(fields) if !fields.is_empty() => DeleteKind::Equality { fields },
                _ => return Err(refused("it does not say which columns it compares")),
            },
            DataContentType::EqualityDeletes => {
                return Err(refused("it is about a partition of another partitioning than by cell and year"));
            }
            DataContentType::Data => return Err(refused("its manifest says that it is a data file")),
        };
        let (cell, year) = bucket_of(file);
        let bucket = cell.filter(|_| by_bucket).map(|cell| Bucket { cell: cell.to_owned(), year });
        if by_bucket && bucket.is_none() {
            return Err(refused("it is of no cell"));
        }
        Ok(Self {
            location: file.file_path().to_owned(),
            manifest: manifest.manifest_path.clone(),
            kind,
            rows: file.record_count(),
            bytes: file.file_size_in_bytes(),
            sequence: entry.sequence_number().unwrap_or_default(),
            // Positions name their data files, whatever their partition.
            bucket,
        })
    }

    /// Whether it may be about rows of a data file.
    pub fn may_be_about(&self, file: &LiveFile) -> bool {
        let is_there = |bucket: &Bucket| file.cell.as_ref() == Some(&bucket.cell) && file.year == bucket.year;
        self.bucket.as_ref().is_none_or(is_there)
            && match &self.kind {
                DeleteKind::Positions { only } => {
                    file.sequence <= self.sequence && only.as_ref().is_none_or(|only| *only == file.location)
                }
                DeleteKind::Equality { .. } => file.sequence < self.sequence,
            }
    }

    /// The bucket in which all of its data files lie; `None` where they may be of any.
    pub fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }

    /// The sequence number that files must have about which a later commit shall not take it to be.
    ///
    /// A file that replaces others is as old as its newest row, and values of the whole table would delete rows of it, for ever. Those
    /// of a bucket go when the bucket is replaced.
    pub fn outlived_by(&self) -> Option<i64> {
        (self.bucket.is_none() && matches!(self.kind, DeleteKind::Equality { .. })).then_some(self.sequence)
    }
}

/// The data file that a position delete file is about, where it is about one alone.
fn only_file(file: &DataFile) -> Option<String> {
    let bound = |bounds: &std::collections::HashMap<i32, iceberg::spec::Datum>| match bounds.get(&FILE_PATH)?.literal()
    {
        PrimitiveLiteral::String(path) => Some(path.clone()),
        _ => None,
    };
    // A bound may be cut: two that are the same and that long may still be of several files.
    let (lower, upper) = (bound(file.lower_bounds())?, bound(file.upper_bounds())?);
    file.referenced_data_file().or_else(|| (lower == upper && lower.ends_with(".parquet")).then_some(lower))
}
