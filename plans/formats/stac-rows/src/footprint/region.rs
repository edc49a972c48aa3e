//! Rings that the plane is no model for: as wide as the globe, or round a pole and back over themselves.

use geo::{BooleanOps, Coord, Line, LineString, LinesIter, MapCoords, MultiPolygon, Polygon};

use super::cut;
use super::reading::Ring;

/// The overlay puts positions on a grid of about this many degrees: what is so close to an edge of the map is on it.
const GRID: f64 = 1e-6;

/// Crossings of edges, each of which is a position of the answer. A day of a satellite's orbits has some hundred.
const MOST_CROSSINGS: usize = 10_000;

/// Pairs of edges that are looked at for them: a second or less.
const MOST_PAIRS: usize = 100_000_000;

/// The parts of a polygon, by the even-odd rule: what is inside an odd number of rings is inside. `None` if its edges
/// cross each other more often than [`MOST_CROSSINGS`], or to count that would take too long.
pub(super) fn polygons(exterior: Ring, holes: Vec<Ring>) -> Option<Vec<Polygon>> {
    let rings: Vec<Parts> = std::iter::once(exterior).chain(holes).map(Parts::cut).collect();
    if is_tangled(rings.iter().flat_map(|ring| &ring.parts)) {
        return None;
    }
    let whole = overlaid(rings.into_iter().map(Parts::region).collect(), BooleanOps::xor);
    Some(whole.map_coords(to_edge).0.into_iter().map(|part| mapped(&part, with_short_edges)).collect())
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

/// A ring on the map.
struct Parts {
    parts: Vec<Polygon>,
    /// Whether it goes round a pole.
    turns: bool,
}

impl Parts {
    fn cut(ring: Ring) -> Self {
        let turns = ring.turns != 0;
        let ring = if turns { ring.starting_on_antimeridian().unwrap_or(ring) } else { ring };
        Self { parts: cut::polygon(ring.closed(), vec![]), turns }
    }

    /// What is inside: a position that the ring goes round twice on its way about the pole is outside, as one left of
    /// it is; one that a scene wider than the globe has twice is inside.
    fn region(self) -> MultiPolygon {
        let parts = self.parts.into_iter().map(|part| MultiPolygon(vec![part])).collect();
        overlaid(parts, if self.turns { BooleanOps::xor } else { BooleanOps::union })
    }
}

/// All of them together, in pairs, so that each takes part in few overlays.
fn overlaid(mut areas: Vec<MultiPolygon>, overlay: fn(&MultiPolygon, &MultiPolygon) -> MultiPolygon) -> MultiPolygon {
    while areas.len() > 1 {
        let pair = |pair: &[MultiPolygon]| match pair {
            [a, b] => overlay(a, b),
            rest => rest.iter().next().cloned().unwrap_or(MultiPolygon(vec![])),
        };
        areas = areas.chunks(2).map(pair).collect();
    }
    areas.pop().unwrap_or(MultiPolygon(vec![]))
}

fn is_tangled<'a>(parts: impl Iterator<Item = &'a Polygon>) -> bool {
    let west = |edge: &Line| edge.start.x.min(edge.end.x);
    let mut edges: Vec<Line> = parts.flat_map(LinesIter::lines_iter).collect();
    edges.sort_by(|a, b| west(a).total_cmp(&west(b)));
    let (mut pairs, mut crossings) = (0, 0);
    for (at, edge) in edges.iter().enumerate() {
        let east = edge.start.x.max(edge.end.x);
        for other in edges[at + 1..].iter().take_while(|other| west(other) <= east) {
            pairs += 1;
            crossings += usize::from(cross(edge, other));
            if crossings > MOST_CROSSINGS || pairs > MOST_PAIRS {
                return true;
            }
        }
    }
    false
}

/// Whether each edge has the ends of the other on both its sides.
fn cross(a: &Line, b: &Line) -> bool {
    let side = |edge: &Line, at: Coord| {
        (edge.end.x - edge.start.x) * (at.y - edge.start.y) - (edge.end.y - edge.start.y) * (at.x - edge.start.x)
    };
    side(a, b.start) * side(a, b.end) < 0.0 && side(b, a.start) * side(b, a.end) < 0.0
}

fn to_edge(at: Coord) -> Coord {
    let snap = |value: f64, edge: f64| if edge - value.abs() <= GRID { edge.copysign(value) } else { value };
    Coord { x: snap(at.x, 180.0), y: snap(at.y, 90.0) }
}
