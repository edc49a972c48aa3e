//! Rows as CSV with a header.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DataFusionError;
use earthcatalog_plans::model::items::{is_geometry, wkt_of};

use super::{OutputError, RowWriter};

/// Writes a header, then the rows; geometries as WKT, and nested values, which CSV has no form for, as text.
pub(super) struct CsvWriter {
    schema: SchemaRef,
    header: bool,
}

impl CsvWriter {
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self { schema, header: true }
    }

    fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let flat = flat(batch)?;
        let mut writer = WriterBuilder::new().with_header(std::mem::take(&mut self.header)).build(vec![]);
        writer.write(&flat)?;
        Ok(writer.into_inner())
    }
}

impl RowWriter for CsvWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        Ok(out.write_all(&self.encode(batch).map_err(DataFusionError::from)?)?)
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), OutputError> {
        if self.header {
            self.write(&RecordBatch::new_empty(Arc::clone(&self.schema)), out)?;
        }
        Ok(())
    }
}

/// `batch` with its geometries and nested columns as text.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut fields = vec![];
    let mut columns: Vec<ArrayRef> = vec![];
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if is_geometry(field)
            && let Ok(text) = wkt_of(column, field)
        {
            columns.push(Arc::new(text));
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
        } else if field.data_type().is_nested() {
            let text = ArrayFormatter::try_new(column, &FormatOptions::default())?;
            let values = (0..column.len()).map(|i| column.is_valid(i).then(|| text.value(i).to_string()));
            columns.push(Arc::new(values.collect::<StringArray>()));
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
        } else {
            columns.push(Arc::clone(column));
            fields.push(Arc::clone(field));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

#[cfg(test)]
mod tests {
    use crate::output::Format;
    use crate::output::tests::text;

    #[tokio::test]
    async fn nested_values_are_text_and_nulls_are_empty() {
        let sql = "SELECT * FROM (VALUES (1, 'a,b', [1, 2]), (2, NULL, NULL)) AS t(n, s, l) ORDER BY n";
        insta::assert_snapshot!(text(sql, Format::Csv).await, @r#"
        n,s,l
        1,"a,b","[1, 2]"
        2,,
        "#);
    }

    #[tokio::test]
    async fn a_result_without_rows_still_has_its_header() {
        assert_eq!(text("SELECT 1 AS n, 2 AS m WHERE false", Format::Csv).await, "n,m\n");
    }
}
