//! Where a stream that is sorted by buckets changes from one to the next.

use std::ops::Range;

use arrow::array::{Array, AsArray, PrimitiveArray, RecordBatch, StringViewArray};
use arrow::datatypes::{Schema, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDate};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_datafusion_err};

use crate::model::bucket::Bucket;
use crate::model::items::{GRID_PARTITION, NO_CELL};

/// Cuts batches of table `items` at the changes of bucket.
#[derive(Debug)]
pub struct BucketCutter {
    cell: usize,
    datetime: usize,
    resolution: u8,
}

impl BucketCutter {
    /// `schema` is that of the batches, `resolution` the H3 resolution of the table.
    pub fn try_new(schema: &Schema, resolution: u8) -> Result<Self> {
        let index =
            |name: &str| schema.index_of(name).map_err(|_| plan_datafusion_err!("rows to write have no column {name}"));
        Ok(Self { cell: index(GRID_PARTITION)?, datetime: index("datetime")?, resolution })
    }

    /// The runs of rows of `batch` that share a bucket, in order. A cell that is neither `__none__` nor an H3 cell of
    /// the table's resolution is an error.
    pub fn cut(&self, batch: &RecordBatch) -> Result<Vec<(Bucket, Range<usize>)>> {
        let cells: &StringViewArray = batch.column(self.cell).as_string_view();
        let times: &PrimitiveArray<TimestampMicrosecondType> = batch.column(self.datetime).as_primitive();
        let mut years = YearOf::default();
        let mut runs: Vec<(Bucket, Range<usize>)> = vec![];
        for row in 0..batch.num_rows() {
            let year = if times.is_valid(row) { Some(years.of(times.value(row))?) } else { None };
            if cells.is_null(row) {
                return exec_err!("{GRID_PARTITION} of a row is null; a row without a cell has '{NO_CELL}'");
            }
            let cell = cells.value(row);
            match runs.last_mut() {
                Some((bucket, rows)) if bucket.year == year && bucket.cell == cell => rows.end = row + 1,
                last => {
                    if last.is_none_or(|(bucket, _)| bucket.cell != cell) {
                        self.check_cell(cell)?;
                    }
                    runs.push((Bucket { cell: cell.to_owned(), year }, row..row + 1));
                }
            }
        }
        Ok(runs)
    }

    fn check_cell(&self, cell: &str) -> Result<()> {
        if cell == NO_CELL {
            return Ok(());
        }
        match resolution(cell) {
            Some(resolution) if resolution == self.resolution => Ok(()),
            Some(resolution) => exec_err!(
                "cell {cell} has H3 resolution {resolution}, but the table has {}; cover the Items with h3_fanout(…, {})",
                self.resolution,
                self.resolution
            ),
            None => exec_err!(
                "{GRID_PARTITION} {cell:?} is neither an H3 cell of the table's resolution {} (15 hex digits) nor '{NO_CELL}'",
                self.resolution
            ),
        }
    }
}

/// Resolution of the H3 cell that 15 lower-case hex digits name (H3 index, bits 52 to 55; mode, bits 59 to 62, is 1).
fn resolution(cell: &str) -> Option<u8> {
    let digits = cell.len() == 15 && cell.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let index = u64::from_str_radix(cell, 16).ok().filter(|index| digits && index >> 59 == 1)?;
    Some((index >> 52 & 0xf) as u8)
}

/// Years of times that mostly fall into the year of the one before.
#[derive(Debug, Default)]
struct YearOf {
    year: i32,
    micros: Range<i64>,
}

impl YearOf {
    fn of(&mut self, micros: i64) -> Result<i32> {
        if !self.micros.contains(&micros) {
            let out_of_range = || exec_datafusion_err!("datetime {micros} µs since 1970 is out of range");
            let year = DateTime::from_timestamp_micros(micros).ok_or_else(out_of_range)?.year();
            let start = |year| {
                let first = NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)?;
                Some(first.and_utc().timestamp_micros())
            };
            self.micros = start(year).ok_or_else(out_of_range)?..start(year + 1).ok_or_else(out_of_range)?;
            self.year = year;
        }
        Ok(self.year)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, TimestampMicrosecondArray};

    use super::*;

    const ONE: &str = "8128fffffffffff";
    const TWO: &str = "81283ffffffffff";

    fn rows(rows: &[(&str, Option<&str>)]) -> RecordBatch {
        let cells: StringViewArray = rows.iter().map(|(cell, _)| Some(*cell)).collect();
        let micros = |time: &str| DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros();
        let times: TimestampMicrosecondArray = rows.iter().map(|(_, time)| time.map(micros)).collect();
        RecordBatch::try_from_iter([
            (GRID_PARTITION, Arc::new(cells) as ArrayRef),
            ("datetime", Arc::new(times.with_timezone("UTC"))),
        ])
        .unwrap()
    }

    fn cut(batch: &RecordBatch) -> Result<Vec<(Bucket, Range<usize>)>> {
        BucketCutter::try_new(&batch.schema(), 1).unwrap().cut(batch)
    }

    #[test]
    fn a_bucket_ends_where_the_cell_or_the_year_changes() {
        let batch = rows(&[
            (TWO, Some("1999-12-31T23:59:59.999999Z")),
            (TWO, Some("2000-01-01T00:00:00Z")),
            (TWO, Some("2000-12-31T23:59:59Z")),
            (TWO, None),
            (ONE, None),
            (ONE, None),
            (NO_CELL, Some("1969-12-31T00:00:00Z")),
        ]);
        let bucket = |cell: &str, year| Bucket { cell: cell.into(), year };
        let expected = [
            (bucket(TWO, Some(1999)), 0..1),
            (bucket(TWO, Some(2000)), 1..3),
            (bucket(TWO, None), 3..4),
            (bucket(ONE, None), 4..6),
            (bucket(NO_CELL, Some(1969)), 6..7),
        ];
        assert_eq!(cut(&batch).unwrap(), expected);
    }

    #[test]
    fn a_cell_of_another_resolution_is_an_error_that_names_both() {
        let error = cut(&rows(&[("822837fffffffff", None)])).unwrap_err().to_string();
        assert!(error.contains("cell 822837fffffffff has H3 resolution 2, but the table has 1"), "{error}");
    }

    #[test]
    fn what_is_no_cell_is_an_error() {
        for cell in ["", "8128", "8128fffffffffffff", "8128FFFFFFFFFFF", "+128fffffffffff", "1128fffffffffff"] {
            let error = cut(&rows(&[(cell, None)])).unwrap_err().to_string();
            assert!(error.contains("is neither an H3 cell"), "{cell}: {error}");
        }
    }
}
