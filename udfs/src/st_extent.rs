//! `ST_Extent(g)`: the box round the geometries of a group.

use datafusion::logical_expr::AggregateUDF;
use geo::Geometry;

use crate::geometry_aggregate::{Aggregate, geometry_aggregate};
use crate::st_envelope::envelope;

/// `ST_Extent(g) -> WKB`, an aggregate: the smallest box that holds all geometries, as a polygon; without width or height a
/// line or a point.
///
/// The argument is WKB or any GeoArrow type. Nulls and empty geometries are left out. Null of none. Also `st_extent_agg`, as
/// in DuckDB. It takes the place of geodatafusion's, which makes a box of infinities of no rows, and a panic of what it does not
/// read.
pub fn st_extent_udaf() -> AggregateUDF {
    geometry_aggregate(Aggregate { name: "st_extent", alias: Some("st_extent_agg"), make: extent, absorbs: true })
}

fn extent(geometries: Vec<Geometry>) -> Option<Geometry> {
    envelope(&Geometry::GeometryCollection(geometries.into()))
}
