//! `ST_Collect(g)`: the geometries of a group as one.

use std::mem::discriminant;

use datafusion::logical_expr::AggregateUDF;
use geo::{Geometry, HasDimensions, MultiLineString, MultiPoint, MultiPolygon};

use crate::geometry_aggregate::{Aggregate, geometry_aggregate};
use crate::geometry_parts::GeometryParts;

/// `ST_Collect(g) -> WKB`, an aggregate: points as a MultiPoint, lines as a MultiLineString, polygons as a MultiPolygon, and
/// anything else as a GeometryCollection. What overlaps stays so.
///
/// The argument is WKB or any GeoArrow type. The order is that of their WKB, and not that of the rows. Nulls and empty
/// geometries are left out. Null of no rows.
pub fn st_collect_udaf() -> AggregateUDF {
    geometry_aggregate(COLLECT)
}

pub(crate) const COLLECT: Aggregate =
    Aggregate { name: "st_collect", alias: None, make: |geometries| Some(collect(geometries)), absorbs: false };

fn collect(geometries: Vec<Geometry>) -> Geometry {
    let geometries: Vec<_> = geometries.into_iter().filter(|geometry| !geometry.is_empty()).collect();
    let is_single =
        |geometry: &Geometry| matches!(geometry, Geometry::Point(_) | Geometry::LineString(_) | Geometry::Polygon(_));
    let first = geometries.first().filter(|first| is_single(first)).map(discriminant);
    if first.is_none() || geometries.iter().any(|geometry| Some(discriminant(geometry)) != first) {
        return Geometry::GeometryCollection(geometries.into());
    }
    let mut parts = GeometryParts::default();
    geometries.into_iter().for_each(|geometry| parts.add(geometry));
    let GeometryParts { points, lines, polygons } = parts;
    match (points.is_empty(), lines.is_empty()) {
        (false, _) => MultiPoint(points).into(),
        (_, false) => MultiLineString(lines).into(),
        _ => MultiPolygon(polygons).into(),
    }
}

#[cfg(test)]
mod tests {
    use wkt::{ToWkt, TryFromWkt};

    use super::*;

    #[test]
    fn one_kind_is_a_multi_of_it_and_several_are_a_collection() {
        // PostGIS 3.4
        for (wkt, expected) in [
            (vec!["POINT(1 2)"], "MULTIPOINT((1 2))"),
            (vec!["POINT(1 2)", "POINT(1 2)"], "MULTIPOINT((1 2),(1 2))"),
            (vec!["LINESTRING(0 0,1 1)"], "MULTILINESTRING((0 0,1 1))"),
            (vec!["POLYGON((0 0,1 0,1 1,0 0))"], "MULTIPOLYGON(((0 0,1 0,1 1,0 0)))"),
            (vec!["MULTIPOINT(1 2,0 0)"], "GEOMETRYCOLLECTION(MULTIPOINT((1 2),(0 0)))"),
            (vec!["POINT(1 2)", "LINESTRING(0 0,1 1)"], "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))"),
            (vec!["POLYGON EMPTY"], "GEOMETRYCOLLECTION EMPTY"),
        ] {
            let geometries = wkt.iter().map(|wkt| Geometry::try_from_wkt_str(wkt).unwrap()).collect();
            assert_eq!(collect(geometries).wkt_string(), expected);
        }
    }
}
