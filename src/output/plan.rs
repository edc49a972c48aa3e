//! What EXPLAIN answers, as text: plans have lines of their own, which no table could hold.

use std::io::Write;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;

use super::{OutputError, RowWriter};

/// Whether rows of this schema are those of EXPLAIN.
pub(super) fn is_plan(schema: &Schema) -> bool {
    schema.fields().iter().map(|field| field.name()).eq(["plan_type", "plan"])
}

/// Writes each plan below its name.
pub(super) struct PlanWriter;

impl RowWriter for PlanWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        let text = |column: usize| cast(batch.column(column), &DataType::Utf8).map_err(DataFusionError::from);
        let (names, plans) = (text(0)?, text(1)?);
        for (name, plan) in names.as_string::<i32>().iter().zip(plans.as_string::<i32>()) {
            writeln!(out, "{}", name.unwrap_or_default())?;
            for line in plan.unwrap_or_default().lines() {
                writeln!(out, "  {line}")?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut dyn Write) -> Result<(), OutputError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::output::Format;
    use crate::output::tests::text;

    #[tokio::test]
    async fn the_lines_of_a_plan_stay_lines() {
        let text = text("EXPLAIN SELECT 1 AS n", Format::Table).await;
        assert!(text.starts_with("logical_plan\n  Projection: Int64(1) AS n\n    EmptyRelation: rows=1\n"), "{text}");
    }
}
