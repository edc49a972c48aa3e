//! `h3_cell_to_parent(cell, resolution)`: the coarser cell that a cell belongs to.

use std::sync::Arc;

use arrow::array::{AsArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use crate::cell_text::{CellText, cell_argument};
use crate::h3_resolution::resolution_argument;

/// `h3_cell_to_parent(cell, resolution) -> Utf8View`: the ancestor of an H3 cell at a coarser resolution.
///
/// The resolution is an integer literal, at most that of the cell. Null for null and for `__none__`.
pub fn h3_cell_to_parent_udf() -> ScalarUDF {
    let types = vec![DataType::Utf8View, DataType::Int64];
    ScalarUDF::from(H3CellToParent { signature: Signature::exact(types, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3CellToParent {
    signature: Signature,
}

impl ScalarUDFImpl for H3CellToParent {
    fn name(&self) -> &str {
        "h3_cell_to_parent"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let resolution = resolution_argument(self.name(), &args.args[1])?;
        let cells = args.args[0].to_array(args.number_rows)?;
        let mut parents = StringViewBuilder::with_capacity(args.number_rows);
        for text in cells.as_string_view() {
            let Some(cell) = cell_argument(self.name(), text)? else {
                parents.append_null();
                continue;
            };
            let Some(parent) = cell.parent(resolution) else {
                return exec_err!(
                    "h3_cell_to_parent: cell {cell} has resolution {}; its parents have 0 to {0}, not {resolution}",
                    cell.resolution()
                );
            };
            parents.append_value(CellText::new(parent).as_str());
        }
        Ok(ColumnarValue::Array(Arc::new(parents.finish())))
    }
}
