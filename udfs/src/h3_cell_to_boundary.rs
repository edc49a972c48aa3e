//! `h3_cell_to_boundary(cell)`: the outline of a cell.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{AsArray, BinaryViewBuilder};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use earthcatalog_stac_rows::footprint::drawn_place;
use geo::{Coord, Geometry, LineString, Polygon};
use h3o::CellIndex;

use crate::cell_text::cell_argument;
use crate::geometry::to_wkb;

/// `h3_cell_to_boundary(cell) -> BinaryView`: the outline of an H3 cell as a WKB polygon in degrees (`geoarrow.wkb`,
/// OGC:CRS84), so that the ST_ functions take it.
///
/// As RFC 7946 draws it: a cell on the antimeridian is cut there into a multipolygon, and one that holds a pole is closed
/// along the pole. Null for null and for `__none__`, which rows without a geometry have in place of a cell; an error for
/// text that is no cell.
pub fn h3_cell_to_boundary_udf() -> ScalarUDF {
    ScalarUDF::from(H3CellToBoundary { signature: Signature::exact(vec![DataType::Utf8View], Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3CellToBoundary {
    signature: Signature,
}

impl ScalarUDFImpl for H3CellToBoundary {
    fn name(&self) -> &str {
        "h3_cell_to_boundary"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::BinaryView)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        let metadata = HashMap::from([
            ("ARROW:extension:name".to_owned(), "geoarrow.wkb".to_owned()),
            ("ARROW:extension:metadata".to_owned(), r#"{"crs":"OGC:CRS84","crs_type":"authority_code"}"#.to_owned()),
        ]);
        Ok(Arc::new(Field::new(self.name(), DataType::BinaryView, true).with_metadata(metadata)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let cells = args.args[0].to_array(args.number_rows)?;
        let mut outlines = BinaryViewBuilder::with_capacity(args.number_rows);
        for text in cells.as_string_view() {
            match cell_argument(self.name(), text)? {
                Some(cell) => outlines.append_value(to_wkb(self.name(), &outline(cell))?),
                None => outlines.append_null(),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(outlines.finish())))
    }
}

/// The outline of a cell in degrees, as RFC 7946 draws it.
pub fn outline(cell: CellIndex) -> Geometry {
    let mut ring: Vec<Coord> = cell.boundary().iter().map(|at| Coord::from(*at)).collect();
    // The edges of cells are short, but from the last vertex to the first round a pole.
    for i in 1..ring.len() {
        ring[i].x -= 360.0 * ((ring[i].x - ring[i - 1].x) / 360.0).round();
    }
    drawn_place(Polygon::new(LineString(ring), vec![]).into())
}
