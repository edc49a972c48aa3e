//! `ST_GeomFromText(text)`: a geometry from WKT.

use std::sync::Arc;

use arrow::array::BinaryViewBuilder;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use earthcatalog_stac_rows::footprint::drawn;
use geodatafusion::udf::native::io::GeomFromText;

use crate::geometry::{Geometries, to_wkb, wkb_field};

/// `ST_GeomFromText(text) -> WKB`: the geometry of a WKT text, as PostGIS has it.
///
/// A geometry in degrees is cut at the antimeridian and closed along the poles as RFC 7946 draws it, as footprints are;
/// then it has two dimensions. Null for null.
///
/// Errors: text that is no WKT.
pub fn st_geom_from_text_udf() -> ScalarUDF {
    ScalarUDF::from(StGeomFromText { reader: GeomFromText::default() })
}

/// The function of geodatafusion, of which the result is drawn.
#[derive(Debug, PartialEq, Eq, Hash)]
struct StGeomFromText {
    reader: GeomFromText,
}

impl ScalarUDFImpl for StGeomFromText {
    fn name(&self) -> &str {
        self.reader.name()
    }

    fn aliases(&self) -> &[String] {
        self.reader.aliases()
    }

    fn signature(&self) -> &Signature {
        self.reader.signature()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("st_geomfromtext has a return field")
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(wkb_field(self.name()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let text_field = args.arg_fields[0].clone();
        let scalars = args.args.iter().map(|arg| match arg {
            ColumnarValue::Scalar(scalar) => Some(scalar),
            ColumnarValue::Array(_) => None,
        });
        let scalar_arguments: Vec<_> = scalars.collect();
        let native = self.reader.return_field_from_args(ReturnFieldArgs {
            arg_fields: &[text_field],
            scalar_arguments: &scalar_arguments,
        })?;
        let read = ScalarFunctionArgs { return_field: native.clone(), ..args.clone() };
        let read = self.reader.invoke_with_args(read)?.to_array(rows)?;
        let geometries = Geometries::try_new("st_geomfromtext", &read, &native)?;
        let mut wkb = BinaryViewBuilder::with_capacity(rows);
        for row in 0..geometries.len() {
            // What is not in degrees is of another plane.
            match geometries.get(row)?.map(|geometry| drawn(&geometry, None).unwrap_or_default()) {
                Some(Some(drawn)) => wkb.append_value(to_wkb(self.name(), &drawn.geometry)?),
                Some(None) => wkb.append_value(geometries.wkb().value(row)),
                None => wkb.append_null(),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(wkb.finish())))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.reader.documentation()
    }
}
