//! What EXPLAIN answers, as text: plans have lines of their own, which no table could hold.

use std::io::Write;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;

use super::{OutputError, RowWriter, shorter};

/// Whether rows of this schema are those of EXPLAIN.
pub(super) fn is_plan(schema: &Schema) -> bool {
    schema.fields().iter().map(|field| field.name()).eq(["plan_type", "plan"])
}

/// What the first plan of EXPLAIN VERBOSE is called.
const VERBOSE: &str = "initial_logical_plan";

/// Writes each plan below its name; lists are cut, unless VERBOSE asks for all of them.
#[derive(Default)]
pub(super) struct PlanWriter {
    is_verbose: bool,
}

impl RowWriter for PlanWriter {
    fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
        let text = |column: usize| cast(batch.column(column), &DataType::Utf8).map_err(DataFusionError::from);
        let (names, plans) = (text(0)?, text(1)?);
        for (name, plan) in names.as_string::<i32>().iter().zip(plans.as_string::<i32>()) {
            writeln!(out, "{}", name.unwrap_or_default())?;
            self.is_verbose |= name == Some(VERBOSE);
            for line in plan.unwrap_or_default().lines() {
                match self.is_verbose {
                    true => writeln!(out, "  {line}")?,
                    false => writeln!(out, "  {}", shorter(line))?,
                }
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

    #[tokio::test]
    async fn long_lists_are_cut_unless_the_question_is_verbose() {
        let list = (0..20).map(|n| format!("{n} + a AS c{n}")).collect::<Vec<_>>().join(", ");
        let query = format!("SELECT {list} FROM (VALUES (1)) AS v(a)");
        let short = text(&format!("EXPLAIN {query}"), Format::Table).await;
        assert!(short.contains("AS c3, … 16 more\n") && !short.contains("c19"), "{short}");
        let long = text(&format!("EXPLAIN VERBOSE {query}"), Format::Table).await;
        assert!(long.contains("c19") && !long.contains("more]"), "{long}");
    }
}
