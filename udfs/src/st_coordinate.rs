//! `ST_X(point)`, `ST_Y`, `ST_Z`, `ST_M`: a coordinate of a point.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use geo::Geometry;
use geodatafusion::udf::native::accessors::{M, Z};

use crate::geometry_function::{Makes, geometry_function};

/// `ST_X(point) -> Float64` and its like: null of null, of an empty point and of anything else than a point.
///
/// `ST_X` and `ST_Y` take WKB or any GeoArrow type; geodatafusion's take no WKB. `ST_Z` and `ST_M` are geodatafusion's, which
/// says that they are never null: a null point was an error.
pub fn st_coordinate_udfs() -> [ScalarUDF; 4] {
    let [z, m] = [Z::new().into(), M::new().into()]
        .map(|inner: ScalarUDF| ScalarUDF::from(StCoordinate { inner: Arc::new(inner) }));
    let x = Makes::Number(|_, geometry| Ok(if let Geometry::Point(point) = geometry { Some(point.x()) } else { None }));
    let y = Makes::Number(|_, geometry| Ok(if let Geometry::Point(point) = geometry { Some(point.y()) } else { None }));
    [geometry_function("st_x", &[], x), geometry_function("st_y", &[], y), z, m]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StCoordinate {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for StCoordinate {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), DataType::Float64, true)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(args)
    }
}
