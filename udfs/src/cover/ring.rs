//! What the longitudes of a ring or a line mean: which edges cross the antimeridian, and which rings go round a pole.

use std::f64::consts::TAU;

use geo::Coord;

/// Longitudes this close to ±180, edges this close to 360 degrees long and latitudes this close to ±90 are taken to
/// be exactly there: global grids are written with pixel corners that are off by a rounding.
const SEAM_TOLERANCE: f64 = 1e-3;

/// Rings of more vertices than this are outlines of scenes and orbits: nobody digitises a box that wide by hand.
const HAND_DRAWN: usize = 8;

/// A position as it is on the globe; `None` if it is not finite.
pub(super) fn position(lon: f64, lat: f64) -> Option<Coord> {
    // Beyond one and a half turns, where it started from says nothing any more.
    let lon = if lon.abs() > 540.0 { (lon + 180.0).rem_euclid(360.0) - 180.0 } else { lon };
    (lon.is_finite() && lat.is_finite()).then_some(Coord { x: lon, y: lat.clamp(-90.0, 90.0) })
}

/// The line with continuous longitudes: an edge of more than 180 degrees goes the short way over the antimeridian,
/// but a line of two positions on ±180 is the whole parallel.
pub(super) fn continuous_line(line: Vec<Coord>) -> Vec<Coord> {
    let whole_parallel = line.len() == 2 && is_full_turn(line[0], line[1]);
    if whole_parallel || !line.windows(2).any(|e| is_long(e[0], e[1])) {
        return line;
    }
    unwrap(&line, |_, _| false)
}

/// A closed curve on the globe.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ring {
    /// Ends where it starts, or a multiple of 360 degrees away from there if it goes round a pole.
    path: Vec<Coord>,
    min: Coord,
    max: Coord,
    /// Turns round the poles, counted eastwards.
    turns: i32,
    /// Whether the north pole is inside; only of interest where the number of turns is odd.
    holds_north_pole: bool,
    area: f64,
}

impl Ring {
    /// Closes the ring where it is open; `None` if there is no vertex.
    ///
    /// Edges of up to 180 degrees of longitude are as written. For longer ones, a ring says by the rest of it what
    /// is meant:
    ///
    /// - an edge along a pole is a real edge, and so is one of 360 degrees in a ring that also runs along both sides
    ///   of the antimeridian and jumps nowhere: the ring is cut open there, as RFC 7946 wants it;
    /// - any other one crosses the antimeridian the short way, so the ring closes on the other side (a scene), or
    ///   never (a ring round a pole);
    /// - except for rings of a few vertices that would make no sense that way, a sliver from south to north, or
    ///   a ring round a pole with vertices in both hemispheres: they are boxes as wide as written.
    pub(super) fn new(mut vertices: Vec<Coord>) -> Option<Self> {
        let first = *vertices.first()?;
        if vertices.last() != Some(&first) {
            vertices.push(first);
        }
        let path = continuous_ring(vertices);
        let (first, last) = (path[0], path[path.len() - 1]);
        let turns = ((last.x - first.x) / 360.0).round() as i32;
        let mut min = first;
        let mut max = first;
        for at in &path {
            min = Coord { x: min.x.min(at.x), y: min.y.min(at.y) };
            max = Coord { x: max.x.max(at.x), y: max.y.max(at.y) };
        }
        // The integral of sin(lat) over the longitude is the area towards the equator.
        let strips = path.windows(2).map(|e| (e[1].x - e[0].x) * f64::midpoint(e[0].y, e[1].y).to_radians().sin());
        let strips = strips.sum::<f64>().to_radians();
        // The side with the smaller area.
        let holds_north_pole = turns % 2 != 0 && strips * f64::from(turns) >= 0.0;
        let area = if turns == 0 { strips.abs() } else { TAU * f64::from(turns.abs()) - strips.abs() };
        Some(Self { path, min, max, turns, holds_north_pole, area })
    }

    pub(super) fn path(&self) -> &[Coord] {
        &self.path
    }

    /// South-west and north-east corner of the vertices, longitudes continuous.
    pub(super) fn bounds(&self) -> (Coord, Coord) {
        (self.min, self.max)
    }

    /// In steradians, roughly.
    pub(super) fn area(&self) -> f64 {
        self.area
    }

    pub(super) fn encloses_pole(&self) -> bool {
        self.turns != 0
    }

    /// Whether the position is inside, by the even-odd rule; for positions on the ring either answer is possible.
    pub(super) fn contains(&self, at: Coord) -> bool {
        // The same meridian, as often as the ring's longitudes pass it.
        let first = ((self.min.x - at.x) / 360.0).ceil() as i32;
        let last = ((self.max.x - at.x) / 360.0).floor() as i32;
        let mut meridians = (first..=last).map(|k| at.x + 360.0 * f64::from(k));
        if self.turns == 0 {
            meridians.any(|lon| self.crossings_north_of(Coord { x: lon, y: at.y }) % 2 == 1)
        } else {
            let crossings: usize = meridians.map(|lon| self.crossings_north_of(Coord { x: lon, y: at.y })).sum();
            (crossings % 2 == 1) != self.holds_north_pole
        }
    }

    fn crossings_north_of(&self, at: Coord) -> usize {
        let crosses = |e: &&[Coord]| {
            let (a, b) = (e[0], e[1]);
            (a.x <= at.x) != (b.x <= at.x) && a.y + (b.y - a.y) * ((at.x - a.x) / (b.x - a.x)) > at.y
        };
        self.path.windows(2).filter(crosses).count()
    }
}

fn is_long(a: Coord, b: Coord) -> bool {
    (b.x - a.x).abs() > 180.0
}

fn is_full_turn(a: Coord, b: Coord) -> bool {
    ((b.x - a.x).abs() - 360.0).abs() <= SEAM_TOLERANCE
}

fn is_pole(at: Coord) -> bool {
    at.y.abs() >= 90.0 - SEAM_TOLERANCE
}

fn continuous_ring(ring: Vec<Coord>) -> Vec<Coord> {
    let edges = || ring.windows(2).map(|e| (e[0], e[1]));
    if !edges().any(|(a, b)| is_long(a, b)) {
        return ring;
    }
    let runs_along =
        |lon: f64| edges().any(|(a, b)| [a, b].iter().all(|c| (c.x - lon).abs() <= SEAM_TOLERANCE) && a.y != b.y);
    let jumps = edges().any(|(a, b)| is_long(a, b) && !is_full_turn(a, b));
    let cut_open = !jumps && runs_along(180.0) && runs_along(-180.0);
    let is_real = |a, b| is_full_turn(a, b) && (cut_open || is_pole(a) && is_pole(b));
    if edges().all(|(a, b)| !is_long(a, b) || is_real(a, b)) {
        return ring;
    }
    let unwrapped = unwrap(&ring, is_real);
    if ring.len() <= HAND_DRAWN + 1 && !is_plausible(&unwrapped) { ring } else { unwrapped }
}

/// Takes long edges the short way, but those that `is_real`.
fn unwrap(path: &[Coord], is_real: impl Fn(Coord, Coord) -> bool) -> Vec<Coord> {
    let mut lon = path.first().map_or(0.0, |c| c.x);
    let mut previous = None;
    let step = |at: &Coord| {
        if let Some(from) = previous.replace(*at) {
            let east = at.x - from.x;
            lon += if is_long(from, *at) && !is_real(from, *at) { east - 360.0 * (east / 360.0).round() } else { east };
        }
        Coord { x: lon, y: at.y }
    };
    path.iter().map(step).collect()
}

/// Whether a ring of a few vertices looks like a scene on the antimeridian, or over a pole.
fn is_plausible(unwrapped: &[Coord]) -> bool {
    let span = |of: fn(&Coord) -> f64| {
        let (min, max) = unwrapped.iter().map(of).fold((f64::MAX, f64::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)));
        (max - min, min, max)
    };
    let (width, ..) = span(|c| c.x);
    let (height, south, north) = span(|c| c.y);
    let turns = unwrapped[unwrapped.len() - 1].x - unwrapped[0].x;
    if turns.abs() > 180.0 {
        return south > 0.0 || north < 0.0;
    }
    let is_sliver = height >= 20.0 * width || (height >= 20.0 && height >= 4.0 * width);
    width <= 45.0 && height <= 45.0 && !is_sliver
}
