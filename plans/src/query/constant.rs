//! Geometries that a statement spells out.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::physical_expr::create_physical_expr;
use earthcatalog_udfs::geometry_of;
use geo::Geometry;

/// The geometry that an expression is in every row, be it a literal or made by ST_ functions of literals.
///
/// `None` if it depends on a row, is null, or is no geometry.
pub(super) fn constant_geometry(expr: &Expr) -> Option<Geometry> {
    let (value, field) = evaluate(expr)?;
    geometry_of(&value, &field).ok()?
}

/// The number that an expression is in every row.
pub(super) fn constant_number(expr: &Expr) -> Option<f64> {
    let (value, _) = evaluate(expr)?;
    match value.cast_to(&arrow::datatypes::DataType::Float64).ok()? {
        ScalarValue::Float64(number) => number,
        _ => None,
    }
}

fn evaluate(expr: &Expr) -> Option<(ScalarValue, arrow::datatypes::FieldRef)> {
    if expr.is_volatile() || !expr.column_refs().is_empty() || expr.contains_outer() {
        return None;
    }
    let constant =
        create_physical_expr(expr, &DFSchema::empty(), &ExecutionProps::new(), &PhysicalPlanningContext::default())
            .ok()?;
    let schema = Arc::new(Schema::empty());
    let field = constant.return_field(&schema).ok()?;
    let one_row = RecordBatchOptions::new().with_row_count(Some(1));
    let one_row = RecordBatch::try_new_with_options(schema, vec![], &one_row).ok()?;
    let value = match constant.evaluate(&one_row).ok()? {
        ColumnarValue::Scalar(value) => value,
        ColumnarValue::Array(values) => ScalarValue::try_from_array(&values, 0).ok()?,
    };
    Some((value, field))
}
