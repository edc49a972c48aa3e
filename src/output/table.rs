//! Rows as a table with aligned columns.

use std::io::Write;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DataFusionError;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{OutputError, RowWriter};

/// Rows that decide the widths of the columns; later rows are cut to fit.
const SAMPLE: usize = 1_000;

/// Columns on the screen that a cell fills at most.
const MAX_WIDTH: usize = 80;

/// Writes a box around aligned columns: numbers to the right, nulls empty, long values cut (`…`).
pub(super) struct TableWriter {
    schema: SchemaRef,
    /// Rows that came before the widths were known.
    waiting: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl TableWriter {
    pub(super) fn new(schema: SchemaRef) -> Self {
        Self { schema, waiting: vec![], widths: None }
    }

    /// Fixes the widths, and writes the header and the rows that waited.
    fn open(&mut self, out: &mut dyn Write) -> Result<(), OutputError> {
        let names: Vec<_> = self.schema.fields().iter().map(|f| fit(f.name(), MAX_WIDTH)).collect();
        let mut widths: Vec<_> = names.iter().map(|name| name.width()).collect();
        for row in &self.waiting {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        rule(&widths, out)?;
        line(&names, &widths, &vec![false; widths.len()], out)?;
        rule(&widths, out)?;
        let waiting = std::mem::take(&mut self.waiting);
        self.widths = Some(widths);
        waiting.iter().try_for_each(|row| self.row(row, out))
    }

    fn row(&self, row: &[String], out: &mut dyn Write) -> Result<(), OutputError> {
        let widths = self.widths.as_deref().unwrap_or_default();
        let right: Vec<_> = self.schema.fields().iter().map(|f| f.data_type().is_numeric()).collect();
        line(row, widths, &right, out)
    }
}

impl RowWriter for TableWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        for row in cells(batch).map_err(DataFusionError::from)? {
            match self.widths {
                Some(_) => self.row(&row, out)?,
                None => self.waiting.push(row),
            }
        }
        if self.widths.is_none() && self.waiting.len() >= SAMPLE {
            self.open(out)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), OutputError> {
        if self.widths.is_none() {
            self.open(out)?;
        }
        rule(self.widths.as_deref().unwrap_or_default(), out)
    }
}

fn cells(batch: &RecordBatch) -> Result<Vec<Vec<String>>, ArrowError> {
    let options = FormatOptions::default();
    let columns =
        batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options)).collect::<Result<Vec<_>, _>>()?;
    let cell = |column: &ArrayFormatter<'_>, row| Ok(fit(&column.value(row).try_to_string()?, MAX_WIDTH));
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| cell(column, row)).collect()).collect()
}

/// `text` on one line, cut to `width` columns.
fn fit(text: &str, width: usize) -> String {
    let mut fitted = String::new();
    let mut used = 0;
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        used += c.width().unwrap_or_default();
        if used > width {
            while fitted.width() >= width {
                fitted.pop();
            }
            fitted.push('…');
            break;
        }
        fitted.push(c);
    }
    fitted
}

fn rule(widths: &[usize], out: &mut dyn Write) -> Result<(), OutputError> {
    let dashes: Vec<_> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    Ok(writeln!(out, "+{}+", dashes.join("+"))?)
}

fn line(cells: &[String], widths: &[usize], right: &[bool], out: &mut dyn Write) -> Result<(), OutputError> {
    for ((cell, width), right) in cells.iter().zip(widths).zip(right) {
        let cell = fit(cell, *width);
        let space = " ".repeat(width.saturating_sub(cell.width()));
        match right {
            true => write!(out, "| {space}{cell} ")?,
            false => write!(out, "| {cell}{space} ")?,
        }
    }
    Ok(writeln!(out, "|")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use crate::output::tests::text;

    #[tokio::test]
    async fn columns_are_aligned_and_nulls_are_empty() {
        let sql = "SELECT * FROM (VALUES (1, 'été'), (2000, NULL), (3, '氷河\n2')) AS t(n, name)";
        insta::assert_snapshot!(text(sql, Format::Table).await, @r"
        +------+--------+
        | n    | name   |
        +------+--------+
        |    1 | été    |
        | 2000 |        |
        |    3 | 氷河 2 |
        +------+--------+
        3 rows
        ");
    }

    #[tokio::test]
    async fn a_result_without_rows_shows_its_columns() {
        insta::assert_snapshot!(text("SELECT 1 AS n WHERE false", Format::Table).await, @r"
        +---+
        | n |
        +---+
        +---+
        0 rows
        ");
    }

    #[test]
    fn long_values_are_cut_to_the_width() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdefg", 6), "abcde…");
        assert_eq!(fit("氷河氷河", 6), "氷河…");
    }

    #[tokio::test]
    async fn rows_after_the_sample_are_cut_to_its_widths() {
        let text =
            text("SELECT repeat('x', CAST(value / 1000 AS BIGINT)) AS x FROM generate_series(1, 9000)", Format::Table)
                .await;
        let widths: std::collections::BTreeSet<_> =
            text.lines().filter(|l| l.starts_with('|')).map(UnicodeWidthStr::width).collect();
        assert_eq!(widths.len(), 1, "{widths:?}");
        assert!(text.ends_with("9000 rows\n"));
    }
}
