//! Lengths and areas on WGS 84 of what is drawn in a plane of longitudes and latitudes.
//!
//! An edge is straight in that plane, as RFC 7946 has it: along a parallel it stays on the parallel, which a geodesic does
//! not. So lengths and areas are integrals along edges, by Gauss and Legendre over pieces.

use datafusion::common::{Result, exec_err};
use geo::{Coord, Geometry, Line, LineString, Polygon};

use crate::geometry_parts::GeometryParts;

/// Half the axis of the equator, in metres.
const EQUATOR: f64 = 6_378_137.0;
const FLATTENING: f64 = 1.0 / 298.257_223_563;
/// The square of the first eccentricity.
const E2: f64 = FLATTENING * (2.0 - FLATTENING);

/// The longest piece of an edge, in degrees.
const PIECE: f64 = 0.25;

/// Where a function is read within a piece, from -1 to 1, and how much that counts.
const GAUSS: [(f64, f64); 4] = [
    (-0.861_136_311_594_052_6, 0.347_854_845_137_453_86),
    (-0.339_981_043_584_856_3, 0.652_145_154_862_546_1),
    (0.339_981_043_584_856_3, 0.652_145_154_862_546_1),
    (0.861_136_311_594_052_6, 0.347_854_845_137_453_86),
];

/// Metres of the lines of a geometry; 0 without one.
pub(crate) fn length(function: &str, geometry: Geometry) -> Result<Option<f64>> {
    let parts = GeometryParts::from(geometry);
    check(function, &parts)?;
    Ok(Some(total(parts.lines.iter().map(line_length))))
}

/// Metres of the outlines and holes of a geometry's polygons; 0 without one.
pub(crate) fn perimeter(function: &str, geometry: Geometry) -> Result<Option<f64>> {
    let parts = GeometryParts::from(geometry);
    check(function, &parts)?;
    Ok(Some(total(parts.rings().map(line_length))))
}

/// Square metres of the polygons of a geometry; 0 without one.
pub(crate) fn area(function: &str, geometry: Geometry) -> Result<Option<f64>> {
    let parts = GeometryParts::from(geometry);
    check(function, &parts)?;
    let of_polygon = |polygon: &Polygon| {
        ring_area(polygon.exterior()).abs() - polygon.interiors().iter().map(|ring| ring_area(ring).abs()).sum::<f64>()
    };
    Ok(Some(total(parts.polygons.iter().map(of_polygon))))
}

/// The sum; that of nothing is 0, where Rust's is -0.
pub(crate) fn total(measures: impl Iterator<Item = f64>) -> f64 {
    measures.fold(0.0, |sum, measure| sum + measure)
}

/// An error if a position is not on the globe.
pub(crate) fn check(function: &str, parts: &GeometryParts) -> Result<()> {
    let is_off = |at: &Coord| !at.x.is_finite() || !(-90.0..=90.0).contains(&at.y);
    match parts.edges().flat_map(|edge| [edge.start, edge.end]).find(is_off) {
        Some(at) => exec_err!("{function}: ({} {}) is not on the globe; give longitudes and latitudes", at.x, at.y),
        None => Ok(()),
    }
}

fn line_length(line: &LineString) -> f64 {
    let of_edge = |edge: Line| {
        let (dx, dy) = (edge.dx().to_radians(), edge.dy().to_radians());
        let speed = |latitude: f64| {
            let (sin, cos) = latitude.sin_cos();
            let w2 = 1.0 - E2 * sin * sin;
            let prime_vertical = EQUATOR / w2.sqrt();
            let meridional = prime_vertical * (1.0 - E2) / w2;
            (meridional * dy).hypot(prime_vertical * cos * dx)
        };
        mean(edge, speed)
    };
    line.lines().map(of_edge).sum()
}

/// What lies between a ring and the equator; negative if it runs counterclockwise.
fn ring_area(ring: &LineString) -> f64 {
    ring.lines().map(|edge| edge.dx().to_radians() * mean(edge, below)).sum()
}

/// The area between the equator and a latitude, for each radian of longitude.
fn below(latitude: f64) -> f64 {
    let (sin, e) = (latitude.sin(), E2.sqrt());
    EQUATOR * EQUATOR * (1.0 - E2) / 2.0 * (sin / (1.0 - E2 * sin * sin) + (e * sin).atanh() / e)
}

/// The mean of a function of the latitude (radians) along an edge.
fn mean(edge: Line, function: impl Fn(f64) -> f64) -> f64 {
    let pieces = (edge.dx().hypot(edge.dy()) / PIECE).ceil().max(1.0);
    // A function of the latitude alone does not change along a parallel.
    let pieces = if edge.dy() == 0.0 { 1 } else { pieces as u32 };
    let step = 1.0 / f64::from(pieces);
    let along = |t: f64| function((edge.start.y + t * edge.dy()).to_radians());
    let of_piece = |i: u32| {
        let middle = (f64::from(i) + 0.5) * step;
        GAUSS.iter().map(|(at, weight)| weight / 2.0 * along(middle + at * step / 2.0)).sum::<f64>()
    };
    (0..pieces).map(of_piece).sum::<f64>() * step
}

/// The figure of the Earth on which distances are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Figure {
    /// A sphere with the mean radius.
    Sphere,
    /// WGS 84.
    Spheroid,
}

impl Figure {
    /// Where a position is in space, in metres from the centre.
    pub(crate) fn in_space(self, at: Coord) -> [f64; 3] {
        let ((sin, cos), (east, greenwich)) = (at.y.to_radians().sin_cos(), at.x.to_radians().sin_cos());
        let (radius, polar) = match self {
            Self::Sphere => (MEAN_RADIUS, MEAN_RADIUS),
            Self::Spheroid => {
                let prime_vertical = EQUATOR / (1.0 - E2 * sin * sin).sqrt();
                (prime_vertical, prime_vertical * (1.0 - E2))
            }
        };
        [radius * cos * greenwich, radius * cos * east, polar * sin]
    }
}

/// As geo's Haversine has it.
const MEAN_RADIUS: f64 = 6_371_008.8;

#[cfg(test)]
mod tests {
    use wkt::TryFromWkt;

    use super::*;

    fn read(wkt: &str) -> Geometry {
        Geometry::try_from_wkt_str(wkt).unwrap()
    }

    fn assert_near(a: f64, b: f64, what: &str) {
        assert!((a - b).abs() <= 1e-9 * b.abs(), "{what}: {a}, not {b}");
    }

    #[test]
    fn the_globe_and_its_halves_have_their_areas() {
        // PROJ: 4 pi times the square of the authalic radius of WGS 84.
        let globe = 510_065_621_724_088.44;
        for (wkt, share) in [
            ("POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90))", 1.0),
            ("POLYGON((-180 0,180 0,180 90,-180 90,-180 0))", 0.5),
            ("POLYGON((-180 90,180 90,180 0,-180 0,-180 90))", 0.5),
            ("MULTIPOLYGON(((0 -90,90 -90,90 90,0 90,0 -90)),((-90 -90,0 -90,0 90,-90 90,-90 -90)))", 0.5),
            ("POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90),(0 0,0 90,90 90,90 0,0 0))", 0.875),
            ("GEOMETRYCOLLECTION(POINT(1 1),POLYGON((0 0,90 0,90 90,0 90,0 0)))", 0.125),
        ] {
            assert_near(area("f", read(wkt)).unwrap().unwrap(), share * globe, wkt);
        }
    }

    #[test]
    fn measures_are_those_of_many_geodesics() {
        for (wkt, expected_length, expected_perimeter, expected_area) in PYPROJ {
            let relative = |a: f64, b: f64| (a - b).abs() <= 1e-7 * b.abs();
            let (l, p, a) = (length("f", read(wkt)), perimeter("f", read(wkt)), area("f", read(wkt)));
            let [l, p, a] = [l, p, a].map(|measure| measure.unwrap().unwrap());
            assert!(relative(l, expected_length), "{wkt}: {l}");
            assert!(relative(p, expected_perimeter), "{wkt}: {p}");
            assert!(relative(a, expected_area), "{wkt}: {a}");
        }
    }

    /// pyproj 3.7.2: `Geod(ellps="WGS84")` over edges that are cut into pieces of at most 0.001 degrees.
    const PYPROJ: [(&str, f64, f64, f64); 7] = [
        ("POLYGON((10 45,11 45,11 46,10 46,10 45))", 0.0, 378593.23114339885, 8686494956.554722),
        ("POLYGON((10 45,20 45,20 55,10 55,10 45))", 0.0, 3652981.514200431, 796417111143.4252),
        (
            "POLYGON((-50 69,-49 69.5,-48.5 71,-51 70.5,-50 69),(-50 69.5,-49.8 69.5,-49.8 69.7,-50 69.5))",
            0.0,
            569907.6981642622,
            11577189445.32784,
        ),
        ("LINESTRING(0 50,30 60,31 -10)", 9978728.803463541, 0.0, 0.0),
        ("POLYGON((-180 80,180 80,180 90,-180 90,-180 80))", 0.0, 9215306.504799698, 3908572761642.566),
        ("POLYGON((-180 60,180 60,180 70,-180 70,-180 60))", 0.0, 36064971.24129158, 18909509848754.51),
        (
            "GEOMETRYCOLLECTION(LINESTRING(5 89,100 90),POLYGON((0 -89,90 -89,45 -90,0 -89)))",
            151224.85441488397,
            420030.7511064465,
            6531965054.665987,
        ),
    ];

    #[test]
    fn positions_off_the_globe_are_named() {
        let error = area("st_areaspheroid", read("POLYGON((0 0,500000 0,0 500000,0 0))")).unwrap_err().to_string();
        assert!(error.contains("st_areaspheroid: (0 500000) is not on the globe"), "{error}");
    }
}
