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
fn unit(at: Coord) -> Vec3 {
    let (sin_lat, cos_lat) = at.y.to_radians().sin_cos();
    let (sin_lon, cos_lon) = at.x.to_radians().sin_cos();
    [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat]
}

/// A position in degrees, and on the sphere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) at: Coord,
    pub(super) unit: Vec3,
}

impl Place {
    pub(super) fn new(at: Coord) -> Self {
        Self { at, unit: unit(at) }
    }
}

/// Height and width of the box between two positions in radians, and the cosine of its latitude that is nearest to
/// the equator.
fn extent(a: &Place, b: &Place) -> (f64, f64, f64) {
    let cosine = |p: &Place| (p.unit[0] * p.unit[0] + p.unit[1] * p.unit[1]).sqrt();
    let widest = if (a.at.y < 0.0) == (b.at.y < 0.0) { cosine(a).max(cosine(b)) } else { 1.0 };
    ((b.at.y - a.at.y).to_radians().abs(), (b.at.x - a.at.x).to_radians().abs(), widest)
}

/// Length, in radians, that a footprint's edge between two positions of this box cannot exceed.
pub(super) fn reach(a: &Place, b: &Place) -> f64 {
    let (north, east, widest) = extent(a, b);
    (north * north + (east * widest) * (east * widest)).sqrt()
}

/// An upper bound of the second derivative, by a parameter from 0 to 1, of the footprint's edge from `a` to `b`.
pub(super) fn bend(a: &Place, b: &Place) -> f64 {
    let (north, east, widest) = extent(a, b);
    let steepest = a.unit[2].abs().max(b.unit[2].abs());
    north * north + 2.0 * north * east * steepest + east * east * widest
}

/// A footprint edge, or a piece of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Curve {
    pub(super) from: Place,
    pub(super) to: Place,
    /// How far the curve leaves the straight line between its ends, at most.
    pub(super) sagitta: f64,
}

impl Curve {
    pub(super) fn new(from: Place, to: Place) -> Self {
        Self { from, to, sagitta: bend(&from, &to) / 8.0 }
    }

    /// Whether any position of the curve lies within the convex part of the sphere on the positive side of all planes.
    ///
    /// Halves the curve until each part is certainly outside of a plane, or a position is inside of all. That ends:
    /// what is shorter than half a [`TOUCH`] and not inside of a plane at its start is outside of it as a whole.
    pub(super) fn meets(&self, planes: &[Vec3]) -> bool {
        let (mut start_inside, mut end_inside) = (true, true);
        for plane in planes {
            let (start, end) = (dot(plane, &self.from.unit), dot(plane, &self.to.unit));
            if start.max(end) < -(self.sagitta + TOUCH / 2.0) {
                return false;
            }
            start_inside &= start >= -TOUCH;
            end_inside &= end >= -TOUCH;
        }
        if start_inside || end_inside {
            return true;
        }
        let (from, to) = (self.from.at, self.to.at);
        let middle = Place::new(Coord { x: f64::midpoint(from.x, to.x), y: f64::midpoint(from.y, to.y) });
        let sagitta = self.sagitta / 4.0;
        Self { to: middle, sagitta, ..*self }.meets(planes) || Self { from: middle, sagitta, ..*self }.meets(planes)
    }
}
