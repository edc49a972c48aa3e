//! The live files of a snapshot with their statistics, column by column, as pruning wants them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, StringViewArray, TimestampMicrosecondArray, UInt64Array};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::NaiveDate;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use earthcatalog_manifests::{Bounds, BoundsBuilder, Recorded};
use iceberg::spec::{Datum, Manifest, ManifestEntryRef, ManifestFile};

use super::partition::{self, EPOCH_YEAR};
use crate::model::items::GRID_PARTITION;
use crate::table::manifests;
use crate::table::schema::Columns;

/// A data file of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFile {
    /// Iceberg location.
    pub location: String,
    pub rows: u64,
    pub bytes: u64,
    /// `grid_partition` of all its rows; `None` where the file is partitioned otherwise.
    pub cell: Option<String>,
    /// Year of `datetime` of all its rows; `None` where it is null, or the file is partitioned otherwise.
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

impl LiveFiles {
    pub(crate) fn new(files: Vec<LiveFile>, bounds: BoundsBuilder) -> Self {
        let mut columns = bounds.finish();
        if let Some(datetime) = columns.get_mut("datetime") {
            datetime.min = within_year(&files, &datetime.min, 0);
            datetime.max = within_year(&files, &datetime.max, 1);
        }
        if let Some(cell) = columns.get_mut(GRID_PARTITION) {
            *cell = cell_bounds(&files);
        }
        let rows = Arc::new(files.iter().map(|f| f.rows).collect::<UInt64Array>());
        Self { files, rows, columns }
    }

    /// Those of a manifest that Iceberg has read.
    pub(crate) fn read(manifest: &Manifest, listed: &ManifestFile, columns: &Columns) -> Self {
        let mut bounds = bounds_of(columns);
        for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
            let bytes = |of: &HashMap<i32, Datum>| -> Vec<_> {
                of.iter().filter_map(|(id, datum)| Some((*id, datum.to_bytes().ok()?.into_vec()))).collect()
            };
            let file = entry.data_file();
            let (lower, upper) = (bytes(file.lower_bounds()), bytes(file.upper_bounds()));
            bounds.push(&Recorded {
                lower: lower.iter().map(|(id, bytes)| (*id, bytes.as_slice())).collect(),
                upper: upper.iter().map(|(id, bytes)| (*id, bytes.as_slice())).collect(),
                nulls: file.null_value_counts().iter().map(|(id, n)| (*id, *n as i64)).collect(),
            });
        }
        Self::new(live_files(manifest, listed), bounds)
    }

    pub fn bounds(&self, column: &str) -> Option<&Bounds> {
        self.columns.get(column)
    }
}

/// Takes in what is recorded of the table's columns, whatever their names were then.
pub(super) fn bounds_of(columns: &Columns) -> BoundsBuilder {
    BoundsBuilder::new(columns.items.table_schema(), |name| columns.field_ids.get(name).copied())
}

/// The live files of a manifest that was read, and so knows its sequence number; `listed` is what a snapshot says of it.
pub(crate) fn live_files(manifest: &Manifest, listed: &ManifestFile) -> Vec<LiveFile> {
    let live = manifest.entries().iter().filter(|entry| entry.is_alive());
    live.map(|entry| live_file(entry, listed.partitions.is_some())).collect()
}

fn live_file(entry: &ManifestEntryRef, is_by_bucket: bool) -> LiveFile {
    let file = entry.data_file();
    let (cell, year) = if is_by_bucket { partition::bucket_of(file) } else { (None, None) };
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

/// The partition's own value, which every row has.
fn cell_bounds(files: &[LiveFile]) -> Bounds {
    let cells: ArrayRef = Arc::new(files.iter().map(|f| f.cell.as_deref()).collect::<StringViewArray>());
    // Every row has one.
    let nulls = files.iter().map(|_| Some(0)).collect();
    Bounds { min: Arc::clone(&cells), max: cells, nulls }
}

/// `bounds` of `datetime`, and where there are none the first moment (`side` 0) or the last (1) of the file's year.
fn within_year(files: &[LiveFile], bounds: &ArrayRef, side: usize) -> ArrayRef {
    let known = bounds.as_primitive::<TimestampMicrosecondType>().iter();
    let micros = known.zip(files).map(|(known, file)| known.or(year_bounds(file.year)[side]));
    times(micros)
}

/// First and last microsecond of a year.
fn year_bounds(year: Option<i32>) -> [Option<i64>; 2] {
    let start =
        |year: i32| Some(NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros());
    [year.and_then(start), year.and_then(|y| start(y.checked_add(1)?)).map(|next| next - 1)]
}

/// Moments in the type of `datetime`.
fn times(micros: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
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

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::clone(&self.rows))
    }

    /// Known of the cell alone: all rows of a file have the same.
    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        let cells = text_values(column, values)?;
        Some(self.files.iter().map(|file| Some(cells.contains(file.cell.as_deref()?))).collect())
    }
}

/// What is known of files by their cells and years alone.
pub(crate) struct Buckets<'a>(pub &'a LiveFiles);

impl Buckets<'_> {
    fn bounds(&self, column: &Column, side: usize) -> Option<ArrayRef> {
        match column.name.as_str() {
            GRID_PARTITION => self.0.min_values(column),
            "datetime" => Some(times(self.0.files.iter().map(|file| year_bounds(file.year)[side]))),
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
        let nulls = |file: &LiveFile| {
            file.cell.as_ref()?;
            Some(if file.year.is_none() { file.rows } else { 0 })
        };
        (column.name == "datetime")
            .then(|| Arc::new(self.0.files.iter().map(nulls).collect::<UInt64Array>()) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        self.0.row_counts()
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
        let bounds = self.0.iter().map(|manifest| {
            let summary = manifest.partitions.as_ref()?.get(field)?;
            let bound = if upper { &summary.upper_bound } else { &summary.lower_bound };
            bound.as_ref().map(|bytes| bytes.as_slice())
        });
        if field == 0 {
            let cells = bounds.map(|bytes| str::from_utf8(bytes?).ok());
            return Some(Arc::new(cells.collect::<StringViewArray>()));
        }
        let year = |bytes: &[u8]| i32::from_le_bytes(bytes.try_into().ok()?).checked_add(EPOCH_YEAR);
        Some(times(bounds.map(|bytes| year_bounds(bytes.and_then(year))[usize::from(upper)])))
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

    fn row_counts(&self) -> Option<ArrayRef> {
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
