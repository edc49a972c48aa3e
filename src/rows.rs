//! Rows of a script's results, for the report that is made of them.

use arrow::record_batch::RecordBatch;
use chrono::{DateTime, SecondsFormat};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;

/// A row of a result. A value that is null, absent or of another type is `None`.
pub struct Row<'a> {
    rows: &'a RecordBatch,
    row: usize,
}

impl<'a> Row<'a> {
    /// The `row`th row, if there are so many.
    pub fn nth(rows: &'a RecordBatch, row: usize) -> Option<Self> {
        (row < rows.num_rows()).then_some(Self { rows, row })
    }

    pub fn all(rows: &'a RecordBatch) -> impl Iterator<Item = Self> {
        (0..rows.num_rows()).map(move |row| Self { rows, row })
    }

    fn value(&self, column: &str) -> Option<ScalarValue> {
        ScalarValue::try_from_array(self.rows.column_by_name(column)?, self.row).ok()
    }

    pub fn integer(&self, column: &str) -> Option<i64> {
        match self.value(column)?.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(integer) => integer,
            _ => None,
        }
    }

    /// An integer from 0.
    pub fn number(&self, column: &str) -> Option<u64> {
        self.integer(column)?.try_into().ok()
    }

    pub fn text(&self, column: &str) -> Option<String> {
        self.value(column)?.try_as_str().flatten().map(str::to_owned)
    }

    /// A time in RFC 3339, in whole seconds.
    pub fn time(&self, column: &str) -> Option<String> {
        let millis = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        match self.value(column)?.cast_to(&millis).ok()? {
            ScalarValue::TimestampMillisecond(Some(millis), _) => {
                Some(DateTime::from_timestamp_millis(millis)?.to_rfc3339_opts(SecondsFormat::Secs, true))
            }
            _ => None,
        }
    }
}
