//! `h3_latlng_to_cell(lat, lng, resolution)`: the cell at a position.

use std::sync::Arc;

use arrow::array::{AsArray, StringViewBuilder};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use h3o::LatLng;

use crate::cell_text::CellText;
use crate::h3_resolution::resolution_argument;

/// `h3_latlng_to_cell(lat, lng, resolution) -> Utf8View`: the H3 cell at a position in degrees.
///
/// The resolution is an integer literal from 0 to 15. Null if an ordinate is null; an error if one is not finite.
pub fn h3_latlng_to_cell_udf() -> ScalarUDF {
    let types = vec![DataType::Float64, DataType::Float64, DataType::Int64];
    ScalarUDF::from(H3LatLngToCell { signature: Signature::exact(types, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3LatLngToCell {
    signature: Signature,
}

impl ScalarUDFImpl for H3LatLngToCell {
    fn name(&self) -> &str {
        "h3_latlng_to_cell"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let resolution = resolution_argument(self.name(), &args.args[2])?;
        let (lats, lngs) = (args.args[0].to_array(args.number_rows)?, args.args[1].to_array(args.number_rows)?);
        let mut cells = StringViewBuilder::with_capacity(args.number_rows);
        for (lat, lng) in lats.as_primitive::<Float64Type>().iter().zip(lngs.as_primitive::<Float64Type>()) {
            let (Some(lat), Some(lng)) = (lat, lng) else {
                cells.append_null();
                continue;
            };
            let at = LatLng::new(lat, lng).map_err(|e| exec_datafusion_err!("h3_latlng_to_cell: {e}"))?;
            cells.append_value(CellText::new(at.to_cell(resolution)).as_str());
        }
        Ok(ColumnarValue::Array(Arc::new(cells.finish())))
    }
}
