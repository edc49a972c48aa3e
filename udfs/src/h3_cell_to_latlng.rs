//! `h3_cell_to_latlng(cell)`: the centre of a cell.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Builder, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use h3o::LatLng;

use crate::cell_text::cell_argument;

/// `h3_cell_to_latlng(cell) -> Struct(lat: Float64, lng: Float64)`: the centre of an H3 cell in degrees.
///
/// Null for null and for `__none__`; an error for text that is no cell.
pub fn h3_cell_to_latlng_udf() -> ScalarUDF {
    ScalarUDF::from(H3CellToLatLng { signature: Signature::exact(vec![DataType::Utf8View], Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3CellToLatLng {
    signature: Signature,
}

fn fields() -> Fields {
    ["lat", "lng"].map(|name| Field::new(name, DataType::Float64, true)).to_vec().into()
}

impl ScalarUDFImpl for H3CellToLatLng {
    fn name(&self) -> &str {
        "h3_cell_to_latlng"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let cells = args.args[0].to_array(args.number_rows)?;
        let (mut lats, mut lngs) = (Float64Builder::new(), Float64Builder::new());
        for text in cells.as_string_view() {
            let at = cell_argument(self.name(), text)?.map(LatLng::from);
            lats.append_option(at.map(LatLng::lat));
            lngs.append_option(at.map(LatLng::lng));
        }
        let (lats, lngs) = (lats.finish(), lngs.finish());
        let nulls = lats.nulls().cloned();
        let columns = vec![Arc::new(lats) as _, Arc::new(lngs) as _];
        Ok(ColumnarValue::Array(Arc::new(StructArray::try_new(fields(), columns, nulls)?)))
    }
}
