//! Query results as text: a table for people; JSON, NDJSON and CSV for programs. Rows are written as they arrive.

mod csv;
mod json;
mod table;

use std::io::{self, Write};

use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use thiserror::Error;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns; long values are cut
    Table,
    /// One list of objects
    Json,
    /// One object per line
    Ndjson,
    /// Comma-separated, with a header
    Csv,
}

/// Why rows could not be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The query failed on the way.
    #[error(transparent)]
    Query(#[from] DataFusionError),
    #[error("cannot write the result: {0}")]
    Write(#[from] io::Error),
}

/// What a format does with the rows of a query.
trait RowWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError>;

    /// Called once, after the last batch.
    fn finish(&mut self, out: &mut dyn Write) -> Result<(), OutputError>;
}

/// Writes all rows of `rows`, and returns their number.
///
/// Binary values are written as hexadecimal digits, and times in RFC 3339.
pub async fn write(
    mut rows: SendableRecordBatchStream,
    format: Format,
    out: &mut dyn Write,
) -> Result<u64, OutputError> {
    let schema = rows.schema();
    let mut writer: Box<dyn RowWriter> = match format {
        Format::Table => Box::new(table::TableWriter::new(schema)),
        Format::Json => Box::new(json::JsonWriter::list()),
        Format::Ndjson => Box::new(json::JsonWriter::lines()),
        Format::Csv => Box::new(csv::CsvWriter::new(schema)),
    };
    let mut count = 0;
    while let Some(batch) = rows.try_next().await? {
        count += batch.num_rows() as u64;
        writer.write(&batch, out)?;
    }
    writer.finish(out)?;
    out.flush()?;
    Ok(count)
}

#[cfg(test)]
pub(crate) mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    /// The text of a query's result.
    pub(crate) async fn text(sql: &str, format: Format) -> String {
        let rows = SessionContext::new().sql(sql).await.unwrap().execute_stream().await.unwrap();
        let mut out = vec![];
        write(rows, format, &mut out).await.unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn a_query_that_fails_on_the_way_is_an_error_of_the_query() {
        let sql = "SELECT 1 / (n - 1) FROM (VALUES (1)) AS t(n)";
        let rows = SessionContext::new().sql(sql).await.unwrap().execute_stream().await.unwrap();
        let error = write(rows, Format::Csv, &mut vec![]).await.unwrap_err();
        assert!(matches!(error, OutputError::Query(_)), "{error}");
    }
}
