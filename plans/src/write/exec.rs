//! [`WriteGeoParquetExec`]: writes each partition of its input into part files of its own, one per bucket.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::functions::datetime::date_part;
use datafusion::physical_expr::expressions::{Column, lit};
use datafusion::physical_expr::{
    EquivalenceProperties, LexRequirement, OrderingRequirements, PhysicalExpr, PhysicalSortRequirement,
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
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::stream;

use super::WriteTarget;
use super::attempt::{Attempt, AttemptMetrics};
use super::format::PartFileFormat;
use crate::items::GRID_PARTITION;
use crate::part_file::{SINK_SCHEMA, encode};
use crate::stac;

/// Writes each partition of its input, the columns of table `items`, as GeoParquet below a warehouse.
///
/// Output: as many partitions as the input has, each with the records ([`SINK_SCHEMA`]) of the files that it wrote, and
/// of its chunk if a STAC scan is below. Its input is sorted by bucket within each partition. Every execution writes
/// files of its own, which nothing names until their records have been committed.
#[derive(Debug, Clone)]
pub struct WriteGeoParquetExec {
    input: Arc<dyn ExecutionPlan>,
    target: Arc<WriteTarget>,
    format: Arc<PartFileFormat>,
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

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![Some(self.ordering.clone())]
    }

    /// A partition is what one task reads, so more of them are more files, not more speed.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return internal_err!("WriteGeoParquetExec has one input");
        };
        check_columns(&input, &self.target)?;
        let properties = Arc::new(properties_of(&input));
        Ok(Arc::new(Self { input, properties, metrics: ExecutionPlanMetricsSet::new(), ..Self::clone(&self) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        let metrics = AttemptMetrics {
            files: MetricBuilder::new(&self.metrics).counter("files", partition),
            rows: MetricBuilder::new(&self.metrics).counter("rows", partition),
            bytes: MetricBuilder::new(&self.metrics).counter("bytes", partition),
            encode_time: MetricBuilder::new(&self.metrics).subset_time("encode_time", partition),
            write_time: MetricBuilder::new(&self.metrics).subset_time("write_time", partition),
        };
        let (target, format) = (Arc::clone(&self.target), Arc::clone(&self.format));
        let attempt = Attempt::try_new(target, format, partition, !keeps_rows(&self.input), metrics)?;
        let input = Arc::clone(&self.input);
        let records = async move {
            let records = attempt.run(rows, || stac::chunk_outcome(&input, partition)).await?;
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
    let any = plan.as_any();
    let keeps = any.is::<ProjectionExec>()
        || any.is::<UnnestExec>()
        || any.is::<CooperativeExec>()
        || any.downcast_ref::<SortExec>().is_some_and(|sort| sort.fetch().is_none());
    match plan.children().as_slice() {
        [] => true,
        [input] => keeps && keeps_rows(input),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use arrow::array::{AsArray, RecordBatch, RecordBatchReader};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{Int32Type, Schema};
    use arrow::util::pretty::pretty_format_batches;
    use async_trait::async_trait;
    use datafusion::catalog::MemTable;
    use datafusion::catalog::memory::MemorySourceConfig;
    use datafusion::common::DataFusionError;
    use datafusion::execution::context::QueryPlanner;
    use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
    use datafusion::logical_expr::{Extension, LogicalPlan};
    use datafusion::physical_plan::{collect, displayable, execute_stream_partitioned};
    use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
    use datafusion::prelude::{SessionConfig, SessionContext};
    use futures::{StreamExt, TryStreamExt};
    use object_store::{ObjectStore, ObjectStoreExt};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use serde_json::{Value, json};

    use super::*;
    use crate::items::NO_CELL;
    use crate::part_file::{PartFile, SinkRecord, decode};
    use crate::stores::{location_url, stores};
    use crate::write::sample::{ALASKA, GREENLAND, Row, batch, row, target};
    use crate::write::{WriteGeoParquet, WriteGeoParquetPlanner};

    /// A sink over sorted rows, one partition per element.
    fn sink(warehouse: &str, partitions: &[Vec<RecordBatch>]) -> Arc<WriteGeoParquetExec> {
        let target = target(warehouse);
        let input = MemorySourceConfig::try_new_exec(partitions, target.schema.table_schema().clone(), None).unwrap();
        Arc::new(WriteGeoParquetExec::try_new(input, Arc::new(target)).unwrap())
    }

    async fn write(warehouse: &str, rows: &[Row]) -> Result<Vec<PartFile>> {
        let plan = sink(warehouse, &[vec![batch(rows)]]);
        let output = collect(plan, SessionContext::new().task_ctx()).await?;
        files(&output)
    }

    fn files(output: &[RecordBatch]) -> Result<Vec<PartFile>> {
        let records = output.iter().map(decode).collect::<Result<Vec<_>>>()?.concat();
        let file = |record| match record {
            SinkRecord::Data(file) => Some(file),
            SinkRecord::Chunk(_) => None,
        };
        Ok(records.into_iter().filter_map(file).collect())
    }

    async fn open(file: &PartFile) -> ParquetRecordBatchReaderBuilder<bytes::Bytes> {
        let (store, path) = stores().locate(&location_url(&file.path).unwrap()).unwrap();
        let bytes = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes.len() as u64, file.bytes);
        ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap()
    }

    async fn read(file: &PartFile) -> RecordBatch {
        let reader = open(file).await.build().unwrap();
        let schema = reader.schema();
        concat_batches(&schema, &reader.map(|batch| batch.unwrap()).collect::<Vec<_>>()).unwrap()
    }

    async fn objects(warehouse: &str) -> Vec<String> {
        let (store, path) = stores().locate(&location_url(warehouse).unwrap()).unwrap();
        store.list(Some(&path)).map_ok(|object| object.location.to_string()).try_collect().await.unwrap()
    }

    fn buckets(files: &[PartFile]) -> Vec<(&str, Option<i32>, u64)> {
        files.iter().map(|file| (file.cell.as_str(), file.year, file.rows)).collect()
    }

    #[tokio::test]
    async fn every_bucket_becomes_a_file_in_its_folder() {
        let mut rows = vec![
            row("a", GREENLAND, "S1A", "2019-05-01T00:00:00Z"),
            row("b", GREENLAND, "S1A", "2020-01-01T00:00:00Z"),
            row("c", GREENLAND, "S1A", "2020-12-31T23:59:59.999999Z"),
            row("d", GREENLAND, "S1A", "2020-12-31T23:59:59.999999Z"),
            row("e", NO_CELL, "S1A", "2020-01-01T00:00:00Z"),
        ];
        rows[3].datetime = None;
        rows[4].point = None;

        let files = write("memory://every-bucket/wh/", &rows).await.unwrap();

        let expected =
            [(GREENLAND, Some(2019), 1), (GREENLAND, Some(2020), 2), (GREENLAND, None, 1), (NO_CELL, Some(2020), 1)];
        assert_eq!(buckets(&files), expected);
        let folder = format!("memory://every-bucket/wh/grid_partition={GREENLAND}/year=__HIVE_DEFAULT_PARTITION__/");
        assert!(files[2].path.starts_with(&folder), "{}", files[2].path);
        assert_eq!(objects("memory://every-bucket/wh/").await.len(), 4);
    }

    #[tokio::test]
    async fn rows_come_back_as_they_were() {
        let rows = (0..9).map(|i| Row {
            platform: (i % 3 > 0).then_some("LC08"),
            percent: (i % 2 > 0).then_some(i - 5),
            point: (i != 4).then_some([f64::from(i) / 7.0, -f64::from(i)]),
            ..row(format!("item-{i}"), ALASKA, "", "2021-06-01T12:00:00.25Z")
        });
        let rows = batch(&rows.collect::<Vec<_>>());
        let partitions = [vec![rows.slice(0, 4), rows.slice(4, 1), rows.slice(5, 4)]];
        let plan = sink("memory://come-back/wh/", &partitions);

        let output = collect(plan, SessionContext::new().task_ctx()).await.unwrap();

        let files = files(&output).unwrap();
        assert_eq!(buckets(&files), [(ALASKA, Some(2021), 9)]);
        let text = |batch: RecordBatch| pretty_format_batches(&[batch]).unwrap().to_string();
        assert_eq!(text(read(&files[0]).await), text(rows));
    }

    #[tokio::test]
    async fn a_bucket_goes_on_over_batches_and_input_order_is_kept() {
        let rows: Vec<_> = (0..50).map(|i| row(format!("{i:02}"), GREENLAND, "S1A", "2020-01-01T00:00:00Z")).collect();
        let batches = rows.chunks(7).map(batch).collect();
        let plan = sink("memory://over-batches/wh/", &[batches]);
        let files = files(&collect(plan, SessionContext::new().task_ctx()).await.unwrap()).unwrap();
        assert_eq!(buckets(&files), [(GREENLAND, Some(2020), 50)]);
        let ids: Vec<_> = rows.iter().map(|row| Some(row.id.as_str())).collect();
        assert_eq!(read(&files[0]).await["id"].as_string::<i32>().iter().collect::<Vec<_>>(), ids);
    }

    #[tokio::test]
    async fn each_partition_and_each_execution_writes_files_of_its_own() {
        let rows = vec![batch(&[row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z")])];
        let plan = sink("memory://own-files/wh/", &[rows.clone(), rows, vec![]]);
        let mut paths = HashSet::new();
        for _ in 0..2 {
            let streams = execute_stream_partitioned(plan.clone(), SessionContext::new().task_ctx()).unwrap();
            let per_partition: Vec<_> = futures::stream::iter(streams)
                .then(|stream| async { files(&stream.try_collect::<Vec<_>>().await.unwrap()).unwrap() })
                .collect()
                .await;
            assert_eq!(per_partition.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 0]);
            paths.extend(per_partition.into_iter().flatten().map(|file| file.path));
        }
        assert_eq!(paths.len(), 4);
        let metrics = plan.metrics().unwrap();
        assert_eq!(metrics.sum_by_name("files").unwrap().as_usize(), 4);
        assert_eq!(metrics.sum_by_name("rows").unwrap().as_usize(), 4);
    }

    #[tokio::test]
    async fn the_geo_key_and_the_extension_type_describe_the_geometry() {
        let rows = [
            Row { point: Some([-40.0, 70.0]), ..row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z") },
            Row { point: Some([-39.5, 71.0]), ..row("b", GREENLAND, "S1A", "2020-01-02T00:00:00Z") },
        ];
        let files = write("memory://geo-key/wh/", &rows).await.unwrap();
        let reader = open(&files[0]).await;

        let key_values = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert_eq!(key_values.iter().map(|kv| kv.key.as_str()).collect::<Vec<_>>(), ["ARROW:schema", "geo"]);
        let geo: Value = serde_json::from_str(key_values[1].value.as_ref().unwrap()).unwrap();
        assert_eq!(geo["version"], "1.1.0");
        assert_eq!(geo["columns"]["geometry"]["bbox"], json!([-40.0, 70.0, -39.5, 71.0]));
        assert_eq!(geo["columns"]["geometry"]["geometry_types"], json!(["Point"]));
        let field = reader.schema().field_with_name("geometry").unwrap();
        assert_eq!(field.extension_type_name(), Some("geoarrow.wkb"));
        // Not Parquet's own GEOMETRY type, which DuckDB and PyIceberg do not read everywhere.
        let geometry = &reader.parquet_schema().columns()[3];
        assert_eq!((geometry.name(), geometry.logical_type_ref()), ("geometry", None));
    }

    #[tokio::test]
    async fn every_column_and_its_children_carry_their_field_id() {
        let files = write("memory://ids/wh/", &[row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z")]).await.unwrap();
        let reader = open(&files[0]).await;
        fn ids(schema: &parquet::schema::types::Type, parent: &str, found: &mut Vec<(String, i32)>) {
            for field in schema.get_fields() {
                let info = field.get_basic_info();
                let path = format!("{parent}{}", info.name());
                // The group between a list and its element has no id in Iceberg.
                if info.name() == "list" {
                    ids(field, parent, found);
                    continue;
                }
                found.push((path.clone(), info.id()));
                if field.is_group() {
                    ids(field, &format!("{path}."), found);
                }
            }
        }
        let mut found = vec![];
        ids(reader.parquet_schema().root_schema(), "", &mut found);
        found.sort();
        assert_eq!(found, target("memory://ids/wh/").field_ids.into_iter().collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn statistics_are_those_of_the_rows() {
        let rows = [
            Row { percent: Some(7), ..row("b", GREENLAND, "LC08", "2020-01-01T00:00:00Z") },
            Row { percent: None, point: None, ..row("a", GREENLAND, "LC08", "2020-03-01T00:00:00Z") },
            Row { percent: Some(-3), ..row("c", GREENLAND, "S1A", "2020-02-01T00:00:00Z") },
        ];
        let rows = rows.map(|row| Row { assets: "{}".repeat(200), ..row });
        let file = write("memory://statistics/wh/", &rows).await.unwrap().remove(0);
        let ids = target("memory://statistics/wh/").field_ids;
        let of = |path: &str| file.columns.iter().find(|column| column.field_id == ids[path]).unwrap();
        let bounds = |path: &str| (of(path).lower.clone(), of(path).upper.clone());

        assert!(file.columns.is_sorted_by_key(|column| column.field_id));
        assert_eq!(bounds("id"), (Some(b"a".to_vec()), Some(b"c".to_vec())));
        let int = |value: i32| Some(value.to_le_bytes().to_vec());
        assert_eq!(bounds("percent_valid_pixels"), (int(-3), int(7)));
        assert_eq!((of("percent_valid_pixels").values, of("percent_valid_pixels").nulls), (3, 1));
        let micros = |time| Some(chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros().to_le_bytes());
        let micros = |time| micros(time).map(|bytes| bytes.to_vec());
        assert_eq!(bounds("datetime"), (micros("2020-01-01T00:00:00Z"), micros("2020-03-01T00:00:00Z")));
        let double = |value: f64| Some(value.to_le_bytes().to_vec());
        for column in ["bbox.ymin", "ymin"] {
            assert_eq!(bounds(column), (double(70.25), double(70.25)), "{column}");
            assert_eq!((of(column).values, of(column).nulls), (3, 1), "{column}");
        }
        for column in ["assets", "geometry", "stac_extensions.element", "created"] {
            assert_eq!(bounds(column), (None, None), "{column}");
        }
        assert_eq!(of("assets").nulls, 0);
        assert_eq!(of("created").nulls, 3);
        assert!(file.columns.iter().all(|column| column.bytes > 0));
        let chunk_bytes: u64 = file.columns.iter().map(|column| column.bytes).sum();
        assert!(chunk_bytes < file.bytes);

        let reader = open(&file).await;
        let assets = reader.metadata().row_group(0).columns().iter().find(|c| c.column_path().string() == "assets");
        let statistics = assets.unwrap().statistics().unwrap();
        assert_eq!((statistics.min_bytes_opt(), statistics.null_count_opt()), (None, Some(0)));
    }

    #[tokio::test]
    async fn a_string_bound_that_is_cut_short_is_not_recorded() {
        let rows = [row("x".repeat(500), GREENLAND, "S1A", "2020-01-01T00:00:00Z")];
        let file = write("memory://long-id/wh/", &rows).await.unwrap().remove(0);
        let id = file.columns.iter().find(|column| column.field_id == 1).unwrap();
        assert_eq!((&id.lower, &id.upper), (&None, &None));
    }

    #[tokio::test]
    async fn the_same_rows_give_the_same_bytes() {
        let rows: Vec<_> = (0..40).map(|i| row(format!("{i:02}"), GREENLAND, "S1A", "2020-01-01T00:00:00Z")).collect();
        let first = write("memory://same-bytes/wh/", &rows).await.unwrap().remove(0);
        let second = write("memory://same-bytes/wh/", &rows).await.unwrap().remove(0);
        assert_ne!(first.path, second.path);
        assert_eq!(open(&first).await.metadata().row_groups(), open(&second).await.metadata().row_groups());
        let bytes = async |file: &PartFile| {
            let (store, path) = stores().locate(&location_url(&file.path).unwrap()).unwrap();
            store.get(&path).await.unwrap().bytes().await.unwrap()
        };
        assert_eq!(bytes(&first).await, bytes(&second).await);
    }

    #[tokio::test]
    async fn a_large_bucket_is_written_in_parts_and_read_back() {
        // Text that zstd cannot shrink much, so that the file is larger than a part.
        let mut state = 1_u64;
        let mut noise = || {
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from(b'0' + (state >> 33) as u8 % 64)
            };
            (0..6_000).map(|_| next()).collect::<String>()
        };
        let rows: Vec<_> = (0..5_000)
            .map(|i| Row { assets: noise(), ..row(format!("{i:05}"), GREENLAND, "S1A", "2020-01-01T00:00:00Z") })
            .collect();
        let batches = rows.chunks(1_000).map(batch).collect();
        let plan = sink("memory://large/wh/", &[batches]);

        let files = files(&collect(plan, SessionContext::new().task_ctx()).await.unwrap()).unwrap();

        assert_eq!(buckets(&files), [(GREENLAND, Some(2020), 5_000)]);
        assert!(files[0].bytes > 20 << 20, "{}", files[0].bytes);
        let read = read(&files[0]).await;
        let expected: Vec<_> = rows.iter().map(|row| Some(row.assets.as_str())).collect();
        assert_eq!(read["assets"].as_string::<i32>().iter().collect::<Vec<_>>(), expected);
        assert_eq!(objects("memory://large/wh/").await.len(), 1);
    }

    #[tokio::test]
    async fn a_failed_attempt_leaves_no_file() {
        let mut rows: Vec<_> =
            (0..300).map(|i| row(format!("{i:03}"), GREENLAND, "S1A", "2020-01-01T00:00:00Z")).collect();
        rows.iter_mut().take(150).for_each(|row| row.cell = ALASKA);
        rows.push(row("x", "822837fffffffff", "S1A", "2020-01-01T00:00:00Z"));
        let batches = rows.chunks(100).map(batch).collect();
        let folder = tempfile::tempdir().unwrap();
        let warehouse = url::Url::from_directory_path(folder.path()).unwrap();
        let plan = sink(warehouse.as_str(), &[batches]);

        let error = collect(plan, SessionContext::new().task_ctx()).await.unwrap_err();

        assert!(error.to_string().contains("cell 822837fffffffff has H3 resolution 2"), "{error}");
        assert_eq!(objects(warehouse.as_str()).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_stream_that_is_dropped_half_way_removes_its_files() {
        let rows = batch(&[row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z")]);
        let next = batch(&[row("b", ALASKA, "S1A", "2020-01-01T00:00:00Z")]);
        let target = target("memory://dropped/wh/");
        let format = Arc::new(PartFileFormat::try_new(&target).unwrap());
        let metrics = AttemptMetrics {
            files: MetricBuilder::new(&ExecutionPlanMetricsSet::new()).counter("files", 0),
            rows: MetricBuilder::new(&ExecutionPlanMetricsSet::new()).counter("rows", 0),
            bytes: MetricBuilder::new(&ExecutionPlanMetricsSet::new()).counter("bytes", 0),
            encode_time: Default::default(),
            write_time: Default::default(),
        };
        let files_written = metrics.files.clone();
        let schema = target.schema.table_schema().clone();
        let attempt = Attempt::try_new(Arc::new(target), format, 0, false, metrics).unwrap();
        // Two buckets, and then an input that never ends.
        let input = futures::stream::iter([Ok(rows), Ok(next)]).chain(futures::stream::pending());
        let mut run = Box::pin(attempt.run(Box::pin(RecordBatchStreamAdapter::new(schema, input)), || None));

        assert!(futures::poll!(&mut run).is_pending());
        assert_eq!(files_written.value(), 1);
        drop(run);

        // The removal runs on this runtime, before anything that is spawned after it.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(objects("memory://dropped/wh/").await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn rows_with_other_columns_are_refused_before_anything_runs() {
        let target = target("memory://columns/wh/");
        let schema = Arc::new(Schema::new(target.schema.table_schema().fields()[1..].to_vec()));
        let input = MemorySourceConfig::try_new_exec(&[vec![]], schema, None).unwrap();
        let error = WriteGeoParquetExec::try_new(input, Arc::new(target)).unwrap_err();
        assert!(matches!(error, DataFusionError::Plan(_)), "{error}");
    }

    #[derive(Debug)]
    struct Planner;

    #[async_trait]
    impl QueryPlanner for Planner {
        async fn create_physical_plan(
            &self,
            plan: &LogicalPlan,
            state: &SessionState,
        ) -> Result<Arc<dyn ExecutionPlan>> {
            let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(WriteGeoParquetPlanner)]);
            planner.create_physical_plan(plan, state).await
        }
    }

    async fn planned(partitions: Vec<Vec<RecordBatch>>, warehouse: &str) -> (Arc<dyn ExecutionPlan>, SessionContext) {
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(8))
            .with_default_features()
            .with_query_planner(Arc::new(Planner))
            .build();
        let context = SessionContext::new_with_state(state);
        let target = target(warehouse);
        let table = MemTable::try_new(target.schema.table_schema().clone(), partitions).unwrap();
        context.register_table("rows", Arc::new(table)).unwrap();
        let input = context.sql("SELECT * FROM rows").await.unwrap().into_unoptimized_plan();
        let node = WriteGeoParquet { input: Arc::new(input), target: Arc::new(target) };
        let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        (context.state().create_physical_plan(&plan).await.unwrap(), context)
    }

    #[tokio::test]
    async fn the_planner_adds_one_sort_within_each_partition_and_nothing_else() {
        let rows = vec![batch(&[row("a", GREENLAND, "S1A", "2020-01-01T00:00:00Z")])];
        let (plan, _) = planned(vec![rows.clone(), rows.clone(), rows], "memory://plan/wh/").await;
        insta::assert_snapshot!(displayable(plan.as_ref()).indent(false), @"
        WriteGeoParquetExec: warehouse=memory://plan/wh/
          SortExec: expr=[grid_partition@1 ASC NULLS LAST, date_part(year, datetime@9) ASC NULLS LAST, platform@15 ASC NULLS LAST, datetime@9 ASC NULLS LAST], preserve_partitioning=[true]
            DataSourceExec: partitions=3, partition_sizes=[1, 1, 1]
        ");
    }

    #[tokio::test]
    async fn rows_are_sorted_within_each_file() {
        let mut rows = [
            row("5", GREENLAND, "S1A", "2020-07-01T00:00:00Z"),
            row("1", GREENLAND, "LC08", "2020-09-01T00:00:00Z"),
            row("9", ALASKA, "S1A", "2021-01-01T00:00:00Z"),
            row("6", GREENLAND, "zzz", "2020-01-01T00:00:00Z"),
            row("8", ALASKA, "S1A", "2020-05-01T00:00:00Z"),
            row("4", GREENLAND, "S1A", "2020-03-01T00:00:00Z"),
            row("7", GREENLAND, "LC08", "2020-01-01T00:00:00Z"),
        ];
        rows[3].platform = None;
        rows[6].datetime = None;
        for (i, row) in rows.iter_mut().enumerate() {
            row.percent = Some(i as i32);
        }
        let (plan, context) = planned(vec![vec![batch(&rows[..3]), batch(&rows[3..])]], "memory://sorted/wh/").await;

        let files = files(&collect(plan, context.task_ctx()).await.unwrap()).unwrap();

        let mut found = vec![];
        for file in &files {
            let rows = read(file).await;
            let percent = rows["percent_valid_pixels"].as_primitive::<Int32Type>().values().to_vec();
            found.push((file.cell.as_str(), file.year, percent));
        }
        let expected = [
            (GREENLAND, Some(2020), vec![1, 5, 0, 3]),
            (GREENLAND, None, vec![6]),
            (ALASKA, Some(2020), vec![4]),
            (ALASKA, Some(2021), vec![2]),
        ];
        assert_eq!(found, expected);
        let group = open(&files[0]).await.metadata().row_group(0).clone();
        let sorting: Vec<_> = group.sorting_columns().unwrap().iter().map(|s| s.column_idx as usize).collect();
        let names: Vec<_> = sorting.iter().map(|i| group.column(*i).column_path().string()).collect();
        assert_eq!(names, ["platform", "datetime"]);
    }

    #[test]
    fn the_sink_trusts_the_counts_of_a_chunk_unless_rows_can_be_dropped_on_the_way() {
        use datafusion::physical_plan::filter::FilterExec;
        let plan = sink("memory://keeps/wh/", &[vec![]]);
        assert!(keeps_rows(plan.input()));
        let filter = FilterExec::try_new(lit(true), Arc::clone(plan.input())).unwrap();
        assert!(!keeps_rows(&(Arc::new(filter) as Arc<dyn ExecutionPlan>)));
    }
}
