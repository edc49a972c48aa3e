//! [`text`]: the picture as lines of a terminal.

use std::io;

use anstyle::Style;
use earthcatalog_plans::overview::Overview;
use geo::Coord;

use super::area::Area;
use super::{most, shade, shades};
use crate::report::{count, counted, each_year, sparkline};
use crate::terminal::{HEADING, styled};

/// What stands for a cell, by its shade.
const BLOCKS: [char; super::SHADES] = ['░', '▒', '▓', '█'];

/// Coasts are no more than a hint.
const COAST: Style = Style::new().dimmed();

/// Dots of a Braille letter, by row and column of the letter, as bits of its code point.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Letters, at least and at most, of a line.
const WIDTH: std::ops::RangeInclusive<usize> = 24..=160;

/// A grid over the earth; rows go from north to south, columns from west to east.
struct Grid {
    columns: usize,
    rows: usize,
}

impl Grid {
    /// Longitude and latitude of the middle of a field.
    fn place(&self, row: usize, column: usize) -> Coord {
        let part = |i: usize, of: usize| (i as f64 + 0.5) / of as f64;
        Coord { x: part(column, self.columns) * 360.0 - 180.0, y: 90.0 - part(row, self.rows) * 180.0 }
    }

    /// Row and column of the field of a place.
    fn field(&self, place: Coord) -> (usize, usize) {
        let number = |part: f64, of: usize| ((part * of as f64).max(0.0) as usize).min(of - 1);
        (number((90.0 - place.y) / 180.0, self.rows), number((place.x + 180.0) / 360.0, self.columns))
    }
}

/// The picture, `width` letters wide.
pub fn text(overview: &Overview, width: usize, is_coloured: bool) -> io::Result<String> {
    let columns = width.clamp(*WIDTH.start(), *WIDTH.end());
    // A letter is about twice as high as it is wide.
    let letters = Grid { columns, rows: columns / 4 };
    let rows = rows_of_letters(overview, &letters)?;
    let coast = coast(&letters)?;
    let most = most(overview);
    let shades = shades(most);
    let mut text = String::new();
    for (row, coast) in coast.iter().enumerate() {
        for (column, dots) in coast.iter().enumerate() {
            match (rows[row][column], *dots) {
                (0, 0) => text.push(' '),
                (0, dots) => {
                    let letter = char::from_u32(0x2800 + dots).unwrap_or(' ');
                    text += &styled(letter, COAST, is_coloured).to_string();
                }
                (rows, _) => text.push(BLOCKS[shade(rows, &shades)]),
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text += &legend(overview, most, &shades, columns, is_coloured);
    Ok(text)
}

/// The rows of the fullest cell in each letter of the map.
fn rows_of_letters(overview: &Overview, letters: &Grid) -> io::Result<Vec<Vec<u64>>> {
    let mut found = vec![vec![0; letters.columns]; letters.rows];
    for cell in &overview.cells {
        let rows = cell.all();
        let area = Area::parse(cell.geometry.get())?;
        for around in area.boxes() {
            let (north, west) = letters.field(Coord { x: around.min().x, y: around.max().y });
            let (south, east) = letters.field(Coord { x: around.max().x, y: around.min().y });
            // A cell that is smaller than a letter is there all the same.
            let (middle_row, middle_column) = letters.field(around.center());
            for (row, of_row) in found.iter_mut().enumerate().take(south + 1).skip(north) {
                for (column, field) in of_row.iter_mut().enumerate().take(east + 1).skip(west) {
                    let is_middle = (row, column) == (middle_row, middle_column);
                    if is_middle || area.contains(letters.place(row, column)) {
                        *field = rows.max(*field);
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Where land ends, as the dots of each letter.
fn coast(letters: &Grid) -> io::Result<Vec<Vec<u32>>> {
    let dots = Grid { columns: letters.columns * 2, rows: letters.rows * 4 };
    let land = Area::land()?;
    let is_land: Vec<Vec<bool>> = (0..dots.rows)
        .map(|row| (0..dots.columns).map(|column| land.contains(dots.place(row, column))).collect())
        .collect();
    let mut coast = vec![vec![0; letters.columns]; letters.rows];
    for (row, of_row) in is_land.iter().enumerate() {
        for (column, is_here) in of_row.iter().enumerate() {
            let ends = [(row + 1, column), (row, column + 1)].into_iter().any(|(row, column)| {
                is_land.get(row).and_then(|of_row| of_row.get(column)).is_some_and(|is_there| is_there != is_here)
            });
            if ends {
                coast[row / 4][column / 2] |= DOTS[row % 4][column % 2];
            }
        }
    }
    Ok(coast)
}

fn legend(overview: &Overview, most: u64, shades: &[u64], columns: usize, is_coloured: bool) -> String {
    let line = |name: &str, text: String| format!("{} {text}\n", styled(format!("{name:<7}"), HEADING, is_coloured));
    let elsewhere = match overview.rows_elsewhere {
        0 => String::new(),
        rows => format!(", {} in none", count(rows)),
    };
    let in_cells = count(overview.rows.saturating_sub(overview.rows_elsewhere));
    let mut lines = line("rows", format!("{in_cells} in {}{elsewhere}", counted(overview.cell_count, "cell")));
    if most > 0 {
        let of_shade = |(block, least): (&char, &u64)| format!("{block} {}", count(*least));
        let of_shades: Vec<String> = BLOCKS.iter().zip(shades).map(of_shade).collect();
        lines += &line("a cell", format!("from {}, at most {}", of_shades.join("  "), count(most)));
    }
    if let Some((first, rows)) = each_year(overview.rows_by_year()) {
        let bars = sparkline(&rows, columns.saturating_sub(24).max(8));
        lines += &line("years", format!("{first} {bars} {}", i64::from(first) + rows.len() as i64 - 1));
    }
    lines
}
