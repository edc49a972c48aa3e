//! Which partitions of the whole plan a task has: an input for leaves that travel.
//!
//! A scheduler gives each task a plan that is cut down to some of its partitions. It knows how to cut down DataFusion's
//! leaves, and would leave others as they are, so that each task read everything. Therefore a leaf of ours that travels has
//! an input that the scheduler knows: tables in memory, the one of each partition with its number. The leaf has the
//! partitions of that input, whatever is left of them.

use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

/// One column, `earthcatalog:partition`, UInt64, never null.
static SCHEMA: LazyLock<SchemaRef> =
    LazyLock::new(|| Arc::new(Schema::new(vec![Field::new("earthcatalog:partition", DataType::UInt64, false)])));

/// The input of a leaf of `count` partitions, all of which are still there.
pub(crate) fn number(count: usize) -> Result<Arc<dyn ExecutionPlan>> {
    let partition = |number: usize| {
        let numbers = UInt64Array::from(vec![number as u64]);
        Ok(vec![RecordBatch::try_new(Arc::clone(&SCHEMA), vec![Arc::new(numbers)])?])
    };
    let partitions: Vec<_> = (0..count).map(partition).collect::<Result<_>>()?;
    Ok(MemorySourceConfig::try_new_exec(&partitions, Arc::clone(&SCHEMA), None)?)
}

/// The partitions that are left in such an input, by their numbers.
///
/// Errors: `input` is something else.
pub(crate) fn numbers(input: &Arc<dyn ExecutionPlan>) -> Result<Vec<usize>> {
    let something_else = || internal_datafusion_err!("{} tells no partitions of a leaf", input.name());
    let tables = is_numbers(input).then(|| input.downcast_ref::<DataSourceExec>()).flatten();
    let tables = tables.and_then(|scan| scan.data_source().downcast_ref::<MemorySourceConfig>());
    let number = |batches: &Vec<RecordBatch>| match batches.as_slice() {
        [batch] if batch.num_rows() == 1 => Ok(batch.column(0).as_primitive::<UInt64Type>().value(0) as usize),
        _ => Err(something_else()),
    };
    tables.ok_or_else(something_else)?.partitions().iter().map(number).collect()
}

/// The inputs of an operator from which rows come.
pub(crate) fn inputs(plan: &Arc<dyn ExecutionPlan>) -> Vec<&Arc<dyn ExecutionPlan>> {
    let mut inputs = plan.children();
    inputs.retain(|input| !is_numbers(input));
    inputs
}

fn is_numbers(input: &Arc<dyn ExecutionPlan>) -> bool {
    input.is::<DataSourceExec>() && input.schema() == *SCHEMA
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_keep_their_numbers_however_few_are_left() {
        let all = number(3).unwrap();
        assert_eq!(numbers(&all).unwrap(), [0, 1, 2]);
        let tables = all.downcast_ref::<DataSourceExec>().unwrap().data_source();
        let tables = tables.downcast_ref::<MemorySourceConfig>().unwrap();
        let left = [tables.partitions()[2].clone()];
        let left: Arc<dyn ExecutionPlan> = MemorySourceConfig::try_new_exec(&left, Arc::clone(&SCHEMA), None).unwrap();
        assert_eq!(numbers(&left).unwrap(), [2]);
    }

    #[test]
    fn another_table_in_memory_has_no_numbers() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::UInt64, false)]));
        let table: Arc<dyn ExecutionPlan> = MemorySourceConfig::try_new_exec(&[vec![]], schema, None).unwrap();
        assert!(numbers(&table).unwrap_err().to_string().contains("tells no partitions"));
    }
}
