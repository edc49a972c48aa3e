//! `h3_grid_disk(cell, k)`: the cells around a cell.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use h3o::CellIndex;

use crate::cell_text::{CellListBuilder, cell_argument, cell_list_type};

/// The largest `k`: a disk of 3 million cells.
const MAX_STEPS: i64 = 1000;

/// `h3_grid_disk(cell, k) -> List(Utf8View)`: the H3 cells at most `k` steps away from a cell, itself among them,
/// ascending.
///
/// `k` is 0 to 1000. Null if an argument is null, or the cell `__none__`.
pub fn h3_grid_disk_udf() -> ScalarUDF {
    let types = vec![DataType::Utf8View, DataType::Int64];
    ScalarUDF::from(H3GridDisk { signature: Signature::exact(types, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3GridDisk {
    signature: Signature,
}

impl ScalarUDFImpl for H3GridDisk {
    fn name(&self) -> &str {
        "h3_grid_disk"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(cell_list_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (cells, steps) = (args.args[0].to_array(args.number_rows)?, args.args[1].to_array(args.number_rows)?);
        let mut disks = CellListBuilder::default();
        for (text, k) in cells.as_string_view().iter().zip(steps.as_primitive::<Int64Type>()) {
            let (Some(cell), Some(k)) = (cell_argument(self.name(), text)?, k) else {
                disks.append_null();
                continue;
            };
            let Some(k) = u32::try_from(k).ok().filter(|_| k <= MAX_STEPS) else {
                return exec_err!("h3_grid_disk: {k} steps; give a number from 0 to {MAX_STEPS}");
            };
            let mut disk: Vec<CellIndex> = cell.grid_disk(k);
            disk.sort_unstable();
            disks.append(&disk);
        }
        Ok(ColumnarValue::Array(disks.finish()))
    }
}
