//! `h3_is_valid_cell(text)`: whether a text is a cell.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use h3o::CellIndex;

/// `h3_is_valid_cell(text) -> Boolean`: whether the other H3 functions take a text as a cell.
///
/// False for `__none__`, which rows without a geometry have in place of a cell. Null for null.
pub fn h3_is_valid_cell_udf() -> ScalarUDF {
    ScalarUDF::from(H3IsValidCell { signature: Signature::exact(vec![DataType::Utf8View], Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3IsValidCell {
    signature: Signature,
}

impl ScalarUDFImpl for H3IsValidCell {
    fn name(&self) -> &str {
        "h3_is_valid_cell"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = args.args[0].to_array(args.number_rows)?;
        let is_cell = |text: &str| text.parse::<CellIndex>().is_ok();
        let answers: BooleanArray = texts.as_string_view().iter().map(|text| text.map(is_cell)).collect();
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}
