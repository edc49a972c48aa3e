//! `ST_DistanceSphere(a, b)` and `ST_DistanceSpheroid(a, b)`: how far apart two geometries are on the globe.

use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use geo::{Distance, Geodesic, Geometry, Haversine, Intersects, Line, Point};

use crate::geometry::{bounds, check_geometry};
use crate::geometry_parts::GeometryParts;
use crate::globe::{Figure, check};
use crate::nearest::nearest;
use crate::operand::Operand;
use crate::rows::Rows;

/// `ST_DistanceSphere(a, b) -> Float64` and `ST_DistanceSpheroid(a, b) -> Float64`: the least distance between positions of two
/// geometries in metres, on a sphere with the mean radius of the Earth, or on WGS 84.
///
/// Arguments are WKB or any GeoArrow type, in longitude and latitude; edges are straight in these. 0 where the geometries
/// intersect in the plane; of two points the length of the great circle or of the geodesic. Otherwise the nearest positions
/// are those of the shortest straight way through the Earth, to a millimetre and a ten-millionth of the distance. On WGS 84, a pair
/// of positions farther through the Earth may be nearer on its surface: by less than a metre within 500 km, and by less than
/// a thousandth anywhere. Null if one is null or empty.
///
/// Errors: a position that is not on the globe.
pub fn st_distance_globe_udfs() -> [ScalarUDF; 2] {
    [Figure::Sphere, Figure::Spheroid].map(|figure| {
        let (name, alias) = match figure {
            Figure::Sphere => ("st_distancesphere", "st_distance_sphere"),
            Figure::Spheroid => ("st_distancespheroid", "st_distance_spheroid"),
        };
        let signature = Signature::any(2, Volatility::Immutable);
        ScalarUDF::from(StDistanceGlobe { name, aliases: vec![alias.to_owned()], figure, signature })
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StDistanceGlobe {
    name: &'static str,
    aliases: Vec<String>,
    figure: Figure,
    signature: Signature,
}

impl ScalarUDFImpl for StDistanceGlobe {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        args.arg_fields.iter().try_for_each(|field| check_geometry(self.name, field))?;
        Ok(Arc::new(Field::new(self.name, DataType::Float64, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = Rows::of(&args.args, args.number_rows);
        let [a, b] = [0, 1].map(|i: usize| Operand::try_new(self.name, &args.args[i], &args.arg_fields[i], rows.count));
        let (a, b) = (a?, b?);
        let distance = |row| match (a.get(row)?, b.get(row)?) {
            (Some(a), Some(b)) => distance(self.name, self.figure, &a, &b),
            _ => Ok(None),
        };
        rows.answer(Arc::new((0..rows.count).map(distance).collect::<Result<Float64Array>>()?))
    }
}

/// `None` if one of them is empty.
fn distance(function: &str, figure: Figure, a: &Geometry, b: &Geometry) -> Result<Option<f64>> {
    let (Some(of_a), Some(of_b)) = (bounds(a), bounds(b)) else { return Ok(None) };
    let [parts_a, parts_b] = [a, b].map(|geometry| GeometryParts::from(geometry.clone()));
    check(function, &parts_a)?;
    check(function, &parts_b)?;
    let of_points = |a: Point, b: Point| match figure {
        Figure::Sphere => Haversine.distance(a, b),
        Figure::Spheroid => Geodesic.distance(a, b),
    };
    if let (Geometry::Point(a), Geometry::Point(b)) = (a, b) {
        return Ok(Some(of_points(*a, *b)));
    }
    if of_a.intersects(&of_b) && a.intersects(b) {
        return Ok(Some(0.0));
    }
    let [a, b] = [parts_a, parts_b].map(|parts| parts.edges().collect::<Vec<Line>>());
    Ok(nearest(figure, &a, &b).map(|(a, b)| of_points(a.into(), b.into())))
}

#[cfg(test)]
mod tests {
    use wkt::TryFromWkt;

    use super::*;

    fn apart(figure: Figure, a: &str, b: &str) -> f64 {
        let [a, b] = [a, b].map(|wkt| Geometry::try_from_wkt_str(wkt).unwrap());
        let there = distance("f", figure, &a, &b).unwrap().unwrap();
        let back = distance("f", figure, &b, &a).unwrap().unwrap();
        assert!((there - back).abs() <= 2e-3 + 2e-7 * there, "{there} {back}");
        there
    }

    #[test]
    fn points_are_as_far_apart_as_others_say() {
        for (a, b, sphere, spheroid) in PYPROJ {
            for (figure, expected) in [(Figure::Sphere, sphere), (Figure::Spheroid, spheroid)] {
                let metres = apart(figure, a, b);
                assert!((metres - expected).abs() <= 1e-9 * expected + 1e-6, "{a} {b} {figure:?}: {metres}");
            }
        }
    }

    /// pyproj 3.7.2: `Geod(a=6371008.8, b=6371008.8)` and `Geod(ellps="WGS84")`.
    const PYPROJ: [(&str, &str, f64, f64); 4] = [
        ("POINT(0 0)", "POINT(0 1)", 111195.0802335329, 110574.38855779878),
        ("POINT(2.35 48.85)", "POINT(-74 40.7)", 5837806.7582519045, 5853490.432575239),
        ("POINT(179.5 10)", "POINT(-179.5 10)", 109505.73519924351, 109639.32210546243),
        ("POINT(10 90)", "POINT(100 -89.5)", 19959516.901919156, 19948084.483177166),
    ];

    #[test]
    fn geometries_are_as_far_apart_as_the_nearest_of_many_of_their_positions() {
        for (a, b, sphere, spheroid) in PYPROJ_GEOMETRIES {
            for (figure, expected) in [(Figure::Sphere, sphere), (Figure::Spheroid, spheroid)] {
                let metres = apart(figure, a, b);
                // Positions of pyproj's are 0.001 degrees apart.
                assert!(
                    (metres - expected).abs() <= 1e-6 * expected + 0.5,
                    "{a} {b} {figure:?}: {metres}, not {expected}"
                );
            }
        }
    }

    /// As above, the least over positions on the edges, 0.001 degrees apart.
    const PYPROJ_GEOMETRIES: [(&str, &str, f64, f64); 6] = [
        ("POINT(15 46)", "LINESTRING(0 45,30 45)", 111195.08023353366, 111141.54847420914),
        ("POINT(15 44)", "LINESTRING(0 45,30 45)", 111195.0802335326, 111122.00826280942),
        (
            "POLYGON((0 50,10 52,5 58,0 50))",
            "POLYGON((20 40,30 45,25 50,20 40))",
            1070893.8023291302,
            1074138.2390745399,
        ),
        ("LINESTRING(170 60,179 65)", "LINESTRING(-178 60,-170 70)", 315961.8850934221, 317151.5694849411),
        ("MULTIPOINT(0 0,50 50)", "POLYGON((60 70,80 70,80 75,60 75,60 70))", 2285304.9548937175, 2289856.371622702),
        ("POINT(0 -90)", "LINESTRING(-60 -70,100 -80)", 1111950.8023353291, 1116825.8573758497),
    ];

    #[test]
    fn what_intersects_is_not_apart() {
        for (a, b) in [
            ("POINT(1 1)", "POLYGON((0 0,4 0,4 4,0 4,0 0))"),
            ("LINESTRING(-1 1,9 1)", "POLYGON((0 0,4 0,4 4,0 4,0 0))"),
            ("MULTIPOINT(9 9,4 4)", "POLYGON((0 0,4 0,4 4,0 4,0 0))"),
        ] {
            assert_eq!(apart(Figure::Spheroid, a, b), 0.0, "{a} {b}");
        }
        // The halves of a footprint on the antimeridian.
        let halves = ("POLYGON((179 0,180 0,180 1,179 1,179 0))", "POLYGON((-180 0,-179 0,-179 1,-180 1,-180 0))");
        assert!(apart(Figure::Spheroid, halves.0, halves.1) < 1e-6);
    }

    #[test]
    fn nothing_is_no_distance_away() {
        let [empty, point] = ["POLYGON EMPTY", "POINT(1 1)"].map(|wkt| Geometry::try_from_wkt_str(wkt).unwrap());
        assert_eq!(distance("f", Figure::Sphere, &empty, &point).unwrap(), None);
    }
}
