//! [`ItemIndex`]: in which buckets the rows of an id are, so that a question about an id opens the files of those alone.
//!
//! An index is a Parquet file of the rows of the table as of one snapshot:
//!
//! | column | type | |
//! |---|---|---|
//! | `id_hash` | Int64 | xxHash64 (seed 0) of the id, ascending |
//! | `grid_partition` | Utf8 | the cell |
//! | `year` | Int32 | that of `datetime`; null without one |
//!
//! It holds for that snapshot and for those that descend from it: rows that came since are in files of a later commit, which
//! are read in any case; so are those of a compaction, which makes an index useless until it is built again. It says where an
//! id may be, and never that there is none elsewhere: two ids with one hash cost a file, and nothing else.
//!
//! The snapshot on top of which it was built names it in its summary, and the later ones of ours hand that on.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};
use futures::TryStreamExt;
use iceberg::spec::SnapshotRef;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;
use url::Url;

use super::error::{Result, WarehouseError};
use super::{LiveFile, TableState};
use crate::stores::{ParquetObject, stores};

/// Ids that are looked up, at most; questions about more read the files that bounds leave.
pub const MOST_IDS: usize = 1_000;

/// Which file is an index, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemIndex {
    /// URL.
    pub path: String,
    pub bytes: u64,
    /// Pairs of an id and a bucket.
    pub entries: u64,
    /// Sequence number of the snapshot of whose rows it tells.
    pub sequence: i64,
}

/// Cell and year of `datetime`.
pub type Bucket = (String, Option<i32>);

/// The files of an index that were opened, of which the newest is kept.
#[derive(Debug, Default)]
pub struct OpenIndex(Mutex<Option<(String, ArrowReaderMetadata)>>);

/// What stands for an id.
pub fn hash_of_id(id: &str) -> i64 {
    XxHash64::oneshot(0, id.as_bytes()) as i64
}

/// Columns of the file.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id_hash", DataType::Int64, false),
        Field::new("grid_partition", DataType::Utf8, false),
        Field::new("year", DataType::Int32, true),
    ]))
}

impl ItemIndex {
    /// Summary property of a snapshot with the index that holds for it.
    pub const PROPERTY: &str = "earthcatalog.item-index";

    /// The index that holds for a snapshot of a table, if there is one.
    pub fn for_snapshot(table: &TableState, snapshot: &SnapshotRef) -> Option<Self> {
        let mut line = table.line_of(Some(snapshot));
        let text = line.find_map(|snapshot| snapshot.summary().additional_properties.get(Self::PROPERTY))?;
        serde_json::from_str(text).ok()
    }

    /// The index that holds for the snapshot of sequence number `next` on top of the current one, in which the rows are as
    /// they were (`same_rows`), or not. Where all that is there was indexed, so is what a compaction makes of it.
    pub(super) fn after(base: &TableState, next: i64, same_rows: bool) -> Option<Self> {
        let current = base.metadata.current_snapshot()?;
        let index = Self::for_snapshot(base, current)?;
        let is_complete = same_rows && index.sequence >= current.sequence_number();
        Some(Self { sequence: if is_complete { next } else { index.sequence }, ..index })
    }

    /// The property of a snapshot.
    pub fn property(&self) -> (String, String) {
        // A struct of texts and numbers is JSON.
        (Self::PROPERTY.to_owned(), serde_json::to_string(self).unwrap_or_default())
    }

    /// Whether a file of a snapshot for which the index holds may have rows of an id that is in `buckets`.
    pub fn may_hold(&self, buckets: &HashSet<Bucket>, file: &LiveFile) -> bool {
        let is_known = file.file_sequence.is_some_and(|sequence| sequence <= self.sequence);
        let Some(cell) = file.cell.as_ref().filter(|_| is_known) else { return true };
        buckets.contains(&(cell.clone(), file.year))
    }

    /// The buckets in which rows of some ids were; `None` if the file is gone.
    ///
    /// Errors: the file is not an index, or cannot be read.
    pub async fn buckets(&self, ids: &[&str], open: &OpenIndex) -> Result<Option<HashSet<Bucket>>> {
        let hashes: BTreeSet<i64> = ids.iter().map(|id| hash_of_id(id)).collect();
        let url = Url::parse(&self.path)
            .map_err(|e| WarehouseError::InvalidLocation { location: self.path.clone(), reason: e.to_string() })?;
        let (store, path) = stores().locate(&url)?;
        let object = ParquetObject::new(store, path, self.bytes);
        let metadata = match open.get(&self.path) {
            Some(metadata) => metadata,
            None => {
                let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
                match ArrowReaderMetadata::load_async(&mut object.clone(), options).await {
                    Ok(metadata) => open.keep(&self.path, metadata),
                    Err(e) if is_gone(&e) => return Ok(None),
                    Err(e) => return Err(self.broken(&e)),
                }
            }
        };
        let (groups, selection) = pages(metadata.metadata(), &hashes);
        let reader = ParquetRecordBatchStreamBuilder::new_with_metadata(object, metadata);
        let rows = reader.with_row_groups(groups).with_row_selection(selection).build();
        let mut found = HashSet::new();
        let read = async {
            let mut rows = rows?;
            while let Some(batch) = rows.try_next().await? {
                found.extend(matching(&batch, &hashes));
            }
            Ok::<_, ParquetError>(())
        };
        match read.await {
            Ok(()) => Ok(Some(found)),
            Err(e) if is_gone(&e) => Ok(None),
            Err(e) => Err(self.broken(&e)),
        }
    }

    fn broken(&self, error: &ParquetError) -> WarehouseError {
        WarehouseError::Index { location: self.path.clone(), reason: error.to_string() }
    }
}

impl OpenIndex {
    fn get(&self, path: &str) -> Option<ArrowReaderMetadata> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().filter(|(of, _)| of == path).map(|(_, metadata)| metadata.clone())
    }

    fn keep(&self, path: &str, metadata: ArrowReaderMetadata) -> ArrowReaderMetadata {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((path.to_owned(), metadata.clone()));
        metadata
    }
}

/// Whether a file could not be read because it is not there.
fn is_gone(error: &ParquetError) -> bool {
    let ParquetError::External(source) = error else { return false };
    matches!(source.downcast_ref(), Some(object_store::Error::NotFound { .. }))
}

/// The row groups and, in these, the rows of the pages that may have one of some hashes.
fn pages(file: &ParquetMetaData, hashes: &BTreeSet<i64>) -> (Vec<usize>, RowSelection) {
    let may_have = |least: i64, greatest: i64| hashes.range(least..=greatest).next().is_some();
    let (mut groups, mut selected) = (vec![], vec![]);
    for (number, group) in file.row_groups().iter().enumerate() {
        let index = file.column_index().map(|of| &of[number][0]);
        let offsets = file.offset_index().map(|of| of[number][0].page_locations());
        let rows = group.num_rows() as usize;
        let pages: Vec<(Range<usize>, bool)> = match (index, offsets) {
            (Some(ColumnIndexMetaData::INT64(index)), Some(offsets)) => {
                let first = |page: usize| offsets.get(page).map_or(rows, |page| page.first_row_index as usize);
                let bounds = |page| index.min_value(page).zip(index.max_value(page));
                let may_have = |page| bounds(page).is_none_or(|(least, greatest)| may_have(*least, *greatest));
                (0..offsets.len()).map(|page| (first(page)..first(page + 1), may_have(page))).collect()
            }
            _ => vec![(0..rows, true)],
        };
        if pages.iter().any(|(_, is_selected)| *is_selected) {
            groups.push(number);
            selected.extend(pages.into_iter().map(|(rows, is_selected)| match is_selected {
                true => RowSelector::select(rows.len()),
                false => RowSelector::skip(rows.len()),
            }));
        }
    }
    (groups, selected.into())
}

/// The buckets of the rows of a batch that have one of some hashes.
fn matching(batch: &RecordBatch, hashes: &BTreeSet<i64>) -> Vec<Bucket> {
    let (of_rows, years) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(2).as_primitive::<Int32Type>());
    let cells = batch.column(1).as_string::<i32>();
    let is_one = |row: &usize| hashes.contains(&of_rows.value(*row));
    let bucket = |row: usize| (cells.value(row).to_owned(), years.is_valid(row).then(|| years.value(row)));
    (0..batch.num_rows()).filter(is_one).map(bucket).collect()
}
