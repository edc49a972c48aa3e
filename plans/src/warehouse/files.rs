//! The live files of a snapshot with their statistics, column by column, as pruning wants them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use iceberg::io::FileIO;
use iceberg::spec::{DataFile, Datum, Manifest, ManifestEntryRef, ManifestFile, PrimitiveLiteral};

use super::error::{Result, WarehouseError};
use super::manifests;
use super::snapshot::{self, EPOCH_YEAR};
use crate::items::{GRID_PARTITION, ItemSchema};

/// Files whose statistics stay in memory between statements; one takes about 2 kB.
const CACHED_FILES: usize = 50_000;

/// A data file of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFile {
    /// Iceberg location.
    pub location: String,
    pub rows: u64,
    pub bytes: u64,
    /// `grid_partition` of all its rows.
    pub cell: Option<String>,
    /// Year of `datetime` of all its rows; `None` where it is null.
    pub year: Option<i32>,
    /// Data sequence number: greater in a later commit.
    pub sequence: i64,
    /// Sequence number of the commit that added the file; `None` where none has yet, or the table is too old to say.
    pub file_sequence: Option<i64>,
}

/// The live files of one manifest.
#[derive(Debug)]
pub struct LiveFiles {
    pub files: Vec<LiveFile>,
    rows: ArrayRef,
    columns: HashMap<String, Bounds>,
}

/// Statistics of one column: an element per file, null where unknown.
#[derive(Debug)]
pub struct Bounds {
    pub min: ArrayRef,
    pub max: ArrayRef,
    pub nulls: UInt64Array,
}

impl LiveFiles {
    fn new(manifest: &Manifest, items: &ItemSchema) -> Result<Self, String> {
        let live: Vec<&DataFile> = manifest.entries().iter().filter(|e| e.is_alive()).map(|e| e.data_file()).collect();
        let files = live_files(manifest);
        let ids = manifest.metadata().schema();
        let mut columns = HashMap::new();
        for field in items.table_schema().fields() {
            // Statistics are of leaves: a struct or list has none of its own.
            let Some(id) = ids.field_id_by_name(field.name()).filter(|_| !field.data_type().is_nested()) else {
                continue;
            };
            let data_type = field.data_type();
            let bounds = match field.name().as_str() {
                GRID_PARTITION => cell_bounds(&files),
                name => {
                    column_bounds(&live, id, data_type, |i| (name == "datetime").then(|| year_bounds(files[i].year)))
                }
            };
            columns.insert(field.name().clone(), bounds.map_err(|e| format!("statistics of {}: {e}", field.name()))?);
        }
        let rows = Arc::new(files.iter().map(|f| f.rows).collect::<UInt64Array>());
        Ok(Self { files, rows, columns })
    }

    pub fn bounds(&self, column: &str) -> Option<&Bounds> {
        self.columns.get(column)
    }
}

/// The live files of a manifest that was read, and so knows its sequence number.
pub(super) fn live_files(manifest: &Manifest) -> Vec<LiveFile> {
    manifest.entries().iter().filter(|entry| entry.is_alive()).map(live_file).collect()
}

fn live_file(entry: &ManifestEntryRef) -> LiveFile {
    let file = entry.data_file();
    let (cell, year) = snapshot::bucket_of(file);
    LiveFile {
        location: file.file_path().to_owned(),
        rows: file.record_count(),
        bytes: file.file_size_in_bytes(),
        cell: cell.map(str::to_owned),
        year,
        sequence: entry.sequence_number().unwrap_or_default(),
        file_sequence: entry.file_sequence_number,
    }
}

fn column_bounds(
    files: &[&DataFile],
    id: i32,
    data_type: &DataType,
    implied: impl Fn(usize) -> Option<[ScalarValue; 2]>,
) -> datafusion::common::Result<Bounds> {
    let null = ScalarValue::try_new_null(data_type)?;
    let side = |side: usize, bound: fn(&DataFile) -> &HashMap<i32, Datum>| {
        let values = files.iter().enumerate().map(|(i, file)| {
            let recorded = bound(file).get(&id).and_then(|datum| scalar(datum.literal(), data_type));
            recorded.or_else(|| Some(implied(i)?[side].clone())).unwrap_or_else(|| null.clone())
        });
        ScalarValue::iter_to_array(values)
    };
    let nulls = |file: &&DataFile| file.null_value_counts().get(&id).copied();
    Ok(Bounds {
        // An iterator of no files has no type.
        min: if files.is_empty() { null.to_array_of_size(0)? } else { side(0, |f| f.lower_bounds())? },
        max: if files.is_empty() { null.to_array_of_size(0)? } else { side(1, |f| f.upper_bounds())? },
        nulls: files.iter().map(nulls).collect(),
    })
}

/// The partition's own value, which every row has.
fn cell_bounds(files: &[LiveFile]) -> datafusion::common::Result<Bounds> {
    let cells: ArrayRef = Arc::new(files.iter().map(|f| f.cell.as_deref()).collect::<arrow::array::StringViewArray>());
    let nulls = files.iter().map(|f| Some(if f.cell.is_none() { f.rows } else { 0 })).collect();
    Ok(Bounds { min: Arc::clone(&cells), max: cells, nulls })
}

/// First and last microsecond of a year; null for none.
fn year_bounds(year: Option<i32>) -> [ScalarValue; 2] {
    let start =
        |year: i32| Some(NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros());
    let value = |micros| ScalarValue::TimestampMicrosecond(micros, Some("UTC".into()));
    [value(year.and_then(start)), value(year.and_then(|y| start(y + 1)).map(|next| next - 1))]
}

fn scalar(literal: &PrimitiveLiteral, data_type: &DataType) -> Option<ScalarValue> {
    Some(match (literal, data_type) {
        (PrimitiveLiteral::Boolean(v), DataType::Boolean) => ScalarValue::Boolean(Some(*v)),
        (PrimitiveLiteral::Int(v), DataType::Int32) => ScalarValue::Int32(Some(*v)),
        (PrimitiveLiteral::Long(v), DataType::Int64) => ScalarValue::Int64(Some(*v)),
        (PrimitiveLiteral::Float(v), DataType::Float32) => ScalarValue::Float32(Some(v.0)),
        (PrimitiveLiteral::Double(v), DataType::Float64) => ScalarValue::Float64(Some(v.0)),
        (PrimitiveLiteral::String(v), DataType::Utf8View) => ScalarValue::Utf8View(Some(v.clone())),
        (PrimitiveLiteral::Long(v), DataType::Timestamp(_, zone)) => {
            ScalarValue::TimestampMicrosecond(Some(*v), zone.clone())
        }
        _ => return None,
    })
}

impl PruningStatistics for LiveFiles {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        Some(Arc::clone(&self.columns.get(&column.name)?.min))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        Some(Arc::clone(&self.columns.get(&column.name)?.max))
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        Some(Arc::new(self.columns.get(&column.name)?.nulls.clone()))
    }

    fn row_counts(&self, _: &Column) -> Option<ArrayRef> {
        Some(Arc::clone(&self.rows))
    }

    /// Known of the cell alone: all rows of a file have the same.
    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let cells = text_values(column, values)?;
        Some(self.files.iter().map(|file| Some(cells.contains(file.cell.as_deref()?))).collect())
    }
}

/// What is known of files by their cells and years alone.
pub(super) struct Buckets<'a>(pub &'a LiveFiles);

impl Buckets<'_> {
    fn bounds(&self, column: &Column, side: usize) -> Option<ArrayRef> {
        match column.name.as_str() {
            GRID_PARTITION => self.0.min_values(column),
            "datetime" => {
                ScalarValue::iter_to_array(self.0.files.iter().map(|file| year_bounds(file.year)[side].clone())).ok()
            }
            _ => None,
        }
    }
}

impl PruningStatistics for Buckets<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, 0)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, 1)
    }

    fn num_containers(&self) -> usize {
        self.0.num_containers()
    }

    /// All or nothing: rows without a `datetime` have a bucket of their own.
    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let nulls = |file: &LiveFile| if file.year.is_none() { file.rows } else { 0 };
        (column.name == "datetime")
            .then(|| Arc::new(self.0.files.iter().map(nulls).collect::<UInt64Array>()) as ArrayRef)
    }

    fn row_counts(&self, column: &Column) -> Option<ArrayRef> {
        self.0.row_counts(column)
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        self.0.contained(column, values)
    }
}

/// What a manifest list says of each manifest: bounds of cells and years.
pub struct ManifestSummaries<'a>(pub &'a [ManifestFile]);

impl ManifestSummaries<'_> {
    /// Bounds of partition field `field`, decoded; null where unknown.
    fn bounds(&self, column: &Column, upper: bool) -> Option<ArrayRef> {
        let field = match column.name.as_str() {
            GRID_PARTITION => 0,
            "datetime" => 1,
            _ => return None,
        };
        let values = self.0.iter().map(|manifest| {
            let summary = manifest.partitions.as_ref().and_then(|p| p.get(field));
            let bytes = summary.and_then(|s| if upper { s.upper_bound.as_ref() } else { s.lower_bound.as_ref() });
            if field == 0 {
                let cell = bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
                return ScalarValue::Utf8View(cell);
            }
            let year = bytes.and_then(|bytes| Some(i32::from_le_bytes(bytes.as_slice().try_into().ok()?)));
            let [first, last] = year_bounds(year.map(|year| year + EPOCH_YEAR));
            if upper { last } else { first }
        });
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for ManifestSummaries<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, false)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, true)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, _: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self, _: &Column) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let cells = text_values(column, values)?;
        // A manifest between whose bounds a cell lies may still lack it.
        let within = |manifest: &ManifestFile| (!manifests::may_hold(manifest, cells.iter().copied())).then_some(false);
        Some(self.0.iter().map(within).collect())
    }
}

/// The literals that `grid_partition` is compared with; `None` for other columns.
fn text_values<'a>(column: &Column, values: &'a HashSet<ScalarValue>) -> Option<HashSet<&'a str>> {
    if column.name != GRID_PARTITION {
        return None;
    }
    values.iter().map(|value| value.try_as_str().flatten()).collect()
}

/// Manifests never change, so that what was read of one holds for every later snapshot that lists it.
#[derive(Debug, Default)]
pub struct FileCache {
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    by_manifest: HashMap<String, Arc<LiveFiles>>,
    oldest_first: VecDeque<String>,
    files: usize,
}

impl FileCache {
    /// The live files of `manifests`, in order.
    pub async fn load(
        &self,
        io: &FileIO,
        manifests: &[ManifestFile],
        items: &ItemSchema,
    ) -> Result<Vec<Arc<LiveFiles>>> {
        let (mut known, mut missing) = (HashMap::new(), vec![]);
        {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            for manifest in manifests {
                match read.by_manifest.get(&manifest.manifest_path) {
                    Some(files) => _ = known.insert(manifest.manifest_path.clone(), Arc::clone(files)),
                    None => missing.push(manifest.clone()),
                }
            }
        }
        let items = items.clone();
        let fresh = manifests::load(io, missing, move |file, manifest| {
            let files = LiveFiles::new(&manifest, &items).map(Arc::new);
            let not_items = |reason| WarehouseError::NotItems { location: file.manifest_path.clone(), reason };
            files.map_err(not_items).map(|files| (file.manifest_path.clone(), files))
        });
        for fresh in fresh.await? {
            let (path, files) = fresh?;
            self.read.lock().unwrap_or_else(PoisonError::into_inner).keep(path.clone(), Arc::clone(&files));
            known.insert(path, files);
        }
        Ok(manifests.iter().filter_map(|manifest| known.get(&manifest.manifest_path).cloned()).collect())
    }
}

impl Read {
    fn keep(&mut self, path: String, files: Arc<LiveFiles>) {
        let added = files.files.len();
        if self.by_manifest.insert(path.clone(), files).is_none() {
            self.files += added;
            self.oldest_first.push_back(path);
        }
        while self.files > CACHED_FILES {
            let Some(oldest) = self.oldest_first.pop_front() else { break };
            self.files -= self.by_manifest.remove(&oldest).map_or(0, |files| files.files.len());
        }
    }
}
