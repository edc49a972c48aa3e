//! `ST_MakeEnvelope(xmin, ymin, xmax, ymax[, srid])`: a box as a polygon.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryViewBuilder};
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use earthcatalog_stac_rows::footprint::drawn_box;

use crate::geometry::{to_wkb, wkb_field};

/// `ST_MakeEnvelope(xmin, ymin, xmax, ymax[, srid]) -> WKB`: the box as a polygon, as PostGIS has it.
///
/// In degrees, the box goes over the antimeridian where `xmin` > `xmax`, and is cut there into two. Without width or height it is
/// a line or a point.
///
/// Null if a side is null. The `srid` is accepted and ignored: geometries of the table are longitude and latitude.
pub fn st_make_envelope_udf() -> ScalarUDF {
    let sides = [DataType::Float64, DataType::Float64, DataType::Float64, DataType::Float64];
    let with_srid = [&sides[..], &[DataType::Int64]].concat();
    let signature = vec![TypeSignature::Exact(sides.to_vec()), TypeSignature::Exact(with_srid)];
    ScalarUDF::from(StMakeEnvelope { signature: Signature::one_of(signature, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StMakeEnvelope {
    signature: Signature,
}

impl ScalarUDFImpl for StMakeEnvelope {
    fn name(&self) -> &str {
        "st_makeenvelope"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("st_makeenvelope has a return field")
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(wkb_field(self.name()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let sides = args.args[..4].iter().map(|side| side.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        let sides: Vec<_> = sides.iter().map(|side| side.as_primitive::<Float64Type>()).collect();
        let mut boxes = BinaryViewBuilder::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let side = |i: usize| sides[i].is_valid(row).then(|| sides[i].value(row));
            let (Some(xmin), Some(ymin), Some(xmax), Some(ymax)) = (side(0), side(1), side(2), side(3)) else {
                boxes.append_null();
                continue;
            };
            let envelope = drawn_box([xmin, ymin.min(ymax), xmax, ymin.max(ymax)]);
            boxes.append_value(to_wkb(self.name(), &envelope)?);
        }
        Ok(ColumnarValue::Array(Arc::new(boxes.finish())))
    }
}
