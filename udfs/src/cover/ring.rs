//! Closed curves in the plane of longitude and latitude.

use geo::Coord;

/// A position as it is on the globe; `None` if it is not finite.
pub(super) fn position(lon: f64, lat: f64) -> Option<Coord> {
    // Beyond one and a half turns, where it started from says nothing any more.
    let lon = if lon.abs() > 540.0 { (lon + 180.0).rem_euclid(360.0) - 180.0 } else { lon };
    (lon.is_finite() && lat.is_finite()).then_some(Coord { x: lon, y: lat.clamp(-90.0, 90.0) })
}

/// A closed curve of edges that are straight as written, however long.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ring {
    /// Ends where it starts.
    path: Vec<Coord>,
    min: Coord,
    max: Coord,
    area: f64,
}

impl Ring {
    /// Closes the ring where it is open; `None` if there is no vertex.
    pub(super) fn new(mut path: Vec<Coord>) -> Option<Self> {
        let first = *path.first()?;
        if path.last() != Some(&first) {
            path.push(first);
        }
        let (mut min, mut max) = (first, first);
        for at in &path {
            min = Coord { x: min.x.min(at.x), y: min.y.min(at.y) };
            max = Coord { x: max.x.max(at.x), y: max.y.max(at.y) };
        }
        // The integral of sin(lat) over the longitude is the area towards the equator.
        let strips = path.windows(2).map(|e| (e[1].x - e[0].x) * f64::midpoint(e[0].y, e[1].y).to_radians().sin());
        let area = strips.sum::<f64>().to_radians().abs();
        Some(Self { path, min, max, area })
    }

    pub(super) fn path(&self) -> &[Coord] {
        &self.path
    }

    /// South-west and north-east corner of the vertices.
    pub(super) fn bounds(&self) -> (Coord, Coord) {
        (self.min, self.max)
    }

    /// In steradians, roughly.
    pub(super) fn area(&self) -> f64 {
        self.area
    }

    /// Whether the position is inside, by the even-odd rule, and whether the ring winds round it, as it does of what it goes
    /// round twice, too; for positions on the ring either answer is possible.
    pub(super) fn encloses(&self, at: Coord) -> (bool, bool) {
        // The same meridian, as often as the ring's longitudes pass it.
        let first = ((self.min.x - at.x) / 360.0).ceil() as i32;
        let last = ((self.max.x - at.x) / 360.0).floor() as i32;
        let meridians = (first..=last).map(|k| at.x + 360.0 * f64::from(k));
        meridians.fold((false, false), |(is_odd, winds), lon| {
            let (crossings, eastward) = self.crossings_north_of(Coord { x: lon, y: at.y });
            (is_odd || crossings % 2 == 1, winds || eastward != 0)
        })
    }

    /// How many edges cross the meridian north of the position, and how many more to the east than to the west.
    fn crossings_north_of(&self, at: Coord) -> (usize, i64) {
        let (mut crossings, mut eastward) = (0, 0);
        for edge in self.path.windows(2) {
            let (a, b) = (edge[0], edge[1]);
            if (a.x <= at.x) != (b.x <= at.x) && a.y + (b.y - a.y) * ((at.x - a.x) / (b.x - a.x)) > at.y {
                crossings += 1;
                eastward += if a.x <= at.x { 1 } else { -1 };
            }
        }
        (crossings, eastward)
    }
}
