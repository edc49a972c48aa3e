//! Footprint edges on the sphere: curves along which longitude and latitude change evenly.

use geo::Coord;

/// A unit vector from the centre of the globe.
pub(super) type Vec3 = [f64; 3];

/// Whatever is closer than this touches: 0.6 mm, more than the coordinates of cells are off.
pub(super) const TOUCH: f64 = 1e-10;

pub(super) fn dot(a: &Vec3, b: &Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// From degrees.
pub(super) fn unit(at: Coord) -> Vec3 {
    let (sin_lat, cos_lat) = at.y.to_radians().sin_cos();
    let (sin_lon, cos_lon) = at.x.to_radians().sin_cos();
    [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]
}

/// Length, in radians, that a curve between two corners of this box cannot exceed.
pub(super) fn reach(a: Coord, b: Coord) -> f64 {
    let (north, east, widest) = extent(a, b);
    (north * north + (east * widest) * (east * widest)).sqrt()
}

/// Height and width of the box in radians, and the cosine of its latitude that is nearest to the equator.
fn extent(a: Coord, b: Coord) -> (f64, f64, f64) {
    let nearest = if (a.y < 0.0) == (b.y < 0.0) { a.y.abs().min(b.y.abs()) } else { 0.0 };
    ((b.y - a.y).to_radians().abs(), (b.x - a.x).to_radians().abs(), nearest.to_radians().cos())
}

/// An upper bound of the second derivative, by a parameter from 0 to 1, of the curve from `a` to `b`.
pub(super) fn bend(a: Coord, b: Coord) -> f64 {
    let (north, east, widest) = extent(a, b);
    let steepest = a.y.abs().max(b.y.abs()).to_radians().sin();
    north * north + 2.0 * north * east * steepest + east * east * widest
}

/// A footprint edge, or a piece of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curve {
    pub(super) from: Coord,
    pub(super) to: Coord,
    pub(super) start: Vec3,
    pub(super) end: Vec3,
    /// How far the curve leaves a straight line from `start` to `end`, at most.
    pub(super) sagitta: f64,
}

impl Curve {
    pub(super) fn new(from: (Coord, Vec3), to: (Coord, Vec3)) -> Self {
        Self { from: from.0, to: to.0, start: from.1, end: to.1, sagitta: bend(from.0, to.0) / 8.0 }
    }

    /// Whether any position of the curve lies within the convex part of the sphere on the positive side of all planes.
    ///
    /// Halves the curve until each part is certainly outside of a plane, or a position is inside of all. That ends:
    /// what is shorter than half a [`TOUCH`] and not inside of a plane at its start is outside of it as a whole.
    pub(super) fn meets(&self, planes: &[Vec3]) -> bool {
        let (mut start_inside, mut end_inside) = (true, true);
        for plane in planes {
            let (start, end) = (dot(plane, &self.start), dot(plane, &self.end));
            if start.max(end) < -(self.sagitta + TOUCH / 2.0) {
                return false;
            }
            start_inside &= start >= -TOUCH;
            end_inside &= end >= -TOUCH;
        }
        if start_inside || end_inside {
            return true;
        }
        let middle = Coord { x: f64::midpoint(self.from.x, self.to.x), y: f64::midpoint(self.from.y, self.to.y) };
        let (at, sagitta) = (unit(middle), self.sagitta / 4.0);
        Self { to: middle, end: at, sagitta, ..*self }.meets(planes)
            || Self { from: middle, start: at, sagitta, ..*self }.meets(planes)
    }
}
