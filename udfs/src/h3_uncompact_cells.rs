//! `h3_uncompact_cells(cells, resolution)`: cells of several resolutions as cells of one.

use std::collections::BTreeSet;

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use h3o::CellIndex;

use crate::cell_text::{CellListBuilder, cell_list_type, cells_of_list, check_count, coerce_cell_list};
use crate::h3_resolution::resolution_argument;

/// `h3_uncompact_cells(cells, resolution) -> List(Utf8View)`: the H3 cells of one resolution that cover what the cells of a list
/// cover, ascending, each once.
///
/// The resolution is an integer literal, at least that of each cell. Nulls and `__none__` in the list are left out. Null for
/// null.
///
/// Errors: text that is no cell; a cell of a finer resolution; more than 1,000,000 cells.
pub fn h3_uncompact_cells_udf() -> ScalarUDF {
    ScalarUDF::from(H3UncompactCells { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3UncompactCells {
    signature: Signature,
}

impl ScalarUDFImpl for H3UncompactCells {
    fn name(&self) -> &str {
        "h3_uncompact_cells"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        coerce_cell_list(self.name(), types, &[DataType::Int64])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(cell_list_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let resolution = resolution_argument(self.name(), &args.args[1])?;
        let lists = args.args[0].to_array(args.number_rows)?;
        let mut uncompacted = CellListBuilder::default();
        for list in lists.as_list::<i32>().iter() {
            let Some(list) = list else {
                uncompacted.append_null();
                continue;
            };
            let cells = cells_of_list(self.name(), &list)?;
            if let Some(finer) = cells.iter().find(|cell| cell.resolution() > resolution) {
                return exec_err!(
                    "h3_uncompact_cells: cell {finer} has resolution {}, which is finer than {resolution}",
                    finer.resolution()
                );
            }
            check_count(self.name(), CellIndex::uncompact_size(cells.iter().copied(), resolution))?;
            let fine: BTreeSet<CellIndex> = CellIndex::uncompact(cells, resolution).collect();
            uncompacted.append(&fine.into_iter().collect::<Vec<_>>());
        }
        Ok(ColumnarValue::Array(uncompacted.finish()))
    }
}
