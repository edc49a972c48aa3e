//! Whether a plan that writes buckets again leaves their rows as they are.

use std::sync::Arc;

use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};

use crate::scan::buckets::BucketScanExec;
use crate::sink::WriteGeoParquetExec;

/// Whether each column that `sink` writes is the one of that name of the buckets below, so that what is written are
/// some of their rows, unchanged. False where that cannot be told.
pub(super) fn writes_rows_as_read(sink: &WriteGeoParquetExec) -> bool {
    let columns = sink.input().schema();
    columns.fields().iter().enumerate().all(|(i, field)| is_read_as(field.name(), sink.input(), i))
}

fn is_read_as(name: &str, plan: &Arc<dyn ExecutionPlan>, index: usize) -> bool {
    let any = plan.as_ref();
    if any.is::<BucketScanExec>() {
        return plan.schema().field(index).name() == name;
    }
    let input = match plan.children().as_slice() {
        [input] => Arc::clone(input),
        _ => return false,
    };
    if let Some(projection) = any.downcast_ref::<ProjectionExec>() {
        return column(&projection.expr()[index].expr).is_some_and(|index| is_read_as(name, &input, index));
    }
    if let Some(filter) = any.downcast_ref::<FilterExec>() {
        let index = filter.projection().as_ref().map_or(index, |projection| projection[index]);
        return is_read_as(name, &input, index);
    }
    // Window functions add their columns behind those that they read.
    let adds = any.is::<BoundedWindowAggExec>() || any.is::<WindowAggExec>();
    let same = adds || any.is::<SortExec>() || any.is::<CooperativeExec>();
    same && index < input.schema().fields().len() && is_read_as(name, &input, index)
}

/// The column that an expression is, if it is one, in whatever type.
fn column(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return column(cast.expr());
    }
    expr.downcast_ref::<Column>().map(Column::index)
}
