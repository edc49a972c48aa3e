//! `h3_cell_area(cell[, unit])`: how large a cell is.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use h3o::CellIndex;

use crate::cell_text::cell_argument;

/// `h3_cell_area(cell[, unit]) -> Float64`: the area of an H3 cell on the sphere, in `'km^2'` (without a unit), `'m^2'` or
/// `'rads^2'`.
///
/// Null if an argument is null, and for `__none__`.
///
/// Errors: text that is no cell; another unit.
pub fn h3_cell_area_udf() -> ScalarUDF {
    let types = [1, 2].map(|arguments| TypeSignature::Exact(vec![DataType::Utf8View; arguments]));
    ScalarUDF::from(H3CellArea { signature: Signature::one_of(types.to_vec(), Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3CellArea {
    signature: Signature,
}

impl ScalarUDFImpl for H3CellArea {
    fn name(&self) -> &str {
        "h3_cell_area"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let cells = args.args[0].to_array(args.number_rows)?;
        let units: ArrayRef = match args.args.get(1) {
            Some(unit) => unit.to_array(args.number_rows)?,
            None => ScalarValue::Utf8View(Some("km^2".to_owned())).to_array_of_size(args.number_rows)?,
        };
        let area = |(text, unit)| match (cell_argument(self.name(), text)?, unit) {
            (Some(cell), Some(unit)) => area_in(cell, unit).map(Some),
            _ => Ok(None),
        };
        let rows = cells.as_string_view().iter().zip(units.as_string_view());
        let areas: Float64Array = rows.map(area).collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(areas)))
    }
}

fn area_in(cell: CellIndex, unit: &str) -> Result<f64> {
    match unit {
        "km^2" => Ok(cell.area_km2()),
        "m^2" => Ok(cell.area_m2()),
        "rads^2" => Ok(cell.area_rads2()),
        _ => exec_err!("h3_cell_area: '{unit}' is no unit; give 'km^2', 'm^2' or 'rads^2'"),
    }
}

#[cfg(test)]
mod tests {
    use h3o::Resolution;

    use super::*;

    #[test]
    fn the_areas_of_children_add_up_to_that_of_the_globe() {
        for resolution in [Resolution::Zero, Resolution::One, Resolution::Two, Resolution::Three] {
            let cells = CellIndex::base_cells().flat_map(|cell| cell.children(resolution));
            let sum: f64 = cells.map(|cell| area_in(cell, "rads^2").unwrap()).sum();
            assert!((sum / (4.0 * std::f64::consts::PI) - 1.0).abs() < 1e-9, "{resolution}: {sum}");
        }
    }

    #[test]
    fn areas_are_those_of_h3() {
        // h3-py 4.5.0: h3.cell_area(cell, unit)
        for (cell, unit, expected) in H3_PY_AREAS {
            let area = area_in(cell.parse().unwrap(), unit).unwrap();
            assert!((area / expected - 1.0).abs() < 1e-9, "{cell} {unit}: {area}");
        }
    }

    const H3_PY_AREAS: [(&str, &str, f64); 5] = [
        ("8001fffffffffff", "km^2", 4106166.3344638464),
        ("851fb467fffffff", "km^2", 225.33780746629893),
        ("851fb467fffffff", "m^2", 225337807.46629894),
        ("8f754e64992d6d8", "m^2", 0.6662957600292797),
        ("8009fffffffffff", "rads^2", 0.06312389871006807),
    ];
}
