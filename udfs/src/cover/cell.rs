//! The shape of an H3 cell: on the sphere, and drawn straight in longitude and latitude.

use geo::{BoundingRect as _, Coord, Intersects as _, Line, LineString, Polygon, Rect};
use h3o::{CellIndex, LatLng};

use super::curve::{Curve, Place, TOUCH, Vec3, bend, dot};

/// The cells that share an edge with this one: six, or five of a pentagon.
pub(super) fn neighbours(cell: CellIndex) -> impl Iterator<Item = CellIndex> {
    let mut found = [cell; 7];
    // Without allocation, but it gives up near a pentagon.
    let mut known = 0;
    for (next, slot) in cell.grid_disk_fast(1).zip(&mut found) {
        let Some(next) = next else { break };
        *slot = next;
        known += 1;
    }
    if known < found.len() {
        found = [cell; 7];
        cell.grid_disk_safe(1).zip(&mut found).for_each(|(next, slot)| *slot = next);
    }
    found.into_iter().filter(move |c| *c != cell)
}

pub(super) fn centre(cell: CellIndex) -> Coord {
    LatLng::from(cell).into()
}

/// An H3 cell.
#[derive(Debug)]
pub(super) struct CellShape {
    pub(super) cell: CellIndex,
    /// Normals of the planes of the edges, towards the inside.
    planes: Vec<Vec3>,
    /// How far each edge runs from where it is drawn straight in longitude and latitude, at most, in radians.
    sagittas: Vec<f64>,
    /// Triangles round the centre, where an edge bends inwards over an edge of the icosahedron.
    triangles: Vec<[Vec3; 3]>,
    /// Drawn straight in longitude and latitude, longitudes continuous, closed along the pole if that is inside.
    drawn: Polygon,
    drawn_bounds: Rect,
}

impl CellShape {
    pub(super) fn new(cell: CellIndex) -> Self {
        let mut corners: Vec<Place> = cell.boundary().iter().map(|ll| Place::new(Coord::from(*ll))).collect();
        corners.push(corners[0]);
        for i in 1..corners.len() {
            corners[i].at.x -= 360.0 * ((corners[i].at.x - corners[i - 1].at.x) / 360.0).round();
        }
        let edges = || corners.windows(2).map(|e| (&e[0], &e[1]));
        let planes: Vec<Vec3> = edges().map(|(a, b)| plane(&a.unit, &b.unit)).collect();
        let sagittas = edges().map(|(a, b)| bend(a, b) / 8.0).collect();

        let is_convex = planes.iter().all(|plane| corners.iter().all(|c| dot(plane, &c.unit) >= -TOUCH / 100.0));
        let triangles = if is_convex {
            vec![]
        } else {
            let middle = Place::new(centre(cell)).unit;
            edges().zip(&planes).map(|((a, b), p)| [*p, plane(&b.unit, &middle), plane(&middle, &a.unit)]).collect()
        };

        let mut outline: Vec<Coord> = corners.iter().map(|c| c.at).collect();
        let (first, last) = (outline[0], outline[outline.len() - 1]);
        if (last.x - first.x).abs() > 180.0 {
            let pole = 90f64.copysign(first.y);
            outline.extend([Coord { x: last.x, y: pole }, Coord { x: first.x, y: pole }, first]);
        }
        let drawn = Polygon::new(LineString(outline), vec![]);
        let drawn_bounds = drawn.bounding_rect().unwrap_or_else(|| Rect::new(first, first));
        Self { cell, planes, sagittas, triangles, drawn, drawn_bounds }
    }

    /// Whether nothing within `radius` (radians) of the position can touch another cell.
    ///
    /// With `drawn`, the other cells are those drawn straight in longitude and latitude as well.
    pub(super) fn holds(&self, at: &Vec3, radius: f64, drawn: bool) -> bool {
        let margin = radius + 2.0 * TOUCH;
        let mut edges = self.planes.iter().zip(&self.sagittas);
        edges.all(|(plane, sagitta)| dot(plane, at) > margin + if drawn { *sagitta } else { 0.0 })
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
        let (from, to) = (curve.from.at, curve.to.at);
        let nearest = ((self.drawn_bounds.center().x - f64::midpoint(from.x, to.x)) / 360.0).round();
        let touches = |turn: f64| {
            let shifted = |at: Coord| Coord { x: at.x + 360.0 * turn, y: at.y };
            let line = Line::new(shifted(from), shifted(to));
            self.drawn_bounds.intersects(&line) && self.drawn.intersects(&line)
        };
        // A cell round a pole is a whole turn wide, so the curve may lie over either end of it.
        touches(nearest) || (self.drawn_bounds.width() > 180.0 && (touches(nearest - 1.0) || touches(nearest + 1.0)))
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
