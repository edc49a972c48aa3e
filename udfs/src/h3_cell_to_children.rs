//! `h3_cell_to_children(cell, resolution)`: the finer cells that a cell is made of.

use arrow::array::AsArray;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use h3o::CellIndex;

use crate::cell_text::{CellListBuilder, cell_argument, cell_list_type, check_count};
use crate::h3_resolution::resolution_argument;

/// `h3_cell_to_children(cell, resolution) -> List(Utf8View)`: the descendants of an H3 cell at a finer resolution, ascending.
///
/// The resolution is an integer literal, at least that of the cell. Null for null and for `__none__`.
///
/// Errors: a coarser resolution; more than 1,000,000 cells.
pub fn h3_cell_to_children_udf() -> ScalarUDF {
    let types = vec![DataType::Utf8View, DataType::Int64];
    ScalarUDF::from(H3CellToChildren { signature: Signature::exact(types, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3CellToChildren {
    signature: Signature,
}

impl ScalarUDFImpl for H3CellToChildren {
    fn name(&self) -> &str {
        "h3_cell_to_children"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(cell_list_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let resolution = resolution_argument(self.name(), &args.args[1])?;
        let cells = args.args[0].to_array(args.number_rows)?;
        let mut children = CellListBuilder::default();
        for text in cells.as_string_view() {
            let Some(cell) = cell_argument(self.name(), text)? else {
                children.append_null();
                continue;
            };
            if cell.resolution() > resolution {
                return exec_err!(
                    "h3_cell_to_children: cell {cell} has resolution {}; its children have {0} to 15, not {resolution}",
                    cell.resolution()
                );
            }
            check_count(self.name(), cell.children_count(resolution))?;
            children.append(&cell.children(resolution).collect::<Vec<CellIndex>>());
        }
        Ok(ColumnarValue::Array(children.finish()))
    }
}

#[cfg(test)]
mod tests {
    use h3o::Resolution;

    use super::*;

    #[test]
    fn the_children_of_all_base_cells_are_all_cells() {
        for (resolution, all) in [(Resolution::One, 842), (Resolution::Two, 5_882), (Resolution::Three, 41_162)] {
            let mut cells: Vec<_> = CellIndex::base_cells().flat_map(|cell| cell.children(resolution)).collect();
            assert!(cells.is_sorted(), "{resolution}");
            cells.dedup();
            assert_eq!(cells.len(), all, "{resolution}");
        }
    }
}
