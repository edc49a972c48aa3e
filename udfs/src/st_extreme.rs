//! `ST_XMin(g)`, `ST_YMin(g)`, `ST_XMax(g)`, `ST_YMax(g)`: the bounds of a geometry.

use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;
use earthcatalog_stac_rows::footprint::bounds;
use geo::Geometry;

use crate::geometry_function::{Makes, geometry_function};

/// `ST_XMin(g) -> Float64` and its like: the least or greatest longitude or latitude of a geometry (WKB or any GeoArrow type).
/// Null of null and of an empty geometry.
///
/// They take the place of geodatafusion's, which are infinite of an empty geometry.
pub fn st_extreme_udfs() -> [ScalarUDF; 4] {
    [
        geometry_function("st_xmin", &[], Makes::Number(side::<0>)),
        geometry_function("st_ymin", &[], Makes::Number(side::<1>)),
        geometry_function("st_xmax", &[], Makes::Number(side::<2>)),
        geometry_function("st_ymax", &[], Makes::Number(side::<3>)),
    ]
}

fn side<const SIDE: usize>(_: &str, geometry: Geometry) -> Result<Option<f64>> {
    Ok(bounds(&geometry).map(|corners| corners[SIDE]))
}
