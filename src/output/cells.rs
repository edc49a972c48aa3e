//! The values of rows as people read them: geometries as WKT, nulls as NULL, each on one line.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Field;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{DataFusionError, Result};
use earthcatalog_plans::model::items::{is_geometry, wkt_of};

/// A value on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub text: String,
    pub is_null: bool,
}

/// The values, row by row.
pub(super) fn cells(batch: &RecordBatch) -> Result<Vec<Vec<Cell>>> {
    let options = FormatOptions::default().with_null("NULL");
    let schema = batch.schema();
    let columns: Vec<_> = schema.fields().iter().zip(batch.columns()).map(|(f, c)| readable(f, c)).collect();
    let columns =
        columns.iter().map(|column| Ok((column.logical_nulls(), ArrayFormatter::try_new(&**column, &options)?)));
    let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
    let cell = |(nulls, column): &(Option<NullBuffer>, ArrayFormatter<'_>), row| {
        let text = one_line(&column.value(row).try_to_string()?).into_owned();
        Ok(Cell { text, is_null: nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) })
    };
    let row = |row| columns.iter().map(|column| cell(column, row)).collect();
    (0..batch.num_rows()).map(row).collect::<Result<_, ArrowError>>().map_err(DataFusionError::from)
}

/// A column with geometries as WKT; others are as they were.
pub(super) fn readable<'a>(field: &Field, column: &'a ArrayRef) -> Cow<'a, ArrayRef> {
    let text = is_geometry(field).then(|| wkt_of(column, field).ok()).flatten();
    text.map_or(Cow::Borrowed(column), |text| Cow::Owned(Arc::new(text) as ArrayRef))
}

/// A text without what would end the line.
fn one_line(text: &str) -> Cow<'_, str> {
    match text.contains(char::is_control) {
        true => text.replace(char::is_control, " ").into(),
        false => text.into(),
    }
}
