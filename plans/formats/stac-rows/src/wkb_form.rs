//! WKB, looked through before the `wkb` crate reads it.
//!
//! That crate takes the points of a MultiPoint for as long as its first and in its byte order, and panics when one that
//! says something else is asked for.

use geo::{Geometry, GeometryCollection, LineString, MultiPoint, MultiPolygon, Point, Polygon};
use geo_traits::to_geo::{ToGeoCoord, ToGeoLineString, ToGeoMultiLineString, ToGeoMultiPolygon, ToGeoPolygon};
use geo_traits::{GeometryCollectionTrait, GeometryTrait, GeometryType, MultiPointTrait, PointTrait};
use thiserror::Error;
use wkb::writer::{WriteOptions, write_geometry};

use super::geoparquet::WkbError;

/// Depth of collections within collections.
const MAX_DEPTH: usize = 32;

const POINT: u32 = 1;
const MULTI_POINT: u32 = 4;

/// Why bytes are not read as a geometry.
#[derive(Debug, Error)]
pub enum UnreadableWkb {
    #[error(transparent)]
    Form(#[from] WkbError),
    #[error(transparent)]
    Geometry(#[from] wkb::error::WkbError),
}

/// Reads ISO WKB or EWKB. Whatever the bytes are, what is made of them can be looked at without a panic.
pub fn read_wkb(bytes: &[u8]) -> Result<wkb::reader::Wkb<'_>, UnreadableWkb> {
    Walker { rest: bytes }.geometry(MAX_DEPTH, None)?;
    Ok(wkb::reader::read_wkb(bytes)?)
}

/// The geometry that WKB has, in two dimensions; parts without a position are left out.
///
/// Errors: bytes that are no WKB.
pub fn geometry_from_wkb(bytes: &[u8]) -> Result<Geometry, UnreadableWkb> {
    read_wkb(bytes).map(|geometry| to_geo(&geometry))
}

fn to_geo(geometry: &impl GeometryTrait<T = f64>) -> Geometry {
    match geometry.as_type() {
        GeometryType::Point(point) => match position(point) {
            Some(point) => point.into(),
            None => Geometry::GeometryCollection(GeometryCollection::default()),
        },
        GeometryType::LineString(line) => line.to_line_string().into(),
        GeometryType::Polygon(polygon) => polygon.to_polygon().into(),
        GeometryType::MultiPoint(points) => MultiPoint(points.points().filter_map(|p| position(&p)).collect()).into(),
        GeometryType::MultiLineString(lines) => lines.to_multi_line_string().into(),
        GeometryType::MultiPolygon(polygons) => polygons.to_multi_polygon().into(),
        GeometryType::GeometryCollection(members) => {
            Geometry::GeometryCollection(members.geometries().map(|g| to_geo(&g)).collect())
        }
        // WKB has none of these.
        GeometryType::Rect(_) | GeometryType::Triangle(_) | GeometryType::Line(_) => {
            LineString::<f64>::new(vec![]).into()
        }
    }
}

fn position(point: &impl PointTrait<T = f64>) -> Option<Point> {
    point.coord().map(|c| Point(c.to_coord())).filter(|p| !(p.x().is_nan() && p.y().is_nan()))
}

/// A geometry as little-endian ISO WKB.
///
/// Errors: a kind of geometry that WKB does not have.
pub fn wkb_from_geometry(geometry: &Geometry) -> Result<Vec<u8>, wkb::error::WkbError> {
    let mut bytes = vec![];
    let options = WriteOptions::default();
    match has_lone_holes(geometry) {
        true => write_geometry(&mut bytes, &without_lone_holes(geometry), &options)?,
        false => write_geometry(&mut bytes, geometry, &options)?,
    }
    Ok(bytes)
}

/// Whether a polygon has holes and no outline. The `wkb` crate writes such holes, and does not count them.
fn has_lone_holes(geometry: &Geometry) -> bool {
    let is_lone = |polygon: &Polygon| polygon.exterior().0.is_empty() && !polygon.interiors().is_empty();
    match geometry {
        Geometry::Polygon(polygon) => is_lone(polygon),
        Geometry::MultiPolygon(polygons) => polygons.iter().any(is_lone),
        Geometry::GeometryCollection(members) => members.iter().any(has_lone_holes),
        _ => false,
    }
}

/// The same, where a polygon without an outline is empty.
fn without_lone_holes(geometry: &Geometry) -> Geometry {
    let of_polygon = |polygon: &Polygon| match polygon.exterior().0.is_empty() {
        true => Polygon::new(LineString::new(vec![]), vec![]),
        false => polygon.clone(),
    };
    match geometry {
        Geometry::Polygon(polygon) => of_polygon(polygon).into(),
        Geometry::MultiPolygon(polygons) => MultiPolygon(polygons.iter().map(of_polygon).collect()).into(),
        Geometry::GeometryCollection(members) => {
            Geometry::GeometryCollection(members.iter().map(without_lone_holes).collect())
        }
        other => other.clone(),
    }
}

/// Steps over geometries.
struct Walker<'a> {
    rest: &'a [u8],
}

#[derive(Clone, Copy, PartialEq)]
struct Header {
    big_endian: bool,
    kind: u32,
    ordinates: usize,
    has_srid: bool,
}

impl Walker<'_> {
    fn geometry(&mut self, depth: usize, parent: Option<Header>) -> Result<(), WkbError> {
        let depth = depth.checked_sub(1).ok_or(WkbError::TooDeep)?;
        let header = self.header()?;
        let is_part = parent.is_none_or(|parent| match parent.kind {
            MULTI_POINT => header == Header { kind: POINT, has_srid: false, ..parent },
            5 | 6 => header.kind + 3 == parent.kind,
            _ => true,
        });
        if !is_part {
            return Err(WkbError::Part);
        }
        match header.kind {
            POINT => self.pass(1, header),
            2 => self.positions(header),
            3 => (0..self.u32(header)?).try_for_each(|_| self.positions(header)),
            4..=7 => (0..self.u32(header)?).try_for_each(|_| self.geometry(depth, Some(header))),
            other => Err(WkbError::Type(other)),
        }
    }

    fn positions(&mut self, header: Header) -> Result<(), WkbError> {
        let n = self.u32(header)?;
        self.pass(n, header)
    }

    fn pass(&mut self, positions: u32, header: Header) -> Result<(), WkbError> {
        let bytes = (positions as usize).checked_mul(8 * header.ordinates).ok_or(WkbError::EndsEarly)?;
        self.rest = self.rest.get(bytes..).ok_or(WkbError::EndsEarly)?;
        Ok(())
    }

    fn header(&mut self) -> Result<Header, WkbError> {
        let big_endian = match self.take::<1>()?[0] {
            0 => true,
            1 => false,
            other => return Err(WkbError::ByteOrder(other)),
        };
        let code = read_u32(self.take()?, big_endian);
        let has_srid = code & 0x2000_0000 != 0;
        if has_srid {
            self.take::<4>()?;
        }
        let (z, m, code) = (code & 0x8000_0000 != 0, code & 0x4000_0000 != 0, code & 0x0fff_ffff);
        let (z, m) = (z || matches!(code / 1000, 1 | 3), m || matches!(code / 1000, 2 | 3));
        let ordinates = 2 + usize::from(z) + usize::from(m);
        if code / 1000 > 3 {
            return Err(WkbError::Type(code));
        }
        Ok(Header { big_endian, kind: code % 1000, ordinates, has_srid })
    }

    fn u32(&mut self, header: Header) -> Result<u32, WkbError> {
        Ok(read_u32(self.take()?, header.big_endian))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], WkbError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(WkbError::EndsEarly)?;
        self.rest = rest;
        Ok(*head)
    }
}

fn read_u32(bytes: [u8; 4], big_endian: bool) -> u32 {
    if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_point_is_an_empty_geometry() {
        let nan = f64::NAN.to_le_bytes();
        let empty = [&[1, 1, 0, 0, 0][..], &nan, &nan].concat();
        assert!(geo::HasDimensions::is_empty(&geometry_from_wkb(&empty).unwrap()));
    }

    #[test]
    fn holes_without_an_outline_leave_what_follows_them_readable() {
        let line = |positions: &[(f64, f64)]| positions.iter().copied().map(geo::Coord::from).collect::<LineString>();
        let triangle = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)];
        let whole = Polygon::new(line(&triangle), vec![]);
        for hole in [line(&[]), line(&triangle)] {
            let lone = Polygon::new(line(&[]), vec![hole]);
            let polygons = MultiPolygon(vec![lone.clone(), whole.clone()]);
            let collection = Geometry::GeometryCollection(GeometryCollection(vec![
                lone.into(),
                polygons.into(),
                Point::new(7.0, 8.0).into(),
            ]));
            let read = geometry_from_wkb(&wkb_from_geometry(&collection).unwrap()).unwrap();
            let Geometry::GeometryCollection(members) = read else { panic!("{read:?}") };
            assert!(geo::HasDimensions::is_empty(&members[0]), "{members:?}");
            let Geometry::MultiPolygon(polygons) = &members[1] else { panic!("{members:?}") };
            assert_eq!(polygons.0[1], whole);
            assert_eq!(members[2], Point::new(7.0, 8.0).into());
        }
    }

    #[test]
    fn a_point_of_a_multi_point_that_says_something_else_is_refused() {
        let header = |code: u32| [&[1][..], &code.to_le_bytes()].concat();
        let point = |code: u32| [header(code), vec![0; 16]].concat();
        let points = |second: Vec<u8>| [header(4), 2u32.to_le_bytes().to_vec(), point(1), second].concat();
        assert!(read_wkb(&points(point(1))).is_ok());
        // With an SRID, for which there is no room: once this was a panic when the point was asked for.
        assert!(read_wkb(&points(point(0x2000_0001))).is_err());
        // A LineString, with a height, in the other byte order, cut off.
        assert!(read_wkb(&points(point(2))).is_err());
        assert!(read_wkb(&points([point(1001), vec![0; 8]].concat())).is_err());
        assert!(read_wkb(&points([&[0, 0, 0, 0, 1][..], &[0; 16]].concat())).is_err());
        assert!(read_wkb(&points(point(1)[..20].to_vec())).is_err());
    }
}
