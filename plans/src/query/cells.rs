//! The cells of a geometry: as a list, and as a predicate on `grid_partition`.

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, lit};
use earthcatalog_udfs::cover::{Coverer, Footprint};
use earthcatalog_udfs::h3_cells_udf;
use geo::Geometry;
use h3o::{CellIndex, Resolution};

use super::frame::Frame;
use crate::model::items::GRID_PARTITION;

/// A constant that would have about so many cells or more is covered with coarser ones.
const MANY_CELLS: f64 = 512.0;

/// Up to so many cells are listed one by one; statistics are not asked of longer lists.
const LISTED: usize = 20;

/// Ranges in place of a longer list.
const RANGES: usize = 64;

/// First and last index.
type Range = (u64, u64);

/// The cells of a footprint, as a list: those in which an Item has a row, where `resolution` is the table's. Null without one.
pub fn cells_of(footprint: Expr, resolution: u8) -> Expr {
    h3_cells_udf().call(vec![footprint, lit(i64::from(resolution))])
}

/// Whether a row may be one of those by which an Item that shares a position with `geometry` is found.
///
/// Of the rows of such an Item, one per cell, at least that of the position's cell passes. `None` if the geometry is
/// empty, or lies beyond ±180 or ±90, where no footprint is.
pub fn may_share_cell(geometry: &Geometry, resolution: u8) -> Option<Expr> {
    let resolution = Resolution::try_from(resolution).ok()?;
    let frame = Frame::of(geometry)?;
    if frame.xmin < -180.0 || frame.xmax > 180.0 || frame.ymin < -90.0 || frame.ymax > 90.0 {
        return None;
    }
    let ranges = merged(cover(geometry, &frame, resolution)?);
    let cell = || Expr::Column(Column::from_name(GRID_PARTITION));
    Some(if ranges.iter().all(|(first, last)| first == last) {
        cell().in_list(ranges.iter().map(|(cell, _)| text(*cell)).collect(), false)
    } else {
        let range = |(first, last): &Range| cell().between(text(*first), text(*last));
        ranges.iter().map(range).reduce(Expr::or)?
    })
}

fn text(cell: u64) -> Expr {
    lit(ScalarValue::Utf8View(Some(format!("{cell:x}"))))
}

/// The cells as ranges of indexes, ascending; of a large geometry a superset.
fn cover(geometry: &Geometry, frame: &Frame, resolution: Resolution) -> Option<Vec<Range>> {
    let coarse = coarsest_needed(frame, resolution);
    let footprint = Footprint::from_geometry(geometry);
    let cells = Coverer::new(coarse).cover(&footprint).ok()?;
    if coarse == resolution {
        return Some(cells.into_iter().map(|cell| (cell.into(), cell.into())).collect());
    }
    // The children of a cell reach over its edges, but not beyond its neighbours.
    let mut around: Vec<CellIndex> = cells.into_iter().flat_map(|cell| cell.grid_disk::<Vec<_>>(1)).collect();
    around.sort_unstable();
    around.dedup();
    Some(around.into_iter().map(|cell| descendants(cell, resolution)).collect())
}

/// The range in which all descendants of a cell lie, and no others of that resolution.
fn descendants(cell: CellIndex, resolution: Resolution) -> Range {
    let (from, to) = (u64::from(cell.resolution() as u8), u64::from(resolution as u8));
    // Index layout of H3: the resolution in four bits from bit 52, then three bits for each of fifteen digits.
    let index = (u64::from(cell) & !(0xf << 52)) | (to << 52);
    let digits = (from + 1..=to).map(|level| 3 * (15 - level));
    let first = digits.clone().fold(index, |index, at| index & !(0b111 << at));
    (first, digits.fold(first, |index, at| index | (0b110 << at)))
}

/// The finest resolution up to `resolution` at which the box has few cells.
fn coarsest_needed(frame: &Frame, resolution: Resolution) -> Resolution {
    let (south, north) = (frame.ymin.to_radians(), frame.ymax.to_radians());
    let cells = |resolution: Resolution| {
        // A cell more on each side.
        let margin = 2.0 * resolution.edge_length_rads();
        let area = ((frame.xmax - frame.xmin).to_radians() + margin) * (north.sin() - south.sin() + margin);
        area / (4.0 * std::f64::consts::PI / resolution.cell_count() as f64)
    };
    let mut chosen = resolution;
    while let Some(coarser) = chosen.pred().filter(|_| cells(chosen) > MANY_CELLS) {
        chosen = coarser;
    }
    chosen
}

/// At most so many ranges: where there are more, the nearest are joined.
fn merged(ranges: Vec<Range>) -> Vec<Range> {
    if ranges.len() <= LISTED {
        return ranges;
    }
    let gap = |pair: &[Range]| pair[1].0.saturating_sub(pair[0].1);
    let mut gaps: Vec<u64> = ranges.windows(2).map(gap).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    let kept = gaps.get(RANGES - 1).copied().unwrap_or_default();
    let mut merged: Vec<Range> = vec![];
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.0.saturating_sub(last.1) <= kept => last.1 = range.1,
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use earthcatalog_udfs::parse_geojson;

    fn predicate(geojson: &str, resolution: u8) -> String {
        let geometry = parse_geojson(geojson).unwrap().unwrap();
        may_share_cell(&geometry, resolution).map_or("any".to_owned(), |expr| expr.to_string())
    }

    const FRANCE: &str = r#"{"type": "Polygon", "coordinates": [[[-2, 43], [7, 43], [7, 49], [-2, 49], [-2, 43]]]}"#;

    #[test]
    fn a_point_has_one_cell() {
        let text = predicate(r#"{"type": "Point", "coordinates": [2.35, 48.85]}"#, 1);
        assert_eq!(text, "grid_partition IN ([Utf8View(\"811fbffffffffff\")])");
    }

    #[test]
    fn many_cells_are_ranges_and_none_is_lost() {
        let geometry = parse_geojson(FRANCE).unwrap().unwrap();
        let frame = Frame::of(&geometry).unwrap();
        for resolution in [Resolution::Two, Resolution::Four, Resolution::Five] {
            let exact = Coverer::new(resolution).cover(&Footprint::from_geometry(&geometry)).unwrap();
            let ranges = merged(cover(&geometry, &frame, resolution).unwrap());
            assert!(ranges.len() <= RANGES, "{}", ranges.len());
            for cell in exact {
                assert!(
                    ranges.iter().any(|(first, last)| (*first..=*last).contains(&cell.into())),
                    "{resolution} {cell}"
                );
            }
        }
    }

    #[test]
    fn an_edge_round_the_globe_means_what_is_written() {
        let band = r#"{"type": "Polygon", "coordinates": [[[-170, 0], [170, 0], [170, 5], [-170, 5], [-170, 0]]]}"#;
        let point = parse_geojson(r#"{"type": "Point", "coordinates": [0, 2]}"#).unwrap().unwrap();
        let cell = Coverer::new(Resolution::Zero).cover(&Footprint::from_geometry(&point)).unwrap()[0];
        let geometry = parse_geojson(band).unwrap().unwrap();
        let ranges = cover(&geometry, &Frame::of(&geometry).unwrap(), Resolution::Zero).unwrap();
        assert!(ranges.contains(&(cell.into(), cell.into())), "{ranges:?}");
    }

    #[test]
    fn what_lies_beyond_the_globe_has_no_cells() {
        assert_eq!(may_share_cell(&Geometry::Point((181.0, 0.0).into()), 1), None);
        assert_eq!(predicate(r#"{"type": "Polygon", "coordinates": []}"#, 1), "any");
    }
}
