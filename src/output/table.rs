//! Rows as a table with aligned columns.

use std::io::Write;

use anstyle::Style;
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::cells::{Cell, cells};
use super::title::title;
use super::{OutputError, Rendering, RowWriter};
use crate::terminal::{HEADING, NULL, styled};

/// Rows that decide the widths of the columns; later rows are cut to fit.
const SAMPLE: usize = 1_000;

/// Columns on the screen that a cell fills at most, where the screen sets no limit.
const MAX_WIDTH: usize = 80;

/// Columns on the screen that a cell keeps, where there are too many columns.
const LEAST_WIDTH: usize = 10;

/// What is written in place of columns that have no room.
const MORE: &str = "…";

/// Writes a box around aligned columns: numbers to the right, long values cut (`…`), and on a screen as many columns as fit.
pub(super) struct TableWriter {
    titles: Vec<String>,
    /// Whether a column is of numbers.
    right: Vec<bool>,
    /// Columns of the screen.
    screen: Option<usize>,
    is_coloured: bool,
    /// Rows that came before the widths were known.
    waiting: Vec<Vec<Cell>>,
    /// Of the columns that are shown.
    widths: Option<Vec<usize>>,
}

impl TableWriter {
    pub(super) fn new(schema: &Schema, rendering: Rendering) -> Self {
        let titles = schema.fields().iter().map(|field| title(field.name())).collect();
        let right = schema.fields().iter().map(|field| field.data_type().is_numeric()).collect();
        let Rendering { width: screen, is_coloured, .. } = rendering;
        Self { titles, right, screen, is_coloured, waiting: vec![], widths: None }
    }

    /// Fixes the widths, and writes the header and the rows that waited.
    fn open(&mut self, out: &mut dyn Write) -> Result<(), OutputError> {
        let most = self.screen.unwrap_or(MAX_WIDTH);
        let titles: Vec<_> = self.titles.iter().map(|title| fit(title, most)).collect();
        let mut natural: Vec<_> = titles.iter().map(|title| title.width()).collect();
        for row in &self.waiting {
            for (width, cell) in natural.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        let widths = self.screen.map_or(natural.clone(), |screen| widths_on(screen, &natural));
        let heading = self.is_coloured.then_some(HEADING);
        let titles = titles.iter().map(|title| (title.as_str(), false, heading));
        let has_more = widths.len() < self.titles.len();
        rule(&widths, has_more, out)?;
        line(titles, &widths, has_more, out)?;
        rule(&widths, has_more, out)?;
        let waiting = std::mem::take(&mut self.waiting);
        self.widths = Some(widths);
        waiting.iter().try_for_each(|row| self.row(row, out))
    }

    fn row(&self, row: &[Cell], out: &mut dyn Write) -> Result<(), OutputError> {
        let null = |cell: &Cell| (self.is_coloured && cell.is_null).then_some(NULL);
        let cells = row.iter().zip(&self.right).map(|(cell, right)| (cell.text.as_str(), *right, null(cell)));
        line(cells, self.shown(), self.has_more(), out)
    }

    fn shown(&self) -> &[usize] {
        self.widths.as_deref().unwrap_or_default()
    }

    fn has_more(&self) -> bool {
        self.shown().len() < self.titles.len()
    }
}

impl RowWriter for TableWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        let most = self.screen.unwrap_or(MAX_WIDTH);
        for row in cells(batch)? {
            let fitted = |cell: Cell| Cell { text: fit(&cell.text, most), ..cell };
            let row: Vec<_> = row.into_iter().map(fitted).collect();
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
        rule(self.shown(), self.has_more(), out)?;
        if self.has_more() {
            let (shown, all) = (self.shown().len(), self.titles.len());
            writeln!(out, "{shown} of {all} columns; --output expanded, or \\x at the prompt, shows all")?;
        }
        Ok(())
    }
}

/// Columns on the screen of a line of cells.
fn line_width(widths: impl Iterator<Item = usize>) -> usize {
    1 + widths.map(|width| width + 3).sum::<usize>()
}

/// The widths of the first columns, as many as a screen has room for; where all have room as they are, those.
///
/// Wide columns give way first, down to [`LEAST_WIDTH`].
fn widths_on(screen: usize, natural: &[usize]) -> Vec<usize> {
    let cut = |columns: usize, most: usize| natural[..columns].iter().map(move |width| *width.min(&most));
    let is_room = |columns: usize, most: usize| {
        let more = (columns < natural.len()).then(|| MORE.width());
        line_width(cut(columns, most).chain(more)) <= screen
    };
    let columns = (1..=natural.len()).rev().find(|columns| is_room(*columns, LEAST_WIDTH)).unwrap_or(1);
    let columns = columns.min(natural.len());
    let most = (LEAST_WIDTH..=screen).rev().find(|most| is_room(columns, *most)).unwrap_or(LEAST_WIDTH);
    let mut widths: Vec<_> = cut(columns, most).collect();
    // What is left goes to the first columns that are cut.
    let more = (columns < natural.len()).then(|| MORE.width());
    let mut left = screen.saturating_sub(line_width(widths.iter().copied().chain(more)));
    for (width, natural) in widths.iter_mut().zip(natural) {
        if *width < *natural && left > 0 {
            (*width, left) = (*width + 1, left - 1);
        }
    }
    widths
}

/// `text`, cut to `width` columns.
fn fit(text: &str, width: usize) -> String {
    let mut fitted = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or_default();
        if used > width {
            while fitted.width() >= width && !fitted.is_empty() {
                fitted.pop();
            }
            fitted.push('…');
            break;
        }
        fitted.push(c);
    }
    fitted
}

fn rule(widths: &[usize], has_more: bool, out: &mut dyn Write) -> Result<(), OutputError> {
    let more = has_more.then(|| MORE.width());
    let dashes: Vec<_> = widths.iter().copied().chain(more).map(|width| "-".repeat(width + 2)).collect();
    Ok(writeln!(out, "+{}+", dashes.join("+"))?)
}

/// Writes a line of cells: the text of each, whether it goes to the right, and its style.
fn line<'a>(
    cells: impl Iterator<Item = (&'a str, bool, Option<Style>)>,
    widths: &[usize],
    has_more: bool,
    out: &mut dyn Write,
) -> Result<(), OutputError> {
    for ((text, right, style), width) in cells.zip(widths) {
        let text = fit(text, *width);
        let space = " ".repeat(width.saturating_sub(text.width()));
        let text = styled(text, style.unwrap_or_default(), style.is_some());
        match right {
            true => write!(out, "| {space}{text} ")?,
            false => write!(out, "| {text}{space} ")?,
        }
    }
    Ok(writeln!(out, "{}|", if has_more { format!("| {MORE} ") } else { String::new() })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::text;
    use crate::output::{Format, Rendering};

    #[tokio::test]
    async fn columns_are_aligned_and_nulls_are_seen() {
        let sql = "SELECT * FROM (VALUES (1, 'été'), (2000, NULL), (3, '氷河\n2')) AS t(n, name)";
        insta::assert_snapshot!(text(sql, Format::Table).await, @r"
        +------+--------+
        | n    | name   |
        +------+--------+
        |    1 | été    |
        | 2000 | NULL   |
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
    async fn a_table_fits_the_screen() {
        let on = |screen| Rendering { width: Some(screen), ..Format::Table.into() };
        let sql = "SELECT 1 AS n, repeat('x', 30) AS a, repeat('y', 12) AS b, 'z' AS c";
        insta::assert_snapshot!(text(sql, on(44)).await, @r"
        +---+-------------------+--------------+---+
        | n | a                 | b            | c |
        +---+-------------------+--------------+---+
        | 1 | xxxxxxxxxxxxxxxx… | yyyyyyyyyyyy | z |
        +---+-------------------+--------------+---+
        1 row
        ");
        insta::assert_snapshot!(text(sql, on(30)).await, @r"
        +---+--------------------+---+
        | n | a                  | … |
        +---+--------------------+---+
        | 1 | xxxxxxxxxxxxxxxxx… | … |
        +---+--------------------+---+
        2 of 4 columns; --output expanded, or \x at the prompt, shows all
        1 row
        ");
        for screen in 1..=70 {
            let table = text(sql, on(screen)).await;
            let widest = table.lines().filter(|line| line.starts_with(['|', '+'])).map(UnicodeWidthStr::width).max();
            assert!(widest.unwrap() <= screen.max(15), "{screen}: {table}");
        }
    }

    #[tokio::test]
    async fn colours_tell_headings_and_nulls_and_take_no_room() {
        let plain: Rendering = Format::Table.into();
        let sql = "SELECT NULL AS a, 'NULL' AS b, 7 AS c";
        let coloured = text(sql, Rendering { is_coloured: true, ..plain }).await;
        assert!(coloured.contains("| \u{1b}[1ma\u{1b}[0m    | \u{1b}[1mb\u{1b}[0m    |"), "{coloured:?}");
        assert!(coloured.contains("| \u{1b}[2mNULL\u{1b}[0m | NULL | 7 |"), "{coloured:?}");
        let stripped =
            ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m"].iter().fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(stripped, text(sql, plain).await);
    }

    #[tokio::test]
    async fn geometries_are_wkt() {
        let sql = "SELECT X'0101000000000000000000f03f0000000000000040' AS geometry";
        assert!(text(sql, Format::Table).await.contains("| POINT(1 2) |"));
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
