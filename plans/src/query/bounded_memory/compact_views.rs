//! [`CompactViewsExec`]: batches that hold on to no memory but their own.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::TryStreamExt;

use crate::runtime::only_input;

/// Hands on its input, with texts and binaries copied to where there are no others.
#[derive(Debug)]
pub struct CompactViewsExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl CompactViewsExec {
    pub fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = Arc::clone(input.properties());
        Self { input, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for CompactViewsExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "CompactViewsExec"),
            DisplayFormatType::TreeRender => Ok(()),
        }
    }
}

impl ExecutionPlan for CompactViewsExec {
    fn name(&self) -> &str {
        "CompactViewsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = Arc::clone(only_input("CompactViewsExec", &children)?);
        Ok(Arc::new(Self::new(input)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let batches = self.input.execute(partition, context)?;
        let compacted = batches.and_then(move |batch| {
            let _timer = metrics.elapsed_compute().timer();
            std::future::ready(compact(&batch).record_output(&metrics))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), compacted)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compact_array).collect();
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &rows)?)
}

fn compact_array(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        DataType::List(element) if matches!(element.data_type(), DataType::Utf8View) => {
            let list = array.as_list::<i32>();
            let (first, last) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
            let values = compact_array(&list.values().slice(first as usize, (last - first) as usize));
            let offsets = list.value_offsets().iter().map(|offset| offset - first).collect::<Vec<_>>();
            // The offsets are those of a valid list, counted from the first of its values.
            let offsets = arrow::buffer::OffsetBuffer::new(offsets.into());
            Arc::new(arrow::array::ListArray::new(Arc::clone(element), offsets, values, list.nulls().cloned()))
        }
        _ => Arc::clone(array),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ListBuilder, StringViewArray, StringViewBuilder};

    use super::*;

    #[test]
    fn a_slice_holds_on_to_its_own_texts_only() {
        let text = |n: usize| format!("{n}-{}", "x".repeat(1_000));
        let texts: StringViewArray = (0..1_000).map(|n| Some(text(n))).collect();
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for n in 0..1_000 {
            lists.append_option((n % 2 == 0).then(|| [Some(text(n)), None]));
        }
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("text", Arc::new(texts) as ArrayRef, true),
            ("list", Arc::new(lists.finish()) as ArrayRef, true),
        ]);
        let slice = batch.unwrap().slice(500, 10);
        let compacted = compact(&slice).unwrap();
        assert_eq!(compacted, slice);
        assert!(compacted.get_array_memory_size() < 100_000 && slice.get_array_memory_size() > 1_000_000);
    }
}
