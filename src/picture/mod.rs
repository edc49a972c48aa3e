//! Pictures of where and when the rows of a warehouse are: in a terminal, and as SVG.
//!
//! - [`text`]: lines of a terminal.
//! - [`svg`]: a drawing.
//!
//! Both are flat maps (equirectangular, north up) with the cells of an [`Overview`] over the outlines of land, and the years below.

mod area;
mod svg;
mod text;

use earthcatalog_plans::overview::{CellRows, Overview};

pub use self::svg::svg;
pub use self::text::text;

/// Shades of cells.
const SHADES: usize = 4;

/// The fewest rows of each shade, where the most rows of a cell are so many: steps of one factor, and none twice.
fn shades(most: u64) -> Vec<u64> {
    let step = |i: usize| (most.max(1) as f64).powf(i as f64 / SHADES as f64).round() as u64;
    let mut shades: Vec<u64> = (0..SHADES).map(step).collect();
    shades.dedup();
    shades
}

/// The number of the shade of a cell with rows.
fn shade(rows: u64, shades: &[u64]) -> usize {
    shades.partition_point(|least| *least <= rows).saturating_sub(1)
}

/// The most rows of a cell.
fn most(overview: &Overview) -> u64 {
    overview.cells.iter().map(CellRows::all).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_are_steps_of_one_factor_and_every_number_has_one() {
        assert_eq!(shades(10_000), [1, 10, 100, 1_000]);
        assert_eq!(shades(1), [1]);
        assert_eq!(shades(3), [1, 2]);
        assert_eq!([1, 9, 10, 999, 1_000, 10_000].map(|rows| shade(rows, &shades(10_000))), [0, 0, 1, 2, 3, 3]);
    }
}
