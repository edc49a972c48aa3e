//! Rows one below the other, with a line for each value.

use std::io::Write;

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use unicode_width::UnicodeWidthStr;

use super::cells::cells;
use super::title::title;
use super::{OutputError, RowWriter};
use crate::terminal::{HEADING, NULL, styled};

/// Columns of the line above a row, at least.
const RULE: usize = 40;

/// Writes whole values behind the names of their columns.
pub(super) struct ExpandedWriter {
    titles: Vec<String>,
    width: usize,
    rows: u64,
    is_coloured: bool,
}

impl ExpandedWriter {
    pub(super) fn new(schema: &Schema, is_coloured: bool) -> Self {
        let titles: Vec<_> = schema.fields().iter().map(|field| title(field.name())).collect();
        let width = titles.iter().map(|title| title.width()).max().unwrap_or_default();
        Self { titles, width, rows: 0, is_coloured }
    }
}

impl RowWriter for ExpandedWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        for row in cells(batch)? {
            self.rows += 1;
            let head = format!("-[ {} ]", self.rows);
            writeln!(out, "{head:-<width$}", width = RULE.max(self.width + 3))?;
            for (title, value) in self.titles.iter().zip(row) {
                let space = " ".repeat(self.width - title.width());
                let title = styled(title, HEADING, self.is_coloured);
                let value = styled(value.text, NULL, self.is_coloured && value.is_null);
                writeln!(out, "{title}{space} | {value}")?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut dyn Write) -> Result<(), OutputError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::output::Format;
    use crate::output::tests::text;

    #[tokio::test]
    async fn each_value_has_a_line() {
        let sql = "SELECT n, name, length(name) + 1 FROM (VALUES (1, 'été\n2'), (2, NULL)) AS t(n, name) ORDER BY n";
        insta::assert_snapshot!(text(sql, Format::Expanded).await, @r"
        -[ 1 ]----------------------------------
        n                  | 1
        name               | été 2
        length(t.name) + 1 | 6
        -[ 2 ]----------------------------------
        n                  | 2
        name               | NULL
        length(t.name) + 1 | NULL
        2 rows
        ");
    }
}
