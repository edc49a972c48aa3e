//! The points, lines and polygons that a geometry consists of.

use geo::{Geometry, Line, LineString, Point, Polygon};

/// What a geometry consists of, however it is nested. Empty lines and polygons are left out.
#[derive(Debug, Default)]
pub(crate) struct GeometryParts {
    pub points: Vec<Point>,
    pub lines: Vec<LineString>,
    pub polygons: Vec<Polygon>,
}

impl GeometryParts {
    pub(crate) fn add(&mut self, geometry: Geometry) {
        match geometry {
            Geometry::Point(point) => self.points.push(point),
            Geometry::MultiPoint(points) => self.points.extend(points),
            Geometry::Line(line) => self.lines.push(line.into()),
            Geometry::LineString(line) => self.lines.extend(Some(line).filter(|line| !line.0.is_empty())),
            Geometry::MultiLineString(lines) => lines.into_iter().for_each(|line| self.add(line.into())),
            Geometry::Polygon(polygon) => {
                self.polygons.extend(Some(polygon).filter(|polygon| !polygon.exterior().0.is_empty()));
            }
            Geometry::MultiPolygon(polygons) => polygons.into_iter().for_each(|polygon| self.add(polygon.into())),
            Geometry::Rect(rect) => self.polygons.push(rect.to_polygon()),
            Geometry::Triangle(triangle) => self.polygons.push(triangle.to_polygon()),
            Geometry::GeometryCollection(members) => members.into_iter().for_each(|member| self.add(member)),
        }
    }

    /// The outlines and the holes of the polygons.
    pub(crate) fn rings(&self) -> impl Iterator<Item = &LineString> {
        self.polygons.iter().flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()))
    }

    /// The edges of lines and rings. A line of one position has one, of no length; so has each point.
    pub(crate) fn edges(&self) -> impl Iterator<Item = Line> {
        let alone = |line: &&LineString| line.0.len() == 1;
        let lone_ends = self.lines.iter().chain(self.rings()).filter(alone).map(|line| line.0[0]);
        let points = self.points.iter().map(|point| point.0).chain(lone_ends).map(|at| Line::new(at, at));
        self.lines.iter().chain(self.rings()).flat_map(LineString::lines).chain(points)
    }
}

impl From<Geometry> for GeometryParts {
    fn from(geometry: Geometry) -> Self {
        let mut parts = Self::default();
        parts.add(geometry);
        parts
    }
}
