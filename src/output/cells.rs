//! The values of rows as people read them: geometries as WKT, nulls as NULL, each on one line.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Field;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{DataFusionError, Result};
use earthcatalog_plans::model::items::{is_geometry, wkt_of};

/// The text of each value, row by row.
pub(super) fn cells(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::default().with_null("NULL");
    let schema = batch.schema();
    let columns: Vec<_> = schema.fields().iter().zip(batch.columns()).map(|(f, c)| readable(f, c)).collect();
    let columns = columns.iter().map(|column| ArrayFormatter::try_new(&**column, &options));
    let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
    let cell = |column: &ArrayFormatter<'_>, row| Ok(one_line(&column.value(row).try_to_string()?).into_owned());
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
