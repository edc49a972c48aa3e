//! `ST_StartPoint(g)` and `ST_EndPoint(g)`: where a line begins and ends.

use datafusion::logical_expr::ScalarUDF;
use geo::{Geometry, LineString, Point};

use crate::geometry_function::{Makes, geometry_function};

/// `ST_StartPoint(g) -> WKB` and `ST_EndPoint(g) -> WKB`: the first and the last position of a line (WKB or any GeoArrow
/// type). Null of null, of an empty line, and of anything else.
///
/// They take the place of geodatafusion's, which panic of an empty line.
pub fn st_line_end_udfs() -> [ScalarUDF; 2] {
    [
        geometry_function("st_startpoint", &[], Makes::Part(|geometry| line(geometry)?.0.first().copied().map(at))),
        geometry_function("st_endpoint", &[], Makes::Part(|geometry| line(geometry)?.0.last().copied().map(at))),
    ]
}

fn line(geometry: &Geometry) -> Option<&LineString> {
    if let Geometry::LineString(line) = geometry { Some(line) } else { None }
}

fn at(position: geo::Coord) -> Geometry {
    Point(position).into()
}
