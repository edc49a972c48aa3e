//! `ST_GeomFromText(text)`: a geometry from WKT.

use std::sync::Arc;

use arrow::array::{AsArray, BinaryViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use earthcatalog_stac_rows::footprint::drawn;
use geodatafusion::udf::native::io::GeomFromText;

use crate::geometry::{Geometries, to_wkb, wkb_field};
use crate::wkt_fault::{WktFault, wkt_fault};

/// `ST_GeomFromText(text) -> WKB`: the geometry of a WKT text, as PostGIS has it.
///
/// A geometry in degrees is cut at the antimeridian and closed along the poles as RFC 7946 draws it, as footprints are;
/// then it has two dimensions. Null for null.
///
/// Errors: text that is not WKT, or with a ring that does not end where it begins.
pub fn st_geom_from_text_udf() -> ScalarUDF {
    ScalarUDF::from(StGeomFromText { reader: GeomFromText::default() })
}

/// Characters of a text that an error quotes.
const QUOTED: usize = 60;

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
        let texts = cast(&args.args[0].to_array(1)?, &DataType::Utf8View)?;
        let fault = |text| Some((text, wkt_fault(text)?));
        let faults: Vec<(&str, WktFault)> = texts.as_string_view().iter().flatten().filter_map(fault).collect();
        let refused = |(text, fault): &(&str, WktFault)| {
            let beginning: String = text.chars().take(QUOTED).collect();
            exec_datafusion_err!("{}: {beginning:?} is not WKT: {fault}", self.name())
        };
        if let Some(wrong) = faults.iter().find(|(_, fault)| !matches!(fault, WktFault::Malformed(_))) {
            return Err(refused(wrong));
        }
        let read = self.reader.invoke_with_args(read).and_then(|read| read.to_array(rows));
        // A form that the reader takes is one.
        let read = read.map_err(|e| faults.first().map_or(e, refused))?;
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

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    #[tokio::test]
    async fn a_fault_is_said_in_words() {
        let session = SessionContext::new();
        session.register_udf(st_geom_from_text_udf());
        let answer = async |wkt: &str| {
            let sql = format!("SELECT st_geomfromtext(t) FROM (VALUES ('POINT(1 2)'), (NULL), ('{wkt}')) AS texts(t)");
            session.sql(&sql).await?.collect().await
        };
        answer("POLYGON((0 0,1 0,1 1,0 0))").await.unwrap();
        for (wkt, words) in [
            ("POLYGON((0 0,1 0,1 1))", "\"POLYGON((0 0,1 0,1 1))\" is not WKT: a ring must end where it begins"),
            ("POINT(1)", "\"POINT(1)\" is not WKT: a position has two numbers"),
        ] {
            let error = answer(wkt).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
