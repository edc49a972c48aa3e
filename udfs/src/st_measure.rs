//! `ST_LengthSpheroid(g)`, `ST_PerimeterSpheroid(g)`, `ST_AreaSpheroid(g)` on the globe, and `ST_Perimeter(g)` in the plane.

use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;
use geo::{Euclidean, Geometry, Length};

use crate::geometry_function::{Makes, geometry_function};
use crate::geometry_parts::GeometryParts;
use crate::globe;

/// Measures of a geometry (WKB or any GeoArrow type) as Float64, null for null:
///
/// - `st_lengthspheroid(g)`, in metres: the length of its lines; 0 without one.
/// - `st_perimeterspheroid(g)`, in metres: the length of the outlines and holes of its polygons; 0 without one.
/// - `st_areaspheroid(g)`, in square metres: the area of its polygons; 0 without one.
/// - `st_perimeter(g)`, in degrees of a plane: as `st_perimeterspheroid`.
///
/// The first three are measured on WGS 84, of edges that are straight in longitude and latitude, as RFC 7946 draws
/// footprints: a band round the globe and a ring round a pole have their true areas. PostGIS's `geography` and DuckDB take a
/// geodesic from vertex to vertex instead. Of a box at 45 to 46 degrees of latitude that is 1 degree wide, the areas differ by 0.0013 %;
/// of one at 45 to 55 degrees that is 10 degrees wide, by 0.19 %.
///
/// Errors of the first three: a position that is not on the globe.
pub fn st_measure_udfs() -> [ScalarUDF; 4] {
    [
        geometry_function("st_lengthspheroid", &["st_length_spheroid"], Makes::Number(globe::length)),
        geometry_function("st_perimeterspheroid", &["st_perimeter_spheroid"], Makes::Number(globe::perimeter)),
        geometry_function("st_areaspheroid", &["st_area_spheroid"], Makes::Number(globe::area)),
        geometry_function("st_perimeter", &[], Makes::Number(planar_perimeter)),
    ]
}

fn planar_perimeter(_: &str, geometry: Geometry) -> Result<Option<f64>> {
    Ok(Some(globe::total(GeometryParts::from(geometry).rings().map(|ring| Euclidean.length(ring)))))
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use crate::testing;

    #[tokio::test]
    async fn measures_are_of_lines_or_of_polygons_and_null_of_null() {
        let session = SessionContext::new();
        geodatafusion::register(&session);
        crate::register(&session).unwrap();
        let square = "ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 2,1 1))')";
        for (sql, expected) in [
            (format!("ST_Perimeter({square})"), "20.0"),
            ("ST_Perimeter(ST_GeomFromText('LINESTRING(0 0,1 1)'))".to_owned(), "0.0"),
            ("ST_Perimeter(ST_GeomFromText('POLYGON EMPTY'))".to_owned(), "0.0"),
            ("ST_Perimeter(NULL)".to_owned(), ""),
            ("ST_LengthSpheroid(ST_Point(1, 2))".to_owned(), "0.0"),
            (format!("ST_LengthSpheroid({square})"), "0.0"),
            ("ST_AreaSpheroid(NULL)".to_owned(), ""),
            ("ST_AreaSpheroid(ST_GeomFromText(NULL))".to_owned(), ""),
            ("ST_AreaSpheroid(ST_GeomFromText('POINT EMPTY'))".to_owned(), "0.0"),
            // PostGIS and pyproj: a degree along the equator, and along a meridian from it.
            ("round(ST_Length_Spheroid(ST_GeomFromText('LINESTRING(0 0,1 0)')), 4)".to_owned(), "111319.4908"),
            ("round(ST_Length_Spheroid(ST_GeomFromText('LINESTRING(0 0,0 1)')), 4)".to_owned(), "110574.3886"),
            (format!("ST_AreaSpheroid({square}) = ST_Area_Spheroid({square})"), "true"),
            (format!("ST_PerimeterSpheroid({square}) = ST_Perimeter_Spheroid({square})"), "true"),
        ] {
            assert_eq!(testing::answer(&session, &format!("SELECT {sql}")).await.unwrap(), expected, "{sql}");
        }
        let error = testing::answer(&session, "SELECT ST_AreaSpheroid(7)").await.unwrap_err().to_string();
        assert!(error.contains("st_areaspheroid: Int64(7) is Int64, which is no geometry"), "{error}");
    }
}
