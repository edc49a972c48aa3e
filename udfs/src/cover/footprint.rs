//! A geometry taken apart into points, lines and polygons.

use geo::Coord;
use geo_traits::{
    CoordTrait, GeometryCollectionTrait, GeometryTrait, GeometryType, LineStringTrait, MultiLineStringTrait,
    MultiPointTrait, MultiPolygonTrait, PointTrait, PolygonTrait,
};
use thiserror::Error;

use super::ring::{self, Ring};

/// Bytes that are no geometry.
#[derive(Debug, Error)]
#[error("geometry is not readable as WKB: {0}")]
pub struct FootprintError(String);

/// The points, lines and polygons of a geometry, in degrees.
///
/// Edges are straight as written: what a source means by a ring over the antimeridian, or round a pole, was read before
/// ([`earthcatalog_stac_rows::footprint`]). Positions that are not finite are left out, latitudes beyond a pole are the
/// pole, and a third or fourth ordinate is ignored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Footprint {
    pub(super) points: Vec<Coord>,
    pub(super) lines: Vec<Vec<Coord>>,
    /// The rings of each polygon, its exterior first; what is inside an odd number of them is inside.
    pub(super) polygons: Vec<Vec<Ring>>,
}

impl Footprint {
    /// Reads ISO WKB or EWKB, 2-D or with Z and M.
    pub fn from_wkb(wkb: &[u8]) -> Result<Self, FootprintError> {
        let geometry = earthcatalog_stac_rows::read_wkb(wkb).map_err(|e| FootprintError(e.to_string()))?;
        let mut footprint = Self::default();
        footprint.add(&geometry);
        Ok(footprint)
    }

    /// The footprint of a geometry that is at hand.
    pub fn from_geometry(geometry: &geo::Geometry) -> Self {
        let mut footprint = Self::default();
        footprint.add(geometry);
        footprint
    }

    /// Whether the geometry has no position at all.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty() && self.lines.is_empty() && self.polygons.is_empty()
    }

    pub(super) fn add(&mut self, geometry: &impl GeometryTrait<T = f64>) {
        match geometry.as_type() {
            GeometryType::Point(point) => self.add_point(point),
            GeometryType::LineString(line) => self.add_line(line),
            GeometryType::Polygon(polygon) => self.add_polygon(polygon),
            GeometryType::MultiPoint(points) => points.points().for_each(|p| self.add_point(&p)),
            GeometryType::MultiLineString(lines) => lines.line_strings().for_each(|l| self.add_line(&l)),
            GeometryType::MultiPolygon(polygons) => polygons.polygons().for_each(|p| self.add_polygon(&p)),
            GeometryType::GeometryCollection(members) => members.geometries().for_each(|g| self.add(&g)),
            // WKB has none of these.
            GeometryType::Rect(_) | GeometryType::Triangle(_) | GeometryType::Line(_) => {}
        }
    }

    fn add_point(&mut self, point: &impl PointTrait<T = f64>) {
        self.points.extend(point.coord().and_then(|c| ring::position(c.x(), c.y())));
    }

    fn add_line(&mut self, line: &impl LineStringTrait<T = f64>) {
        let path = positions(line);
        if !path.is_empty() {
            self.lines.push(path);
        }
    }

    fn add_polygon(&mut self, polygon: &impl PolygonTrait<T = f64>) {
        let Some(exterior) = polygon.exterior().and_then(|r| Ring::new(positions(&r))) else { return };
        let holes = polygon.interiors().filter_map(|r| Ring::new(positions(&r)));
        self.polygons.push(std::iter::once(exterior).chain(holes).collect());
    }
}

fn positions(line: &impl LineStringTrait<T = f64>) -> Vec<Coord> {
    line.coords().filter_map(|c| ring::position(c.x(), c.y())).collect()
}
