//! A geometry argument of a function of two.

use std::borrow::Cow;

use arrow::datatypes::Field;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use geo::Geometry;

use crate::geometry::Geometries;

/// A geometry for each row; a constant is read once.
pub(crate) enum Operand {
    Constant(Option<Geometry>),
    Column(Geometries),
}

impl Operand {
    pub(crate) fn try_new(function: &'static str, value: &ColumnarValue, field: &Field, rows: usize) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Scalar(_) => {
                Self::Constant(Geometries::try_new(function, &value.to_array(1)?, field)?.get(0)?)
            }
            ColumnarValue::Array(_) => Self::Column(Geometries::try_new(function, &value.to_array(rows)?, field)?),
        })
    }

    pub(crate) fn get(&self, row: usize) -> Result<Option<Cow<'_, Geometry>>> {
        Ok(match self {
            Self::Constant(geometry) => geometry.as_ref().map(Cow::Borrowed),
            Self::Column(geometries) => geometries.get(row)?.map(Cow::Owned),
        })
    }
}
