//! [`WriteGeoParquetExec`]: writes each partition of its input into part files of its own, one per bucket.

use std::fmt;
use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::functions::datetime::date_part;
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexRequirement, OrderingRequirements, PhysicalExpr, PhysicalSortRequirement,
    ScalarFunctionExpr,
};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, InputDistributionRequirements, Partitioning,
    PlanProperties,
};
use futures::stream;

use super::WriteTarget;
use super::attempt::{Attempt, AttemptMetrics, RowSource};
use super::format::PartFileFormat;
use super::task::Task;
use crate::checkpoint::{Checkpoints, TaskOf};
use crate::model::items::GRID_PARTITION;
use crate::model::part_file::{SINK_SCHEMA, encode};
use crate::runtime::{only_input, partition_numbers};
use crate::source;

/// Writes each partition of its input, the columns of table `items`, as GeoParquet below a warehouse.
///
/// Output: as many partitions as the input has, each with the records ([`SINK_SCHEMA`]) of the files that it wrote, and
/// of its chunk if a STAC scan is below. Its input is sorted by bucket within each partition. Every execution writes
/// files of its own, which nothing names until their records have been committed. With
/// [checkpoints](WriteTarget::checkpoints), a partition is written once, however often it is executed: the first
/// execution to end leaves its records, and the others hand those on.
#[derive(Debug, Clone)]
pub struct WriteGeoParquetExec {
    input: Arc<dyn ExecutionPlan>,
    target: Arc<WriteTarget>,
    format: Arc<PartFileFormat>,
    /// Of each partition, its number in the plan of which this is a part; all are there where it is `None`.
    numbers: Option<Arc<[usize]>>,
    task_of: TaskOf,
    ordering: OrderingRequirements,
    metrics: ExecutionPlanMetricsSet,
    properties: Arc<PlanProperties>,
}

impl WriteGeoParquetExec {
    /// An error if `input` has other columns than the table, or the table lacks a field id.
    pub fn try_new(input: Arc<dyn ExecutionPlan>, target: Arc<WriteTarget>) -> Result<Self> {
        check_columns(&input, &target)?;
        Ok(Self {
            format: Arc::new(PartFileFormat::try_new(&target)?),
            numbers: None,
            task_of: |_, _| None,
            ordering: required_ordering(&target)?,
            properties: Arc::new(properties_of(&input)),
            metrics: ExecutionPlanMetricsSet::new(),
            input,
            target,
        })
    }

    /// The plan whose rows are written.
    pub fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }

    /// The same, as a run that leaves checkpoints.
    pub fn with_checkpoints(&self, run: &str, checkpoints: Checkpoints) -> Self {
        let (run, checkpoints) = (run.to_owned(), Some(checkpoints));
        let target = WriteTarget { run, checkpoints, ..self.target.as_ref().clone() };
        Self { target: Arc::new(target), metrics: ExecutionPlanMetricsSet::new(), ..self.clone() }
    }

    /// The same, with the names that a leaf which is no STAC scan gives to the tasks of its partitions.
    pub fn with_task_of(self, task_of: TaskOf) -> Self {
        Self { task_of, ..self }
    }

    /// The same, as a task that has some partitions of a larger plan: those of these numbers.
    ///
    /// Errors: there are not as many.
    pub fn with_numbers(&self, numbers: &[usize]) -> Result<Self> {
        match self.properties.partitioning.partition_count() {
            n if n == numbers.len() => Ok(Self { numbers: Some(numbers.into()), ..self.clone() }),
            n => internal_err!("a task with {} partitions to write has {n}", numbers.len()),
        }
    }

    /// Where and how they are written.
    pub fn target(&self) -> &Arc<WriteTarget> {
        &self.target
    }
}

impl DisplayAs for WriteGeoParquetExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "WriteGeoParquetExec: warehouse={}", self.target.warehouse)
            }
            DisplayFormatType::TreeRender => write!(f, "warehouse={}", self.target.warehouse),
        }
    }
}

impl ExecutionPlan for WriteGeoParquetExec {
    fn name(&self) -> &str {
        "WriteGeoParquetExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![Some(self.ordering.clone())]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let cell = self.input.schema().index_of(GRID_PARTITION).ok().filter(|_| self.target.by_cell);
        InputDistributionRequirements::new(vec![match cell {
            Some(index) => Distribution::KeyPartitioned(vec![Arc::new(Column::new(GRID_PARTITION, index))]),
            None => Distribution::UnspecifiedDistribution,
        }])
    }

    /// A partition is what one task reads, so more of them are more files, not more speed.
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
        let input = Arc::clone(only_input("WriteGeoParquetExec", &children)?);
        check_columns(&input, &self.target)?;
        let properties = Arc::new(properties_of(&input));
        Ok(Arc::new(Self { input, properties, metrics: ExecutionPlanMetricsSet::new(), ..Self::clone(&self) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = MetricBuilder::new(&self.metrics).counter("rows", partition);
        let metrics = AttemptMetrics {
            files: MetricBuilder::new(&self.metrics).counter("files", partition),
            rows,
            bytes: MetricBuilder::new(&self.metrics).counter("bytes", partition),
            encode_time: MetricBuilder::new(&self.metrics).subset_time("encode_time", partition),
            write_time: MetricBuilder::new(&self.metrics).subset_time("write_time", partition),
        };
        let number = self.numbers.as_ref().and_then(|numbers| numbers.get(partition)).copied().unwrap_or(partition);
        let named = |of| Task::try_new(of, &self.target, &self.input, partition, number, self.task_of);
        let task = self.target.checkpoints.as_ref().map(named);
        let task = task.transpose()?;
        let staged = task.as_ref().and_then(Task::staged);
        let (target, format) = (Arc::clone(&self.target), Arc::clone(&self.format));
        let source = match source::reads_chunks(&self.input) {
            true => RowSource::Chunk { keeps_items: keeps_rows(&self.input) },
            false => RowSource::Query,
        };
        let attempt = Attempt::try_new(target, format, number, staged, source, metrics)?;
        let input = Arc::clone(&self.input);
        let write = async move |attempt: Attempt| {
            let rows = input.execute(partition, context)?;
            attempt.run(rows, || source::chunk_outcome(&input, partition)).await
        };
        let records = async move {
            let records = match task {
                Some(task) => task.once(attempt, write).await?,
                None => write(attempt).await?.keep().0,
            };
            encode(&records)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&SINK_SCHEMA), stream::once(records))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

fn properties_of(input: &Arc<dyn ExecutionPlan>) -> PlanProperties {
    PlanProperties::new(
        EquivalenceProperties::new(Arc::clone(&SINK_SCHEMA)),
        Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
        EmissionType::Final,
        Boundedness::Bounded,
    )
}

fn check_columns(input: &Arc<dyn ExecutionPlan>, target: &WriteTarget) -> Result<()> {
    let (found, expected) = (input.schema(), target.schema.table_schema());
    let same = found.fields().len() == expected.fields().len()
        && found.fields().iter().zip(expected.fields()).all(|(found, expected)| {
            found.name() == expected.name() && found.data_type().equals_datatype(expected.data_type())
        });
    if !same {
        let columns = |schema: &arrow::datatypes::Schema| {
            let columns = schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type()));
            columns.collect::<Vec<_>>().join(", ")
        };
        return plan_err!(
            "the rows to write have columns ({}), the table has ({})",
            columns(&found),
            columns(expected)
        );
    }
    Ok(())
}

/// The order that gathers the rows of a bucket, and sorts them within it.
fn required_ordering(target: &WriteTarget) -> Result<OrderingRequirements> {
    let schema = target.schema.table_schema();
    let column = |name: &str| -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new_with_schema(name, schema)?)) };
    let year: Arc<dyn PhysicalExpr> = Arc::new(ScalarFunctionExpr::try_new(
        date_part(),
        vec![lit("year"), column("datetime")?],
        schema,
        Arc::new(ConfigOptions::default()),
    )?);
    let mut keys = vec![column(GRID_PARTITION)?, year];
    for name in target.schema.sort_columns() {
        keys.push(column(name)?);
    }
    let ascending = SortOptions { descending: false, nulls_first: false };
    let keys = keys.into_iter().map(|key| PhysicalSortRequirement::new(key, Some(ascending)));
    match LexRequirement::new(keys) {
        Some(requirement) => Ok(OrderingRequirements::new(requirement)),
        None => internal_err!("rows are sorted by nothing"),
    }
}

/// Whether every Item that the leaf below decodes has a row in the output of `plan`. `UnnestExec` keeps them all in a
/// fan-out, because the list of an Item without cells has the one element `__none__`.
fn keeps_rows(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let any = plan.as_ref();
    let keeps = any.is::<ProjectionExec>()
        || any.is::<UnnestExec>()
        || any.is::<CooperativeExec>()
        || any.downcast_ref::<SortExec>().is_some_and(|sort| sort.fetch().is_none());
    match partition_numbers::inputs(plan).as_slice() {
        [] => true,
        [input] => keeps && keeps_rows(input),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::filter::FilterExec;

    use super::*;
    use crate::sink::tests::sink;

    #[test]
    fn the_sink_trusts_the_counts_of_a_chunk_unless_rows_can_be_dropped_on_the_way() {
        let plan = sink("memory://keeps/wh/", &[vec![]]);
        assert!(keeps_rows(plan.input()));
        let filter = FilterExec::try_new(lit(true), Arc::clone(plan.input())).unwrap();
        assert!(!keeps_rows(&(Arc::new(filter) as Arc<dyn ExecutionPlan>)));
    }
}
