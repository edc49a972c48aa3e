//! `ST_Envelope(g)`: the box round a geometry.

use datafusion::logical_expr::ScalarUDF;
use earthcatalog_stac_rows::footprint::bounds;
use geo::{Coord, Geometry, Line, LineString, Point, Rect};

use crate::geometry_function::{Makes, geometry_function};

/// `ST_Envelope(g) -> WKB`: the smallest box with sides along the axes that holds a geometry, as a polygon; without width or height a
/// line or a point.
///
/// The argument is WKB or any GeoArrow type. An empty geometry stays as it is. Null for null.
pub fn st_envelope_udf() -> ScalarUDF {
    geometry_function("st_envelope", &[], Makes::Changed(envelope))
}

/// `None` if it is empty.
pub(crate) fn envelope(geometry: &Geometry) -> Option<Geometry> {
    let [west, south, east, north] = bounds(geometry)?;
    let (low, high) = (Coord { x: west, y: south }, Coord { x: east, y: north });
    Some(match (west == east, south == north) {
        (true, true) => Point(low).into(),
        (false, false) => Rect::new(low, high).to_polygon().into(),
        _ => LineString::from(Line::new(low, high)).into(),
    })
}

#[cfg(test)]
mod tests {
    use wkt::{ToWkt, TryFromWkt};

    use super::*;

    #[test]
    fn an_envelope_is_a_polygon_where_it_has_two_extents() {
        for (wkt, expected) in [
            ("POLYGON((0 0,2 1,1 3,0 0))", "POLYGON((2 0,2 3,0 3,0 0,2 0))"),
            ("MULTIPOINT(-180 -5,180 5)", "POLYGON((180 -5,180 5,-180 5,-180 -5,180 -5))"),
            ("POINT(1 2)", "POINT(1 2)"),
            ("LINESTRING(0 5,3 5,1 5)", "LINESTRING(0 5,3 5)"),
            ("LINESTRING(5 0,5 3)", "LINESTRING(5 0,5 3)"),
        ] {
            let made = envelope(&Geometry::try_from_wkt_str(wkt).unwrap()).unwrap();
            assert_eq!(made.wkt_string(), expected, "{wkt}");
        }
        assert_eq!(envelope(&Geometry::try_from_wkt_str("POLYGON EMPTY").unwrap()), None);
    }
}
