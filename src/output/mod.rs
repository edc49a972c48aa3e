//! Query results: a table for people; JSON, CSV, GeoJSON and Parquet for programs. Rows are written as they arrive.

mod cells;
mod compression;
mod csv;
mod ending;
mod expanded;
mod geojson;
mod json;
mod parquet;
mod plan;
mod shorter;
mod sink;
mod table;
mod title;

use std::fmt;
use std::io::{self, IsTerminal, Write};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt;
use thiserror::Error;

pub use ending::{NamedFormat, format_for};
pub use geojson::{ItemsWriter, select_fields};
pub use shorter::shorter;
pub use sink::{Destination, Output, Sink, SinkError};

use crate::terminal;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns, with long values cut; on a terminal as many as fit
    Table,
    /// A line for each value, none cut
    Expanded,
    /// One list of objects
    Json,
    /// One object per line
    Ndjson,
    /// Comma-separated, with a header
    Csv,
    /// A Parquet file, which is a GeoParquet file if the rows have geometries
    Parquet,
    /// A FeatureCollection: STAC Items if the rows are Items, otherwise features with `geometry` and properties
    Geojson,
    /// A GeoParquet 1.1 file, with geometries as WKB
    Geoparquet,
}

impl NamedFormat for Format {
    const ENDINGS: &'static [(&'static str, Self)] = &[
        ("txt", Self::Table),
        ("json", Self::Json),
        ("ndjson", Self::Ndjson),
        ("jsonl", Self::Ndjson),
        ("csv", Self::Csv),
        ("geojson", Self::Geojson),
        ("parquet", Self::Parquet),
        ("geoparquet", Self::Geoparquet),
    ];

    fn compresses_itself(self) -> bool {
        self.is_binary()
    }
}

impl Format {
    /// Whether a terminal cannot show it.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Geoparquet)
    }

    /// Whether people read it: then it may be cut, and says how many rows there are.
    pub fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Expanded)
    }

    /// Whether two results, one behind the other, are not a valid file.
    pub fn is_single(self) -> bool {
        matches!(self, Self::Parquet | Self::Geoparquet | Self::Geojson)
    }
}

/// Why rows could not be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The query failed on the way.
    #[error(transparent)]
    Query(#[from] DataFusionError),
    #[error("cannot write the result: {0}")]
    Write(#[from] io::Error),
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error("a terminal cannot show {0}; name a file with --out FILE, or pipe the output on")]
    Terminal(&'static str),
}

/// What a format does with the rows of a query.
pub trait RowWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError>;

    /// Called once, after the last batch.
    fn finish(&mut self, out: &mut dyn Write) -> Result<(), OutputError>;
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rendering {
    pub format: Format,
    /// Rows for people that are written at most.
    pub max_rows: Option<u64>,
    /// Columns of the screen that a table should fit.
    pub width: Option<usize>,
    /// Whether the names of columns, and nulls, are told apart by colours.
    pub is_coloured: bool,
    /// Whether a table says how many rows it has.
    pub is_counted: bool,
}

impl Rendering {
    /// For standard output, as wide and as coloured as that is.
    pub fn on_terminal(format: Format) -> Self {
        Self { width: terminal::width(), is_coloured: terminal::stdout_is_coloured(), ..format.into() }
    }
}

impl From<Format> for Rendering {
    fn from(format: Format) -> Self {
        Self { format, max_rows: None, width: None, is_coloured: false, is_counted: true }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    pub rows: u64,
    /// Whether there are more rows than were asked for.
    pub is_cut: bool,
}

/// Writes all rows of `rows` to `out`, and returns their number.
///
/// Binary values are written as hexadecimal digits, and times in RFC 3339.
pub async fn write(rows: SendableRecordBatchStream, format: Format, out: &mut dyn Write) -> Result<u64, OutputError> {
    if format.is_binary() && io::stdout().is_terminal() {
        return Err(OutputError::Terminal(if format == Format::Parquet { "Parquet" } else { "GeoParquet" }));
    }
    let mut sink = Sink::stream(out);
    let written = write_rows(rows, Rendering::on_terminal(format), &mut sink).await?;
    sink.finish().await?;
    Ok(written.rows)
}

/// Writes rows to `sink`, which stays open.
pub async fn write_rows(
    mut rows: SendableRecordBatchStream,
    rendering: Rendering,
    sink: &mut Sink<'_>,
) -> Result<Written, OutputError> {
    let is_for_people = rendering.format.is_for_people();
    let mut writer = row_writer(rendering, rows.schema())?;
    let mut written = Written::default();
    let most = rendering.max_rows.filter(|_| is_for_people).unwrap_or(u64::MAX);
    while let Some(mut batch) = rows.try_next().await? {
        let left = most - written.rows;
        if batch.num_rows() as u64 > left {
            written.is_cut = true;
            batch = batch.slice(0, left as usize);
        }
        written.rows += batch.num_rows() as u64;
        writer.write(&batch, sink.buffer())?;
        sink.flush_if_full().await?;
        if written.is_cut {
            break;
        }
    }
    writer.finish(sink.buffer())?;
    let is_plan = plan::is_plan(&rows.schema());
    if is_for_people && rendering.is_counted && !is_plan {
        let (first, rows) =
            (if written.is_cut { "first " } else { "" }, if written.rows == 1 { "row" } else { "rows" });
        writeln!(sink.buffer(), "{first}{} {rows}", written.rows)?;
    }
    sink.flush().await?;
    Ok(written)
}

/// Says a line at once: what is to come may take for ever.
pub fn say(out: &mut dyn Write, line: fmt::Arguments<'_>) {
    // Nobody may be there to read it.
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

fn row_writer(rendering: Rendering, schema: SchemaRef) -> Result<Box<dyn RowWriter>, OutputError> {
    Ok(match rendering.format {
        Format::Table | Format::Expanded if plan::is_plan(&schema) => Box::new(plan::PlanWriter::default()),
        Format::Table => Box::new(table::TableWriter::new(&schema, rendering)),
        Format::Expanded => Box::new(expanded::ExpandedWriter::new(&schema, rendering.is_coloured)),
        Format::Json => Box::new(json::JsonWriter::list()),
        Format::Ndjson => Box::new(json::JsonWriter::lines()),
        Format::Csv => Box::new(csv::CsvWriter::new(schema)),
        Format::Geojson => geojson::writer(&schema)?,
        Format::Parquet => Box::new(parquet::ParquetWriter::any(&schema)?),
        Format::Geoparquet => Box::new(parquet::ParquetWriter::geo(&schema)?),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    /// The rows of a query.
    pub(crate) async fn rows(sql: &str) -> SendableRecordBatchStream {
        SessionContext::new().sql(sql).await.unwrap().execute_stream().await.unwrap()
    }

    /// The text of a query's result.
    pub(crate) async fn text(sql: &str, rendering: impl Into<Rendering>) -> String {
        let mut out = vec![];
        let mut sink = Sink::stream(&mut out);
        write_rows(rows(sql).await, rendering.into(), &mut sink).await.unwrap();
        sink.finish().await.unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn a_query_that_fails_on_the_way_is_an_error_of_the_query() {
        let rows = rows("SELECT 1 / (n - 1) FROM (VALUES (1)) AS t(n)").await;
        let error = write(rows, Format::Csv, &mut vec![]).await.unwrap_err();
        assert!(matches!(error, OutputError::Query(_)), "{error}");
    }

    #[tokio::test]
    async fn only_tables_are_cut() {
        let three = "SELECT * FROM generate_series(1, 3)";
        let cut = |format, rows| Rendering { max_rows: Some(rows), ..format };
        let table = text(three, cut(Format::Table.into(), 2)).await;
        assert!(table.ends_with("first 2 rows\n") && !table.contains("| 3"), "{table}");
        assert!(text(three, cut(Format::Table.into(), 3)).await.ends_with("\n3 rows\n"));
        assert_eq!(text(three, cut(Format::Csv.into(), 2)).await, "value\n1\n2\n3\n");
    }
}
