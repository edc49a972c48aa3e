//! `h3_cells(geometry, resolution)`: the cells that a footprint touches.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::cell_text::{CellListBuilder, cell_list_type};
use crate::cover::{Coverer, Footprint};
use crate::geometry::{Geometries, check_geometry};
use crate::h3_resolution::{resolution_argument, resolution_literal};
use crate::rows::Rows;

/// `h3_cells(geometry, resolution) -> List(Utf8View)`: all H3 cells of a resolution that share at least a point with
/// the geometry, ascending, each once.
///
/// | argument | |
/// |---|---|
/// | `geometry` | WKB or EWKB (Binary, LargeBinary, BinaryView), or any GeoArrow type; degrees, edges straight in longitude and latitude |
/// | `resolution` | integer literal from 0 to 15 |
///
/// Null for a null or empty geometry. A polygon's cells also include those that only touch it where cell edges are
/// drawn straight in longitude and latitude, as most tools do; see [`crate::cover`].
///
/// Errors: bytes that are no WKB, and footprints of more than [`crate::cover::MAX_CELLS`] cells.
pub fn h3_cells_udf() -> ScalarUDF {
    ScalarUDF::from(H3Cells { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct H3Cells {
    signature: Signature,
}

impl ScalarUDFImpl for H3Cells {
    fn name(&self) -> &str {
        "h3_cells"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [geometry, resolution] if resolution.is_integer() => Ok(vec![geometry.clone(), resolution.clone()]),
            _ => plan_err!("h3_cells takes a geometry and a resolution, as in h3_cells(geometry, 1)"),
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(cell_list_type())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        resolution_literal(self.name(), args.scalar_arguments[1])?;
        check_geometry(self.name(), &args.arg_fields[0])?;
        Ok(Arc::new(Field::new(self.name(), cell_list_type(), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [geometry, resolution] = args.args.as_slice() else {
            return exec_err!("h3_cells takes a geometry and a resolution, not {} arguments", args.args.len());
        };
        let mut coverer = Coverer::new(resolution_argument(self.name(), resolution)?);
        let rows = Rows::of(std::slice::from_ref(geometry), args.number_rows);
        let geometry = Geometries::try_new("h3_cells", &geometry.to_array(rows.count)?, &args.arg_fields[0])?;

        let mut lists = CellListBuilder::default();
        for wkb in geometry.wkb() {
            match wkb {
                Some(wkb) => append_cover(wkb, &mut coverer, &mut lists)?,
                None => lists.append_null(),
            }
        }
        rows.answer(lists.finish())
    }
}

fn append_cover(wkb: &[u8], coverer: &mut Coverer, lists: &mut CellListBuilder) -> Result<()> {
    let footprint = Footprint::from_wkb(wkb).map_err(|e| exec_datafusion_err!("h3_cells: {e}"))?;
    if footprint.is_empty() {
        lists.append_null();
        return Ok(());
    }
    let cells = coverer.cover(&footprint).map_err(|e| exec_datafusion_err!("h3_cells: {e}"))?;
    lists.append(&cells);
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn answer(sql: &str) -> Result<String> {
        let session = SessionContext::new();
        session.register_udf(h3_cells_udf());
        session.register_udf(geodatafusion::udf::native::constructors::Point::default().into());
        let batches = session.sql(sql).await?.collect().await?;
        Ok(pretty_format_batches(&batches)?.to_string().lines().nth(3).unwrap_or_default().to_owned())
    }

    /// Paris, as WKB.
    const POINT: &str = "X'0101000000CDCCCCCCCCCC0240CDCCCCCCCC6C4840'";

    #[tokio::test]
    async fn any_kind_of_binary_is_read() {
        for kind in ["BYTEA", "LargeBinary", "BinaryView"] {
            let geometry = format!("arrow_cast({POINT}, '{}')", kind.replace("BYTEA", "Binary"));
            let cells = answer(&format!("SELECT h3_cells({geometry}, 5) AS cells")).await.unwrap();
            assert_eq!(cells, "| [851fb467fffffff] |", "{kind}");
        }
    }

    #[tokio::test]
    async fn the_result_of_an_st_function_is_read() {
        let cells = answer("SELECT h3_cells(ST_Point(2.35, 48.85), 5) AS cells").await.unwrap();
        assert_eq!(cells, "| [851fb467fffffff] |");
    }

    #[tokio::test]
    async fn null_and_empty_geometries_have_no_list() {
        let sql = "SELECT h3_cells(g, 1) IS NULL AS nothing FROM (VALUES (X'010700000000000000'), (NULL)) AS t(g)";
        assert_eq!(answer(sql).await.unwrap(), "| true    |");
        assert_eq!(answer("SELECT h3_cells(NULL, 1) IS NULL AS nothing").await.unwrap(), "| true    |");
    }

    #[tokio::test]
    async fn errors_say_what_is_wrong() {
        let text = answer("SELECT h3_cells('POINT(1 2)', 1)").await.unwrap_err().to_string();
        assert!(text.contains("which is no geometry; give WKB or the result of an ST_ function"), "{text}");
        let bytes = answer("SELECT h3_cells(X'00', 1)").await.unwrap_err().to_string();
        assert!(bytes.contains("h3_cells: geometry is not readable as WKB"), "{bytes}");
        let fine = answer(&format!("SELECT h3_cells({POINT}, 16)")).await.unwrap_err().to_string();
        assert!(fine.contains("there is no H3 resolution 16; give a whole number from 0 to 15"), "{fine}");
        let varying = answer(&format!("SELECT h3_cells({POINT}, r) FROM (VALUES (1), (2)) AS t(r)")).await;
        let varying = varying.unwrap_err().to_string();
        assert!(varying.contains("the resolution differs from row to row"), "{varying}");
    }
}
