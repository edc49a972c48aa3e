//! `ST_Union(g)`: what the geometries of a group cover together.

use datafusion::logical_expr::AggregateUDF;
use geo::{Coord, Geometry, LineString, MultiLineString, MultiPoint};

use crate::dissolve::dissolve;
use crate::geometry_aggregate::{Aggregate, geometry_aggregate};
use crate::geometry_parts::GeometryParts;
use crate::st_make_valid::simplest;

/// `ST_Union(g) -> WKB`, an aggregate: polygons are dissolved into what they cover together. Points and lines come with them,
/// each once, whether or not a polygon covers them, and lines are not cut where they cross.
///
/// The argument is WKB or any GeoArrow type. Polygons that are not valid are read by the even-odd rule. Of several kinds a
/// GeometryCollection. Nulls and empty geometries are left out. Null of no rows. Also `st_union_agg`, as in DuckDB.
///
/// Vertices of polygons stay as they are; those where edges cross are rounded to some 2^-29 of the extent of the group. From
/// some megabytes on, polygons are dissolved before all are there, and where, depends on the order of the rows.
pub fn st_union_udaf() -> AggregateUDF {
    geometry_aggregate(UNION)
}

pub(crate) const UNION: Aggregate = Aggregate {
    name: "st_union",
    alias: Some("st_union_agg"),
    make: |geometries| Some(union(geometries)),
    absorbs: true,
};

fn union(geometries: Vec<Geometry>) -> Geometry {
    let mut parts = GeometryParts::default();
    geometries.into_iter().for_each(|geometry| parts.add(geometry));
    let GeometryParts { mut points, mut lines, polygons } = parts;
    points.sort_unstable_by(|a, b| order(&a.0, &b.0));
    points.dedup();
    lines.sort_unstable_by(order_of_lines);
    lines.dedup();
    let mut kinds: Vec<Geometry> = vec![];
    match points.len() {
        0 => {}
        1 => kinds.push(points.remove(0).into()),
        _ => kinds.push(MultiPoint::<f64>::from(points).into()),
    }
    match lines.len() {
        0 => {}
        1 => kinds.push(lines.remove(0).into()),
        _ => kinds.push(MultiLineString::new(lines).into()),
    }
    let polygons = dissolve(polygons);
    if !polygons.0.is_empty() {
        kinds.push(simplest(polygons));
    }
    match kinds.len() {
        1 => kinds.remove(0),
        _ => Geometry::GeometryCollection(kinds.into()),
    }
}

fn order(a: &Coord, b: &Coord) -> std::cmp::Ordering {
    a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y))
}

fn order_of_lines(a: &LineString, b: &LineString) -> std::cmp::Ordering {
    let mut orders = a.0.iter().zip(&b.0).map(|(a, b)| order(a, b));
    orders.find(|order| order.is_ne()).unwrap_or(a.0.len().cmp(&b.0.len()))
}

#[cfg(test)]
mod tests {
    use geo::{Area, Validation};
    use wkt::{ToWkt, TryFromWkt};

    use super::*;

    fn union_of(wkt: &[&str]) -> Geometry {
        union(wkt.iter().map(|wkt| Geometry::try_from_wkt_str(wkt).unwrap()).collect())
    }

    #[test]
    fn kinds_are_kept_apart_and_each_counts_once() {
        for (wkt, expected) in [
            (vec!["POINT(1 2)", "MULTIPOINT(1 2,0 0)"], "MULTIPOINT((0 0),(1 2))"),
            (vec!["LINESTRING(0 0,1 1)", "LINESTRING(0 0,1 1)"], "LINESTRING(0 0,1 1)"),
            (vec!["POINT(1 2)", "LINESTRING(0 0,1 1)"], "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))"),
            (vec!["POLYGON((0 0,1 0,1 1,0 0))"], "POLYGON((0 0,1 0,1 1,0 0))"),
            (vec!["POLYGON EMPTY"], "GEOMETRYCOLLECTION EMPTY"),
        ] {
            assert_eq!(union_of(&wkt).wkt_string(), expected);
        }
    }

    #[test]
    fn polygons_cover_what_shapely_says() {
        // shapely 2.1.2: union_all(…).area, and the number of polygons in it
        for (wkt, expected, polygons) in [
            (vec!["POLYGON((0 0,4 0,4 4,0 4,0 0))", "POLYGON((2 2,6 3,5 7,1 6,2 2))"], 29.0, 1),
            (vec!["POLYGON((0 0,0 4,4 4,4 0,0 0))", "POLYGON((4 0,8 0,8 4,4 4,4 0))"], 32.0, 1),
            (vec!["POLYGON((0 0,9 0,9 9,0 9,0 0),(1 1,8 1,8 8,1 8,1 1))", "POLYGON((3 3,3 5,5 5,5 3,3 3))"], 36.0, 2),
            (vec!["POLYGON((0 0,2 2,2 0,0 2,0 0))", "POLYGON((9 9,10 9,10 10,9 9))"], 2.5, 3),
        ] {
            let made = union_of(&wkt);
            assert!(made.is_valid(), "{}", made.wkt_string());
            assert!((made.unsigned_area() - expected).abs() < 1e-7, "{}", made.wkt_string());
            assert_eq!(GeometryParts::from(made).polygons.len(), polygons);
        }
    }
}
