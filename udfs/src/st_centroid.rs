//! `ST_Centroid(g)`: the centre of a geometry.

use datafusion::logical_expr::ScalarUDF;
use geo::{Centroid, Geometry};

use crate::geometry_function::{Makes, geometry_function};

/// `ST_Centroid(g) -> WKB`: the centre of mass of a geometry (WKB or any GeoArrow type) as a point. Null of null and of an
/// empty geometry.
///
/// It takes the place of geodatafusion's, which fails on an empty point.
pub fn st_centroid_udf() -> ScalarUDF {
    geometry_function("st_centroid", &[], Makes::Part(|geometry| geometry.centroid().map(Geometry::from)))
}
