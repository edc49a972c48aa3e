//! `ST_MakeValid(g)`: a geometry whose polygons do not cross themselves.

use datafusion::logical_expr::ScalarUDF;
use geo::{Geometry, MultiPolygon, Polygon};

use crate::dissolve::even_odd;
use crate::geometry_function::{Makes, geometry_function};
use crate::st_is_valid::is_valid;

/// `ST_MakeValid(g) -> WKB`: the geometry with polygons that are valid: of one that is not, what lies within an odd number of
/// its rings. A bow-tie becomes two triangles.
///
/// What is valid stays as it is, and so do points and lines. A polygon without an area becomes an empty one, where PostGIS
/// makes a line of it. The argument is WKB or any GeoArrow type. Null for null.
pub fn st_make_valid_udf() -> ScalarUDF {
    geometry_function("st_makevalid", &[], Makes::Changed(made_valid))
}

/// `None` if there is nothing to do.
fn made_valid(geometry: &Geometry) -> Option<Geometry> {
    match geometry {
        Geometry::Polygon(polygon) if !is_valid(geometry) => {
            Some(simplest(even_odd(&MultiPolygon(vec![polygon.clone()]))))
        }
        Geometry::MultiPolygon(polygons) if !is_valid(geometry) => Some(even_odd(polygons).into()),
        Geometry::GeometryCollection(members) => {
            let made: Vec<_> = members.iter().map(made_valid).collect();
            made.iter().any(Option::is_some).then(|| {
                let each = made.into_iter().zip(members).map(|(made, member)| made.unwrap_or_else(|| member.clone()));
                Geometry::GeometryCollection(each.collect())
            })
        }
        _ => None,
    }
}

/// One polygon as such.
pub(crate) fn simplest(mut polygons: MultiPolygon) -> Geometry {
    match polygons.0.len() {
        0 => Polygon::empty().into(),
        1 => polygons.0.remove(0).into(),
        _ => polygons.into(),
    }
}

#[cfg(test)]
mod tests {
    use geo::Area;
    use wkt::TryFromWkt;

    use super::*;

    fn read(wkt: &str) -> Geometry {
        Geometry::try_from_wkt_str(wkt).unwrap()
    }

    #[test]
    fn polygons_become_valid_and_have_the_area_that_shapely_says() {
        // shapely 2.1.2: make_valid(g).area, and the number of polygons in it
        for (wkt, expected, polygons) in [
            ("POLYGON((0 0,2 2,2 0,0 2,0 0))", 2.0, 2),
            ("POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,3 1,3 3,1 3,1 1),(2 2,5 2,5 5,2 5,2 2))", 15.0, 3),
            ("POLYGON((0 0,10 0,15 5,10 0,10 10,0 10,0 0))", 100.0, 1),
            ("MULTIPOLYGON(((0 0,2 0,2 2,0 2,0 0)),((1 1,3 1,3 3,1 3,1 1)))", 6.0, 2),
            ("GEOMETRYCOLLECTION(POINT(9 9),POLYGON((0 0,2 2,2 0,0 2,0 0)))", 2.0, 2),
        ] {
            let made = made_valid(&read(wkt)).unwrap();
            assert!(is_valid(&made), "{wkt}: {made:?}");
            assert!((made.unsigned_area() - expected).abs() < 1e-9, "{wkt}: {made:?}");
            assert_eq!(crate::geometry_parts::GeometryParts::from(made).polygons.len(), polygons, "{wkt}");
        }
    }

    #[test]
    fn what_is_valid_or_has_no_area_stays() {
        for wkt in [
            "POINT(1 2)",
            "LINESTRING(0 0,0 0)",
            "POLYGON((0 0,1 0,1 1,0 0))",
            "POLYGON EMPTY",
            "GEOMETRYCOLLECTION EMPTY",
        ] {
            assert_eq!(made_valid(&read(wkt)), None, "{wkt}");
        }
        assert_eq!(made_valid(&read("POLYGON((0 0,1 1,2 2,0 0))")), Some(Polygon::empty().into()));
    }
}
