//! [`PromotedColumn`]: a column of the table that a file says in another way, as an expression over the file's columns.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Fields, Schema};
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::PhysicalExpr;

use crate::model::promotion::Promotion;

/// Column `properties`, or a promoted one, as [`Promotion`] makes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PromotedColumn {
    promotion: Arc<Promotion>,
    column: FieldRef,
    /// Empty until [`Self::over`] says of which file.
    inputs: Vec<Arc<dyn PhysicalExpr>>,
}

impl PromotedColumn {
    pub fn new(promotion: Arc<Promotion>, column: FieldRef) -> Self {
        Self { promotion, column, inputs: vec![] }
    }

    /// The same over the columns of a file.
    pub fn over(&self, file: &Fields) -> Self {
        let input = |i: usize| Arc::new(Column::new(file[i].name(), i)) as Arc<dyn PhysicalExpr>;
        Self { inputs: self.promotion.inputs().map(input).collect(), ..self.clone() }
    }
}

impl PhysicalExpr for PromotedColumn {
    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        Ok(Arc::clone(&self.column))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let rows = batch.num_rows();
        let inputs = self.inputs.iter().map(|input| input.evaluate(batch)?.into_array(rows));
        let column = self.promotion.column(&self.column, &inputs.collect::<Result<Vec<_>>>()?, rows)?;
        Ok(ColumnarValue::Array(column))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.inputs.iter().collect()
    }

    fn with_new_children(self: Arc<Self>, inputs: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Self { inputs, ..self.as_ref().clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for PromotedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "promoted({})", self.column.name())
    }
}
