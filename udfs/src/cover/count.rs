//! How many cells a footprint has, as far as its bounds tell.

use std::f64::consts::PI;

use h3o::Resolution;

/// The number of cells of a footprint within some bounds, without a look at the footprint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellCount {
    /// About so many, if the footprint fills its bounds.
    pub expected: u64,
    /// No more than so many.
    pub most: u64,
}

impl CellCount {
    /// Of footprints within west, south, east and north, in degrees.
    pub fn within([west, south, east, north]: [f64; 4], resolution: Resolution) -> Self {
        let cells = resolution.cell_count() as f64;
        let (cell, edge) = (4.0 * PI / cells, resolution.edge_length_rads());
        let (south, north, east) = (south.to_radians(), north.to_radians(), (east - west).to_radians());
        let area = east * (north.sin() - south.sin());
        let perimeter = 2.0 * (north - south) + east * (north.cos() + south.cos());
        // Santaló: a convex figure that lies anywhere touches so many tiles of six edges, on average.
        let expected = 1.0 + (area + perimeter * 6.0 * edge / (2.0 * PI)) / cell;
        // All cells of a footprint lie within the diameter of a cell of it, and none has less than half the area of most.
        let reach = 3.0 * edge;
        let most = (area + perimeter * reach + 4.0 * reach * reach) / (cell / 2.0);
        Self { expected: expected.min(cells) as u64, most: most.min(cells).ceil() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use geo::{Coord, Rect};
    use proptest::prelude::*;

    use super::*;
    use crate::cover::{Coverer, Footprint};

    proptest! {
        #[test]
        fn no_footprint_has_more_cells_than_its_bounds_say(
            west in -180.0..180.0f64,
            south in -90.0..90.0f64,
            width in 0.0..1.0f64,
            height in 0.0..1.0f64,
            resolution in 0..6u8,
        ) {
            let resolution = Resolution::try_from(resolution).unwrap();
            // Up to some twenty cells wide.
            let size = (40.0 * resolution.edge_length_rads()).to_degrees();
            let (east, north) = ((west + width * size).min(180.0), (south + height * size).min(90.0));
            let bounds = Rect::new(Coord { x: west, y: south }, Coord { x: east, y: north });
            let cells = Coverer::new(resolution).cover(&Footprint::from_geometry(&bounds.to_polygon().into())).unwrap();
            let count = CellCount::within([west, south, east, north], resolution);
            prop_assert!(cells.len() as u64 <= count.most, "{} of at most {count:?}", cells.len());
            prop_assert!(cells.len() as u64 <= 8 * count.expected, "{} of about {count:?}", cells.len());
        }
    }

    #[test]
    fn the_globe_has_all_cells_and_a_scene_few() {
        let globe = CellCount::within([-180.0, -90.0, 180.0, 90.0], Resolution::Three);
        assert_eq!(globe, CellCount { expected: 41_162, most: 41_162 });
        let scene = CellCount::within([10.0, 50.0, 11.5, 51.0], Resolution::One);
        assert_eq!((scene.expected, scene.most < 60), (1, true));
    }
}
