//! The resolution argument of the H3 functions.

use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::ColumnarValue;
use h3o::Resolution;

/// The H3 resolution, 0 to 15, that `function` is called with: an integer literal of any width.
pub(crate) fn resolution_literal(function: &str, value: Option<&ScalarValue>) -> Result<Resolution> {
    let given = match value {
        Some(ScalarValue::Int8(Some(v))) => Some(i128::from(*v)),
        Some(ScalarValue::Int16(Some(v))) => Some(i128::from(*v)),
        Some(ScalarValue::Int32(Some(v))) => Some(i128::from(*v)),
        Some(ScalarValue::Int64(Some(v))) => Some(i128::from(*v)),
        Some(ScalarValue::UInt8(Some(v))) => Some(i128::from(*v)),
        Some(ScalarValue::UInt16(Some(v))) => Some(i128::from(*v)),
        Some(ScalarValue::UInt32(Some(v))) => Some(i128::from(*v)),
        Some(ScalarValue::UInt64(Some(v))) => Some(i128::from(*v)),
        Some(other) => {
            return plan_err!("{function}: the resolution is {other}; give a whole number from 0 to 15");
        }
        None => None,
    };
    let Some(given) = given else {
        return plan_err!("{function}: the resolution differs from row to row; give a whole number from 0 to 15");
    };
    match u8::try_from(given).ok().and_then(|v| Resolution::try_from(v).ok()) {
        Some(resolution) => Ok(resolution),
        None => plan_err!("{function}: there is no H3 resolution {given}; give a whole number from 0 to 15"),
    }
}

/// As [`resolution_literal`], of an argument at execution.
pub(crate) fn resolution_argument(function: &str, value: &ColumnarValue) -> Result<Resolution> {
    match value {
        ColumnarValue::Scalar(scalar) => resolution_literal(function, Some(scalar)),
        ColumnarValue::Array(_) => resolution_literal(function, None),
    }
}
