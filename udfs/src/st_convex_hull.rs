//! `ST_ConvexHull(g)` and `ST_OrientedEnvelope(g)`: what holds a geometry closely.

use datafusion::logical_expr::ScalarUDF;
use geo::{ConvexHull, CoordsIter, Geometry, HasDimensions, Line, LineString, MinimumRotatedRect, Point};

use crate::geometry_function::{Makes, geometry_function};

/// `ST_ConvexHull(g) -> WKB` and `ST_OrientedEnvelope(g) -> WKB`: the smallest convex polygon that holds a geometry, and the
/// rectangle of least area, as PostGIS has them; of positions on a line a line, of one position a point.
///
/// The argument is WKB or any GeoArrow type. An empty geometry stays as it is. Null for null.
///
/// They take the place of geodatafusion's, which make polygons without an area of these, or null, and fail on empty points.
pub fn st_convex_hull_udfs() -> [ScalarUDF; 2] {
    [
        geometry_function("st_convexhull", &[], Makes::Changed(convex_hull)),
        geometry_function("st_orientedenvelope", &[], Makes::Changed(oriented_envelope)),
    ]
}

fn convex_hull(geometry: &Geometry) -> Option<Geometry> {
    if geometry.is_empty() {
        return None;
    }
    let hull = geometry.convex_hull();
    let mut corners: Vec<_> = hull.exterior().coords().copied().collect();
    corners.sort_unstable_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    corners.dedup();
    Some(match corners[..] {
        [at] => Point(at).into(),
        [from, to] => LineString::from(Line::new(from, to)).into(),
        _ => hull.into(),
    })
}

fn oriented_envelope(geometry: &Geometry) -> Option<Geometry> {
    match convex_hull(geometry)? {
        Geometry::Polygon(hull) => {
            hull.minimum_rotated_rect().filter(|rect| rect.coords_count() > 3).map(Geometry::from)
        }
        lesser => Some(lesser),
    }
}

#[cfg(test)]
mod tests {
    use geo::Area;
    use wkt::{ToWkt, TryFromWkt};

    use super::*;

    fn read(wkt: &str) -> Geometry {
        Geometry::try_from_wkt_str(wkt).unwrap()
    }

    #[test]
    fn a_hull_without_an_area_is_a_line_or_a_point() {
        // PostGIS 3.4
        for (wkt, expected) in [
            ("POINT(1 2)", "POINT(1 2)"),
            ("MULTIPOINT(1 2,1 2)", "POINT(1 2)"),
            ("LINESTRING(0 0,1 1)", "LINESTRING(0 0,1 1)"),
            ("LINESTRING(0 0,1 1,2 2)", "LINESTRING(0 0,2 2)"),
            ("LINESTRING(0 0,5 0,3 0,9 0)", "LINESTRING(0 0,9 0)"),
        ] {
            assert_eq!(convex_hull(&read(wkt)).unwrap().wkt_string(), expected, "{wkt}");
            assert_eq!(oriented_envelope(&read(wkt)).unwrap().wkt_string(), expected, "{wkt}");
        }
        for made in [convex_hull, oriented_envelope] {
            assert_eq!(made(&read("POLYGON EMPTY")), None);
            assert_eq!(made(&read("GEOMETRYCOLLECTION EMPTY")), None);
        }
    }

    #[test]
    fn a_hull_has_the_area_that_shapely_says() {
        let dented = read("POLYGON((0 0,2 0,2 1,1 0.5,0 1,0 0))");
        assert_eq!(convex_hull(&dented).unwrap().unsigned_area(), 2.0);
        let turned = oriented_envelope(&read("POLYGON((0 0,1 1,0 2,-1 1,0 0))")).unwrap();
        assert!((turned.unsigned_area() - 2.0).abs() < 1e-12, "{}", turned.wkt_string());
    }
}
