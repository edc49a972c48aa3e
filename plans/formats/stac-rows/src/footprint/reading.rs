//! What the longitudes of a ring or a line mean: which edges cross the antimeridian, and which rings go round a pole.

use geo::{Coord, LineString, Polygon};

use super::Corners;

/// Longitudes this close to ±180, edges this close to 360 degrees long and latitudes this close to ±90 are taken to
/// be exactly there: global grids are written with pixel corners that are off by a rounding.
const SEAM_TOLERANCE: f64 = 1e-3;

/// What a `bbox` may be off from the positions that it bounds: some are rounded.
const BBOX_TOLERANCE: f64 = 1e-2;

/// Rings of more vertices than this are outlines of scenes and orbits: nobody digitises a box that wide by hand.
const HAND_DRAWN: usize = 8;

/// Scenes are not wider than so many degrees, unless their `bbox` says so.
const SCENE: f64 = 6.0;

/// Latitudes beyond a pole are the pole, longitudes that miss ±180 by a rounding are there.
pub(super) fn snapped(at: Coord) -> Coord {
    let beyond = at.x.abs() > 180.0 && at.x.abs() <= 180.0 + SEAM_TOLERANCE;
    Coord { x: if beyond { 180f64.copysign(at.x) } else { at.x }, y: at.y.clamp(-90.0, 90.0) }
}

/// A closed curve on the globe.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ring {
    /// Longitudes are continuous. Ends where it starts, or `turns` times 360 degrees away from there.
    pub(super) path: Vec<Coord>,
    /// Turns round the poles, counted eastwards.
    pub(super) turns: i32,
    /// The latitude of the pole that is inside, where there is an odd number of turns.
    pub(super) pole: f64,
}

impl Ring {
    /// The ring in the plane: closed along the pole if it goes round it.
    pub(super) fn closed(&self) -> Vec<Coord> {
        let mut path = self.path.clone();
        if let ([first, ..], [.., last]) = (&*self.path, &*self.path)
            && self.turns != 0
        {
            path.extend([Coord { x: last.x, y: self.pole }, Coord { x: first.x, y: self.pole }, *first]);
        }
        path
    }

    /// A ring once round a pole that crosses the antimeridian once, as one polygon; `None` if it is no such ring.
    pub(super) fn as_cap(&self) -> Option<Polygon> {
        if self.turns.abs() != 1 {
            return None;
        }
        let rotated = self.starting_on_antimeridian()?;
        let (west, east) = range(&rotated.path);
        let outline = || Polygon::new(LineString(rotated.closed()), vec![]);
        (west >= -180.0 && east <= 180.0).then(outline)
    }

    /// The same ring, which starts on the antimeridian; `None` if it nowhere crosses that.
    pub(super) fn starting_on_antimeridian(&self) -> Option<Self> {
        let turn = 360.0 * f64::from(self.turns);
        let crossing = |e: &[Coord]| {
            let meridian = 360.0 * ((e[0].x.max(e[1].x) + 180.0) / 360.0).floor() - 180.0;
            (e[0].x != e[1].x && e[0].x.min(e[1].x) <= meridian).then_some(meridian)
        };
        let (at, meridian) = self.path.windows(2).enumerate().find_map(|(at, edge)| Some((at, crossing(edge)?)))?;
        let start = on_meridian(self.path[at], self.path[at + 1], meridian);
        let mut path = vec![start];
        path.extend(&self.path[at + 1..]);
        path.extend(self.path[1..=at].iter().map(|c| Coord { x: c.x + turn, y: c.y }));
        path.push(Coord { x: start.x + turn, y: start.y });
        path.dedup();
        let to = if self.turns < 0 { 180.0 } else { -180.0 };
        let turns = to - start.x;
        path.iter_mut().for_each(|c| c.x += turns);
        Some(Self { path, ..self.clone() })
    }
}

/// Where the edge crosses the meridian.
pub(super) fn on_meridian(a: Coord, b: Coord, meridian: f64) -> Coord {
    let y = match meridian {
        at if at == a.x => a.y,
        at if at == b.x => b.y,
        at => a.y + (b.y - a.y) * ((at - a.x) / (b.x - a.x)),
    };
    Coord { x: meridian, y }
}

/// Reads the rings and lines of one geometry.
pub(super) struct Reader {
    bbox: Option<Corners>,
    /// Whether the `bbox` is that of the positions as written.
    is_as_written: bool,
    /// Whether one of those read so far had another reading as well.
    pub(super) guessed: bool,
}

impl Reader {
    /// `bounds` are those of the positions as written.
    pub(super) fn new(bbox: Option<Corners>, bounds: Corners) -> Self {
        let is_near = |(a, b): (&f64, &f64)| (a - b).abs() <= BBOX_TOLERANCE;
        let is_as_written = bbox.is_some_and(|bbox| bbox.iter().zip(&bounds).all(is_near));
        Self { bbox, is_as_written, guessed: false }
    }

    /// The line with continuous longitudes: an edge of more than 180 degrees goes the short way over the antimeridian,
    /// but a line of two positions on ±180 is the whole parallel.
    pub(super) fn line(&mut self, line: &[Coord]) -> Vec<Coord> {
        let line: Vec<Coord> = line.iter().map(|c| snapped(*c)).collect();
        let whole_parallel = line.len() == 2 && is_full_turn(line[0], line[1]);
        if whole_parallel || !line.windows(2).any(|e| is_long(e[0], e[1])) {
            return line;
        }
        let unwrapped = unwrap(&line, |_, _| false);
        self.guessed |= !self.is_of_bbox(&unwrapped);
        unwrapped
    }

    /// Closes the ring where it is open; `None` if there is no vertex.
    ///
    /// Edges of up to 180 degrees of longitude are as written. For longer ones, the `bbox` says what is meant if it is
    /// that of one of the readings, and otherwise the rest of the ring:
    ///
    /// - an edge along a pole is a real edge, and so is one of 360 degrees in a ring that also runs along both sides
    ///   of the antimeridian and jumps nowhere: the ring is cut open there, as RFC 7946 wants it;
    /// - any other one crosses the antimeridian the short way, so the ring closes on the other side (a scene), or
    ///   never (a ring round a pole);
    /// - except for rings of a few vertices that go round their inside as RFC 7946 wants it if they are as wide as
    ///   written, or that would make no sense the short way, a sliver from south to north, or a ring round a pole with
    ///   vertices in both hemispheres: they are boxes as wide as written.
    pub(super) fn ring(&mut self, vertices: &[Coord], is_hole: bool) -> Option<Ring> {
        let mut vertices: Vec<Coord> = vertices.iter().map(|c| snapped(*c)).collect();
        let first = *vertices.first()?;
        if vertices.last() != Some(&first) {
            vertices.push(first);
        }
        let path = self.continuous(vertices, is_hole);
        let turns = ((path[path.len() - 1].x - path[0].x) / 360.0).round() as i32;
        let pole = if turns % 2 == 0 { 0.0 } else { self.pole(&path, turns) };
        Some(Ring { path, turns, pole })
    }

    fn continuous(&mut self, ring: Vec<Coord>, is_hole: bool) -> Vec<Coord> {
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
        if self.is_of_bbox(&unwrapped) {
            return unwrapped;
        }
        let turns = goes_round(&unwrapped);
        // One that goes on round the globe the short way has sides, where it is a box.
        let has_sides = || edges().any(|(a, b)| a.x == b.x && a.y != b.y);
        let is_box = || self.is_as_written && (!turns || has_sides()) || self.bbox.is_none() && !turns;
        let is_wide = if ring.len() > HAND_DRAWN + 1 {
            false
        } else if is_box() && is_counterclockwise(&ring) != is_hole {
            // But there are also scenes of which the corners go the other way, with the least and the largest of their
            // longitudes for a bbox.
            let is_scene = width(&unwrapped) <= SCENE && is_plausible(&unwrapped);
            self.guessed |= is_scene || self.bbox.is_none();
            !is_scene
        } else {
            // Going round its inside as it should the short way, and of the size of a scene.
            let is_scene = is_plausible(&unwrapped);
            self.guessed |= !is_scene;
            !is_scene
        };
        if is_wide { ring } else { unwrapped }
    }

    /// Whether the path lies within the `bbox`, and is not just as well the one that is as wide as written.
    fn is_of_bbox(&self, path: &[Coord]) -> bool {
        let Some([west, _, east, _]) = self.bbox.filter(|_| !self.is_as_written) else { return false };
        let east = if west > east { east + 360.0 } else { east };
        let (from, to) = range(path);
        let turn = 360.0 * ((west - BBOX_TOLERANCE - from) / 360.0).ceil();
        east - west < 360.0 - BBOX_TOLERANCE && to + turn <= east + BBOX_TOLERANCE
    }

    /// The pole inside of a ring round both: the one that the `bbox` has, or on the side with the smaller area.
    fn pole(&mut self, path: &[Coord], turns: i32) -> f64 {
        if let Some([_, south, _, north]) = self.bbox {
            match (south <= -90.0 + SEAM_TOLERANCE, north >= 90.0 - SEAM_TOLERANCE) {
                (true, false) => return -90.0,
                (false, true) => return 90.0,
                _ => {}
            }
        }
        self.guessed = true;
        // The integral of sin(lat) over the longitude is the area towards the equator.
        let strips = path.windows(2).map(|e| (e[1].x - e[0].x) * f64::midpoint(e[0].y, e[1].y).to_radians().sin());
        if strips.sum::<f64>() * f64::from(turns) >= 0.0 { 90.0 } else { -90.0 }
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

fn is_counterclockwise(ring: &[Coord]) -> bool {
    ring.windows(2).map(|e| (e[1].x - e[0].x) * (e[0].y + e[1].y)).sum::<f64>() < 0.0
}

/// The least and the greatest longitude.
pub(super) fn range(path: &[Coord]) -> (f64, f64) {
    path.iter().fold((f64::MAX, f64::MIN), |(west, east), c| (west.min(c.x), east.max(c.x)))
}

/// Whether a closed path ends another turn of the globe away from where it starts.
fn goes_round(path: &[Coord]) -> bool {
    (path[path.len() - 1].x - path[0].x).abs() > 180.0
}

fn width(path: &[Coord]) -> f64 {
    let (west, east) = range(path);
    east - west
}

/// Takes long edges the short way, but those that `is_real`.
fn unwrap(path: &[Coord], is_real: impl Fn(Coord, Coord) -> bool) -> Vec<Coord> {
    let mut turns = 0.0;
    let mut previous: Option<Coord> = None;
    let step = |at: &Coord| {
        if let Some(from) = previous.replace(*at)
            && is_long(from, *at)
            && !is_real(from, *at)
        {
            turns -= ((at.x - from.x) / 360.0).round();
        }
        Coord { x: at.x + 360.0 * turns, y: at.y }
    };
    path.iter().map(step).collect()
}

/// Whether a ring of a few vertices looks like a scene on the antimeridian, or over a pole.
fn is_plausible(unwrapped: &[Coord]) -> bool {
    let width = width(unwrapped);
    let (south, north) = unwrapped.iter().fold((f64::MAX, f64::MIN), |(s, n), c| (s.min(c.y), n.max(c.y)));
    let height = north - south;
    if goes_round(unwrapped) {
        return south > 0.0 || north < 0.0;
    }
    let is_sliver = height >= 20.0 * width || (height >= 20.0 && height >= 4.0 * width);
    width <= 45.0 && height <= 45.0 && !is_sliver
}
