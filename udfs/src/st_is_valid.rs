//! `ST_IsValid(g)`: whether a geometry is valid.

use datafusion::logical_expr::ScalarUDF;
use geo::{Area, Geometry, Polygon, Validation};

use crate::geometry_function::{Makes, geometry_function};
use crate::geometry_parts::GeometryParts;

/// `ST_IsValid(g) -> Boolean`: whether a geometry (WKB or any GeoArrow type) is valid as OGC's Simple Features have it. Null of
/// null.
///
/// It takes the place of geodatafusion's, which fails on an empty point, and takes a polygon without an area for valid.
pub fn st_is_valid_udf() -> ScalarUDF {
    geometry_function("st_isvalid", &[], Makes::Truth(is_valid))
}

/// Whether a geometry is valid.
pub(crate) fn is_valid(geometry: &Geometry) -> bool {
    let has_area = |polygon: &Polygon| polygon.exterior().0.is_empty() || polygon.unsigned_area() > 0.0;
    geometry.is_valid() && GeometryParts::from(geometry.clone()).polygons.iter().all(has_area)
}

#[cfg(test)]
mod tests {
    use wkt::TryFromWkt;

    use super::*;

    #[test]
    fn geometries_are_valid_where_shapely_says_so() {
        // shapely 2.1.2: is_valid
        for (wkt, expected) in [
            ("POINT(1 2)", true),
            ("GEOMETRYCOLLECTION EMPTY", true),
            ("POLYGON EMPTY", true),
            ("LINESTRING(0 0,1 1,0 0)", true),
            ("LINESTRING(0 0,0 0)", false),
            ("POLYGON((0 0,2 2,2 0,0 2,0 0))", false),
            ("POLYGON((0 0,1 1,2 2,0 0))", false),
            ("POLYGON((0 0,4 0,4 4,0 4,0 0),(0 0,1 1,2 1,0 0))", true),
            ("POLYGON((0 0,4 0,4 4,0 4,0 0),(0 1,0 2,1 2,0 1))", false),
            ("MULTIPOLYGON(((0 0,2 0,2 2,0 2,0 0)),((2 0,4 0,4 2,2 2,2 0)))", false),
            ("MULTIPOLYGON(((0 0,2 0,2 2,0 2,0 0)),((2 2,4 2,4 4,2 4,2 2)))", true),
        ] {
            assert_eq!(is_valid(&Geometry::try_from_wkt_str(wkt).unwrap()), expected, "{wkt}");
        }
    }
}
