//! `h3_get_resolution(cell)`: how fine a cell is.

use std::sync::Arc;

use arrow::array::{AsArray, Int32Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::cell_text::cell_argument;

/// `h3_get_resolution(cell) -> Int32`: the resolution of an H3 cell, 0 to 15.
///
/// Null for null and for `__none__`; an error for text that is no cell.
pub fn h3_get_resolution_udf() -> ScalarUDF {
    ScalarUDF::from(H3GetResolution { signature: Signature::exact(vec![DataType::Utf8View], Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3GetResolution {
    signature: Signature,
}

impl ScalarUDFImpl for H3GetResolution {
    fn name(&self) -> &str {
        "h3_get_resolution"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let cells = args.args[0].to_array(args.number_rows)?;
        let resolution = |text| Ok(cell_argument(self.name(), text)?.map(|cell| u8::from(cell.resolution()).into()));
        let resolutions: Int32Array = cells.as_string_view().iter().map(resolution).collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(resolutions)))
    }
}
