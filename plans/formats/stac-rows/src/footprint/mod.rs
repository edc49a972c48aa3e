//! The one reading of a footprint: the area on the sphere, as RFC 7946 draws it.
//!
//! Sources write a scene over the antimeridian, or round a pole, in several ways: with a ring that jumps from 179 to
//! -179, with longitudes beyond 180, cut in two, closed along the pole or not at all. [`drawn`] gives what is meant
//! with all longitudes from -180 to 180 and all edges straight as written: cut at the antimeridian and closed along
//! the pole (RFC 7946, section 3.1.9). What reads a geometry afterwards (cells, bounds, ST_ functions, other programs)
//! needs no rule of its own.
//!
//! - `reading`: which of its possible readings a ring or a line has.
//! - `cut`: polygons and lines cut at meridians, their positions exact.
//! - `region`: rings that meet themselves after a turn of the globe, for which the plane is no model.

mod cut;
mod reading;
mod region;
#[cfg(test)]
mod tests;

use geo::{Coord, CoordsIter, Geometry, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon, Rect};
use thiserror::Error;

use self::reading::{Reader, Ring};

/// Latitudes beyond a pole by up to so many degrees are the pole: cells of global grids are registered at their
/// middle. Beyond that, they are no degrees.
const BEYOND_POLE: f64 = 0.5;

/// Longitudes beyond one and a half turns are no degrees.
const BEYOND_TURNS: f64 = 540.0;

/// West, south, east and north in degrees, as a member `bbox` has them: over the antimeridian with west > east.
pub type Corners = [f64; 4];

/// A geometry that is no area of the globe.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum NotDrawn {
    /// A position that is none on the globe.
    #[error("its position [{}, {}] is not in degrees of longitude and latitude", short(.x), short(.y))]
    NotDegrees { x: f64, y: f64 },
    /// A polygon wider than the globe, or round a pole, that is no outline of anything.
    #[error("it goes round the globe, and its edges cross each other thousands of times")]
    Tangled,
}

/// A number with an exponent, where it has hundreds of digits without.
fn short(number: &f64) -> String {
    let is_plain = *number == 0.0 || (1e-7..1e17).contains(&number.abs());
    if is_plain { number.to_string() } else { format!("{number:e}") }
}

/// A geometry as RFC 7946 draws it.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// In two dimensions, longitudes from -180 to 180, latitudes from -90 to 90.
    pub geometry: Geometry,
    /// Whether a ring or a line could also be read in another way, and nothing decided.
    pub guessed: bool,
}

/// Whether a geometry with these bounds (west, south, east, north of its positions) is drawn already, whatever else it is:
/// no edge is longer than 180 degrees, and no position off the globe.
pub fn is_drawn([west, south, east, north]: Corners) -> bool {
    west >= -180.0 && east <= 180.0 && south >= -90.0 && north <= 90.0 && east - west <= 180.0
}

/// West, south, east and north of all positions, also of holes that lie outside; `None` if there is none.
pub fn bounds(geometry: &Geometry) -> Option<Corners> {
    let wider =
        |[west, south, east, north]: Corners, c: Coord| [west.min(c.x), south.min(c.y), east.max(c.x), north.max(c.y)];
    geometry.coords_iter().map(|c| [c.x, c.y, c.x, c.y]).reduce(|a, c| wider(a, Coord { x: c[0], y: c[1] }))
}

/// The geometry as RFC 7946 draws it; `None` if it is drawn so already. `bbox` is what its source says of its bounds.
///
/// Errors: a position that is not in degrees; a polygon round the globe whose edges cross each other thousands of times.
pub fn drawn(geometry: &Geometry, bbox: Option<Corners>) -> Result<Option<Drawn>, NotDrawn> {
    let Some(bounds) = bounds(geometry) else { return Ok(None) };
    if is_drawn(bounds) {
        return Ok(None);
    }
    if let Some(Coord { x, y }) = geometry.coords_iter().find(is_off) {
        return Err(NotDrawn::NotDegrees { x, y });
    }
    let mut reader = Reader::new(bbox, bounds);
    let redrawn = redraw(geometry, &mut reader)?;
    Ok((redrawn != *geometry).then_some(Drawn { geometry: redrawn, guessed: reader.guessed }))
}

/// A place of a question as RFC 7946 draws it. What cannot be drawn stays as it is.
pub fn drawn_place(place: Geometry) -> Geometry {
    match drawn(&place, None) {
        Ok(Some(drawn)) => drawn.geometry,
        Ok(None) | Err(_) => place,
    }
}

/// A box as RFC 7946 draws it: over the antimeridian with west > east. Without width or height it is a line or a point.
/// What is not in degrees stays in the plane.
pub fn drawn_box([west, south, east, north]: Corners) -> Geometry {
    let (from, to) = (Coord { x: west, y: south }, Coord { x: east, y: north });
    if [from, to].iter().any(is_off) {
        return Rect::new(from, to).to_polygon().into();
    }
    let (from, to) = (reading::snapped(from), reading::snapped(to));
    let to = if from.x > to.x { Coord { x: to.x + 360.0, y: to.y } } else { to };
    let (from, to) = match to.x - from.x > 360.0 {
        true => (Coord { x: -180.0, y: from.y }, Coord { x: 180.0, y: to.y }),
        false => (from, to),
    };
    match (from.x == to.x, from.y == to.y) {
        (true, true) => Point(on_globe(from)).into(),
        (false, false) => {
            one_or_many(cut::polygon(Rect::new(from, to).to_polygon().exterior().0.clone(), vec![]), MultiPolygon)
        }
        _ => one_or_many(cut::line(vec![from, to]), MultiLineString),
    }
}

fn one_or_many<One, Many>(mut parts: Vec<One>, many: impl Fn(Vec<One>) -> Many) -> Geometry
where
    Geometry: From<One> + From<Many>,
{
    if parts.len() == 1 { parts.remove(0).into() } else { many(parts).into() }
}

fn redraw(geometry: &Geometry, reader: &mut Reader) -> Result<Geometry, NotDrawn> {
    Ok(match geometry {
        Geometry::Point(point) => Point(on_globe(point.0)).into(),
        Geometry::MultiPoint(points) => MultiPoint(points.iter().map(|p| Point(on_globe(p.0))).collect()).into(),
        Geometry::LineString(line) => one_or_many(redraw_line(line, reader), MultiLineString),
        Geometry::MultiLineString(lines) => {
            MultiLineString(lines.iter().flat_map(|line| redraw_line(line, reader)).collect()).into()
        }
        Geometry::Polygon(polygon) => one_or_many(redraw_polygon(polygon, reader)?, MultiPolygon),
        Geometry::MultiPolygon(polygons) => {
            let mut parts = vec![];
            for polygon in polygons {
                parts.extend(redraw_polygon(polygon, reader)?);
            }
            MultiPolygon(parts).into()
        }
        Geometry::GeometryCollection(members) => {
            let members = members.iter().map(|member| redraw(member, reader));
            Geometry::GeometryCollection(members.collect::<Result<_, _>>()?)
        }
        // Neither GeoJSON nor WKB has one of these.
        Geometry::Line(_) | Geometry::Rect(_) | Geometry::Triangle(_) => geometry.clone(),
    })
}

/// Whether a position is on no globe.
fn is_off(at: &Coord) -> bool {
    // Also if it is no number.
    !(at.x.abs() <= BEYOND_TURNS && at.y.abs() <= 90.0 + BEYOND_POLE)
}

/// The position with a longitude from -180 to 180.
fn on_globe(at: Coord) -> Coord {
    let at = reading::snapped(at);
    let turns = if at.x.abs() <= 180.0 { 0.0 } else { ((at.x + 180.0) / 360.0).floor() };
    Coord { x: at.x - 360.0 * turns, y: at.y }
}

fn redraw_line(line: &LineString, reader: &mut Reader) -> Vec<LineString> {
    let path = reader.line(&line.0);
    if path.is_empty() { vec![line.clone()] } else { cut::line(path) }
}

fn redraw_polygon(polygon: &Polygon, reader: &mut Reader) -> Result<Vec<Polygon>, NotDrawn> {
    let Some(exterior) = reader.ring(&polygon.exterior().0, false) else { return Ok(vec![polygon.clone()]) };
    let holes: Vec<Ring> = polygon.interiors().iter().filter_map(|hole| reader.ring(&hole.0, true)).collect();
    if let Some(cap) = exterior.as_cap().filter(|_| holes.is_empty()) {
        return Ok(vec![cap]);
    }
    let is_flat = |ring: &Ring| {
        let (west, east) = reading::range(&ring.path);
        ring.turns == 0 && (east - west < 360.0 || west >= -180.0 && east <= 180.0)
    };
    if is_flat(&exterior) && holes.iter().all(is_flat) {
        Ok(cut::polygon(exterior.path, holes.into_iter().map(|hole| hole.path).collect()))
    } else {
        region::polygons(exterior, holes).ok_or(NotDrawn::Tangled)
    }
}
