//! Rings that the plane is no model for: as wide as the globe, or round a pole and back over themselves.

use geo::{BooleanOps, Coord, LineString, MapCoords, MultiPolygon, Polygon};

use super::cut;
use super::reading::Ring;

/// The overlay puts positions on a grid of about this many degrees: what is so close to an edge of the map is on it.
const GRID: f64 = 1e-6;

/// The parts of a polygon, by the even-odd rule: what is inside an odd number of rings is inside.
pub(super) fn polygons(exterior: Ring, holes: Vec<Ring>) -> Vec<Polygon> {
    let regions = std::iter::once(exterior).chain(holes).map(region);
    let whole = regions.reduce(|a, b| a.xor(&b)).unwrap_or(MultiPolygon(vec![]));
    whole.map_coords(to_edge).0.into_iter().map(|part| mapped(&part, with_short_edges)).collect()
}

/// The polygon with other rings.
fn mapped(polygon: &Polygon, ring: impl Fn(&LineString) -> LineString) -> Polygon {
    Polygon::new(ring(polygon.exterior()), polygon.interiors().iter().map(ring).collect())
}

/// A position in the middle of each edge that would otherwise be taken for one over the antimeridian.
fn with_short_edges(ring: &LineString) -> LineString {
    let edge = |line: geo::Line| {
        let is_long = line.dx().abs() > 180.0 && line.start.y.abs() < 90.0;
        [Some(line.start), is_long.then(|| (line.start + line.end) / 2.0)].into_iter().flatten()
    };
    ring.lines().flat_map(edge).chain(ring.0.last().copied()).collect()
}

/// What is inside a ring, on the map.
fn region(ring: Ring) -> MultiPolygon {
    let ring = if ring.turns == 0 { ring } else { ring.starting_on_antimeridian().unwrap_or(ring) };
    let parts = cut::polygon(ring.closed(), vec![]).into_iter().map(|part| MultiPolygon(vec![part]));
    // A position that the ring goes round twice on its way about the pole is outside, as one left of it is; one that
    // a scene wider than the globe has twice is inside.
    let overlay = |a: MultiPolygon, b| if ring.turns == 0 { a.union(&b) } else { a.xor(&b) };
    parts.reduce(overlay).unwrap_or(MultiPolygon(vec![]))
}

fn to_edge(at: Coord) -> Coord {
    let snap = |value: f64, edge: f64| if edge - value.abs() <= GRID { edge.copysign(value) } else { value };
    Coord { x: snap(at.x, 180.0), y: snap(at.y, 90.0) }
}
