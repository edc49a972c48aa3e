//! The shape of an H3 cell: on the sphere, and drawn straight in longitude and latitude.

use geo::{BoundingRect as _, Coord, Intersects as _, Line, LineString, Polygon, Rect};
use h3o::{CellIndex, LatLng};

use super::curve::{self, Curve, TOUCH, Vec3, dot, unit};

/// The cells that share an edge with this one.
pub(super) fn neighbours(cell: CellIndex) -> impl Iterator<Item = CellIndex> {
    cell.grid_disk_safe(1).filter(move |c| *c != cell)
}

pub(super) fn centre(cell: CellIndex) -> Coord {
    LatLng::from(cell).into()
}

#[derive(Debug)]
struct Side {
    /// Normal of the edge's plane, towards the inside.
    plane: Vec3,
    /// How far from the geodesic the straight edge in longitude and latitude runs, at most.
    sagitta: f64,
}

/// An H3 cell.
#[derive(Debug)]
pub(super) struct CellShape {
    pub(super) cell: CellIndex,
    sides: Vec<Side>,
    planes: Vec<Vec3>,
    /// Triangles round the centre, where an edge bends inwards over an edge of the icosahedron.
    triangles: Vec<[Vec3; 3]>,
    /// Drawn straight in longitude and latitude; none if a pole is inside.
    drawn: Option<(Polygon, Rect)>,
}

impl CellShape {
    pub(super) fn new(cell: CellIndex) -> Self {
        let mut corners: Vec<Coord> = cell.boundary().iter().map(|ll| Coord::from(*ll)).collect();
        let units: Vec<Vec3> = corners.iter().map(|c| unit(*c)).collect();
        let next = |i: usize| (i + 1) % units.len();
        let planes: Vec<Vec3> = (0..units.len()).map(|i| plane(&units[i], &units[next(i)])).collect();

        let is_convex = planes.iter().all(|plane| units.iter().all(|corner| dot(plane, corner) >= -TOUCH / 100.0));
        let middle = unit(centre(cell));
        let triangle = |i: usize| [planes[i], plane(&units[next(i)], &middle), plane(&middle, &units[i])];
        let triangles = if is_convex { vec![] } else { (0..units.len()).map(triangle).collect() };

        for i in 1..corners.len() {
            corners[i].x -= 360.0 * ((corners[i].x - corners[i - 1].x) / 360.0).round();
        }
        let closes = (corners[corners.len() - 1].x - corners[0].x).abs() < 180.0;
        let side = |i: usize| {
            let mut to = corners[next(i)];
            to.x -= 360.0 * ((to.x - corners[i].x) / 360.0).round();
            Side { plane: planes[i], sagitta: curve::bend(corners[i], to) / 8.0 }
        };
        let sides = (0..corners.len()).map(side).collect();
        let drawn = closes.then(|| Polygon::new(LineString(corners), vec![]));
        let drawn = drawn.and_then(|polygon| polygon.bounding_rect().map(|bounds| (polygon, bounds)));
        Self { cell, sides, planes, triangles, drawn }
    }

    /// Whether nothing within `radius` (radians) of the position can touch another cell.
    ///
    /// With `drawn`, the other cells are those drawn straight in longitude and latitude as well.
    pub(super) fn holds(&self, at: &Vec3, radius: f64, drawn: bool) -> bool {
        let margin = radius + 2.0 * TOUCH;
        self.sides.iter().all(|s| dot(&s.plane, at) > margin + if drawn { s.sagitta } else { 0.0 })
    }

    /// How deep inside the position is, in radians; negative if it is outside.
    pub(super) fn depth(&self, at: &Vec3) -> f64 {
        let inside = |planes: &[Vec3]| planes.iter().map(|p| dot(p, at)).fold(f64::INFINITY, f64::min);
        if self.triangles.is_empty() {
            inside(&self.planes)
        } else {
            self.triangles.iter().map(|t| inside(t)).fold(f64::NEG_INFINITY, f64::max)
        }
    }

    /// Whether the curve has a position in the cell, its edges included.
    pub(super) fn touches(&self, curve: &Curve, drawn: bool) -> bool {
        let on_the_sphere = if self.triangles.is_empty() {
            curve.meets(&self.planes)
        } else {
            self.triangles.iter().any(|t| curve.meets(t))
        };
        on_the_sphere || (drawn && self.touches_drawn(curve))
    }

    fn touches_drawn(&self, curve: &Curve) -> bool {
        let Some((polygon, bounds)) = &self.drawn else { return false };
        let turn = 360.0 * ((bounds.center().x - f64::midpoint(curve.from.x, curve.to.x)) / 360.0).round();
        let shifted = |at: Coord| Coord { x: at.x + turn, y: at.y };
        let line = Line::new(shifted(curve.from), shifted(curve.to));
        bounds.intersects(&line) && polygon.intersects(&line)
    }
}

/// Normal of the plane through two positions and the centre of the globe.
fn plane(a: &Vec3, b: &Vec3) -> Vec3 {
    // The difference is exact for near positions, where a cross product of `a` and `b` would lose all digits.
    let d = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
    let n = [a[1] * d[2] - a[2] * d[1], a[2] * d[0] - a[0] * d[2], a[0] * d[1] - a[1] * d[0]];
    let length = dot(&n, &n).sqrt();
    n.map(|v| v / length)
}
