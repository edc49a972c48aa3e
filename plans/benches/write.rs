//! What the sink costs per file and per row: ITS_LIVE-like rows, sorted by bucket, to files in memory and on disk.
//!
//! The times are CPU times of the process (Linux), so that a busy machine does not matter; a tick is 10 ms.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, Float64Array, Int32Array, ListBuilder, RecordBatch, StringViewArray,
    StringViewBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use earthcatalog_plans::model::items::ItemSchema;
use earthcatalog_plans::sink::{MAX_FILE_BYTES, WriteGeoParquetExec, WriteTarget};
use tokio::runtime::Runtime;
use url::Url;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn its_live() -> ItemSchema {
    let text = |name: &str| Field::new(name, DataType::Utf8View, true);
    let double = |name: &str| Field::new(name, DataType::Float64, true);
    let mut columns = vec![Field::new("percent_valid_pixels", DataType::Int32, true)];
    columns.extend(["date_dt", "latitude", "longitude"].map(double));
    columns.extend(
        [
            "platform",
            "version",
            "proj:code",
            "sat:orbit_state",
            "scene_1_id",
            "scene_2_id",
            "scene_1_frame",
            "scene_2_frame",
        ]
        .map(text),
    );
    ItemSchema::from_declared(&Schema::new(columns)).expect("distinct columns")
}

/// Ids in the order of the schema, children after their parent.
fn field_ids(schema: &Schema) -> BTreeMap<String, i32> {
    let mut ids = BTreeMap::new();
    for field in schema.fields() {
        ids.insert(field.name().clone(), ids.len() as i32 + 1);
        let children: Vec<String> = match field.data_type() {
            DataType::Struct(fields) => fields.iter().map(|f| f.name().clone()).collect(),
            DataType::List(element) => vec![element.name().clone()],
            _ => vec![],
        };
        for child in children {
            ids.insert(format!("{}.{child}", field.name()), ids.len() as i32 + 1);
        }
    }
    ids
}

/// `files` buckets of `rows_per_file` rows each, in the sink's order.
fn rows(schema: &SchemaRef, files: usize, rows_per_file: usize) -> RecordBatch {
    let n = files * rows_per_file;
    let year = |i: usize| 1990 + (i / rows_per_file % 3) as i64;
    let cell = |i: usize| {
        let cell = (i / rows_per_file / 3) as u64;
        format!("{:x}", 0x0810_0000_0000_0000 | ((cell / 7 % 122) << 45) | ((cell % 7) << 42) | ((1_u64 << 42) - 1))
    };
    let scene = |i: usize, k: usize| {
        format!("LC08_L1TP_{:06}_2019{:04}_2020{:04}_02_T1", i * 7919 % 999_983, (i + k) % 1231, i * k % 1231)
    };
    let id = |i: usize| format!("{}_X_{}_G0120V02_P{:03}", scene(i, 1), scene(i, 2), i % 101);
    let assets = |i: usize| {
        let id = id(i);
        let url = format!("https://its-live-data.s3.amazonaws.com/velocity_image_pair/landsatOLI/v02/N60W040/{id}");
        let s3 = format!("s3://its-live-data/velocity_image_pair/landsatOLI/v02/N60W040/{id}");
        format!(
            r#"{{"data":{{"href":"{url}.nc","type":"application/netcdf","alternate":{{"s3":{{"href":"{s3}.nc","alternate:name":"S3"}}}},"roles":["data"]}},"overview":{{"href":"{url}.png","type":"image/png","roles":["overview"]}},"thumbnail":{{"href":"{url}_thumb.png","type":"image/png","roles":["thumbnail"]}}}}"#
        )
    };
    let x = |i: usize| -40.0 + (i * 37 % 9973) as f64 / 1000.0;
    let y = |i: usize| 60.0 + (i * 61 % 9973) as f64 / 1000.0;
    let polygon = |i: usize| {
        let mut wkb = vec![1, 3, 0, 0, 0, 1, 0, 0, 0, 17, 0, 0, 0];
        for v in 0..17 {
            let (dx, dy) = ((v % 16) as f64 / 8.0, (v % 16 * 5 % 16) as f64 / 11.0);
            for degrees in [x(i) + dx, y(i) + dy] {
                wkb.extend(((degrees * 1e4).round() / 1e4).to_le_bytes());
            }
        }
        wkb
    };
    let micros =
        |i: usize| ((year(i) - 1970) * 31_557_600 + 86_400 * 20) * 1_000_000 + (i % rows_per_file) as i64 * 1_234_567;
    let text =
        |of: &dyn Fn(usize) -> String| -> ArrayRef { Arc::new(StringViewArray::from_iter_values((0..n).map(of))) };
    let double = |of: &dyn Fn(usize) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values((0..n).map(of))) };
    let time = |shift: i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values((0..n).map(|i| micros(i) + shift)).with_timezone("UTC"))
    };
    let null_text = || -> ArrayRef { Arc::new(StringViewArray::new_null(n)) };
    let extensions = || -> ArrayRef {
        let mut list =
            ListBuilder::new(StringViewBuilder::new()).with_field(Field::new("element", DataType::Utf8View, true));
        for _ in 0..n {
            for extension in ["projection/v2.0.0", "alternate-assets/v1.2.0", "version/v1.2.0", "sat/v1.1.0"] {
                list.values().append_value(format!("https://stac-extensions.github.io/{extension}/schema.json"));
            }
            list.append(true);
        }
        Arc::new(list.finish())
    };

    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "id" => text(&id),
        "grid_partition" => text(&cell),
        "collection" => text(&|_| "itslive-granules".into()),
        "geometry" => Arc::new(BinaryViewArray::from_iter_values((0..n).map(polygon))),
        "bbox" => {
            let DataType::Struct(fields) = field.data_type() else { unreachable!("bbox is a struct") };
            let bounds = vec![double(&x), double(&y), double(&|i| x(i) + 1.875), double(&|i| y(i) + 1.3)];
            Arc::new(StructArray::new(fields.clone(), bounds, None))
        }
        "xmin" => double(&x),
        "ymin" => double(&y),
        "xmax" => double(&|i| x(i) + 1.875),
        "ymax" => double(&|i| y(i) + 1.3),
        "datetime" | "mid_datetime" => time(0),
        "start_datetime" => time(-1_000_000_000),
        "end_datetime" => time(1_000_000_000),
        "created" | "updated" => time(7_000_000_000_000),
        "percent_valid_pixels" => Arc::new(Int32Array::from_iter_values((0..n).map(|i| (i % 101) as i32))),
        "date_dt" => double(&|i| (i % 500) as f64),
        "latitude" => double(&y),
        "longitude" => double(&x),
        "platform" => text(&|_| "LC08".into()),
        "version" => text(&|_| "002".into()),
        "proj_code" => text(&|_| "EPSG:3413".into()),
        "sat_orbit_state" => text(&|_| "N/A".into()),
        "scene_1_id" => text(&|i| scene(i, 1)),
        "scene_2_id" => text(&|i| scene(i, 2)),
        "scene_1_frame" | "scene_2_frame" => text(&|i| format!("{:06}", i % 4999)),
        "stac_version" => text(&|_| "1.1.0".into()),
        "stac_extensions" => extensions(),
        "assets" => text(&assets),
        "links" => text(&|_| "[]".into()),
        "properties" | "extra" => null_text(),
        other => unreachable!("no values for column {other}"),
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).expect("columns as in the schema")
}

/// User and system time of this process (proc_pid_stat(5), fields 14 and 15).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // The second field is the name of the program, in parentheses.
    let fields = stat.rsplit(')').next().expect("fields").split_whitespace().skip(11).take(2);
    Duration::from_millis(fields.map(|ticks| ticks.parse::<u64>().expect("a number") * 10).sum())
}

fn cpu_time_of<T>(iterations: u64, mut run: impl FnMut() -> T) -> Duration {
    let start = cpu_time();
    for _ in 0..iterations {
        black_box(run());
    }
    cpu_time() - start
}

fn sink(batch: &RecordBatch, schema: &ItemSchema, warehouse: &str) -> Arc<dyn ExecutionPlan> {
    let batches = (0..batch.num_rows()).step_by(8192).map(|i| batch.slice(i, 8192.min(batch.num_rows() - i))).collect();
    let input = MemorySourceConfig::try_new_exec(&[batches], batch.schema(), None).expect("one partition");
    let target = WriteTarget {
        warehouse: Url::parse(warehouse).expect("a URL"),
        run: "bench".into(),
        schema: schema.clone(),
        field_ids: field_ids(schema.table_schema()),
        h3_resolution: 1,
        max_file_bytes: MAX_FILE_BYTES,
        lists_ids: false,
        by_cell: false,
        checkpoints: None,
    };
    Arc::new(WriteGeoParquetExec::try_new(input, Arc::new(target)).expect("the table's columns"))
}

fn write(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let schema = its_live();
    let context = SessionContext::new();
    let mut group = c.benchmark_group("write");
    group.sample_size(10);
    for (files, rows_per_file) in [(2_500, 1), (2_500, 6), (50, 300), (2, 7_500)] {
        let batch = rows(schema.table_schema(), files, rows_per_file);
        group.throughput(Throughput::Elements(batch.num_rows() as u64));
        let name = format!("{files} files of {rows_per_file}");
        group.bench_function(BenchmarkId::new("memory", &name), |b| {
            b.iter_custom(|n| {
                cpu_time_of(n, || {
                    let plan = sink(&batch, &schema, "memory://bench/warehouse/");
                    runtime.block_on(collect(plan, context.task_ctx())).expect("written")
                })
            });
        });
        // The limit: its values compressed, column by column, and nothing else.
        let pages: Vec<Vec<u8>> = (0..batch.num_rows())
            .step_by(rows_per_file)
            .flat_map(|i| batch.slice(i, rows_per_file).columns().iter().map(plain).collect::<Vec<_>>())
            .collect();
        group.bench_function(BenchmarkId::new("zstd alone", &name), |b| {
            let mut zstd = zstd::bulk::Compressor::new(3).expect("a level");
            b.iter_custom(|n| {
                cpu_time_of(n, || {
                    pages.iter().map(|page| zstd.compress(page).expect("compressed").len()).sum::<usize>()
                })
            });
        });
        group.bench_function(BenchmarkId::new("disk", &name), |b| {
            let folder = tempfile::tempdir().expect("a folder");
            b.iter_custom(|n| {
                cpu_time_of(n, || {
                    let plan = sink(&batch, &schema, Url::from_directory_path(folder.path()).expect("a path").as_str());
                    runtime.block_on(collect(plan, context.task_ctx())).expect("written")
                })
            });
        });
    }
    group.finish();
}

/// The values of a column one behind the other, nested ones by their leaves.
fn plain(column: &ArrayRef) -> Vec<u8> {
    match column.data_type() {
        DataType::Utf8View => column.as_string_view().iter().flatten().flat_map(str::bytes).collect(),
        DataType::BinaryView => column.as_binary_view().iter().flatten().flatten().copied().collect(),
        DataType::Struct(_) => column.as_struct().columns().iter().flat_map(plain).collect(),
        // List by list: the values of a slice are those of the whole.
        DataType::List(_) => column.as_list::<i32>().iter().flatten().flat_map(|list| plain(&list)).collect(),
        other => {
            let width = other.primitive_width().unwrap_or_default();
            let data = column.to_data();
            let values = data.buffers().first().map_or(&[][..], |values| values.as_slice());
            values.iter().skip(data.offset() * width).take(data.len() * width).copied().collect()
        }
    }
}

/// The sort in front of the sink, on rows in a scattered order.
fn sort(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let schema = its_live();
    let context = SessionContext::new();
    let batch = rows(schema.table_schema(), 2_500, 6);
    let order: arrow::array::UInt32Array =
        (0..batch.num_rows()).map(|i| (i * 7919 % batch.num_rows()) as u32).collect();
    let scattered = arrow::compute::take_record_batch(&batch, &order).expect("rows in range");
    let plan = sink(&scattered, &schema, "memory://bench/sort/");
    let ordering = plan.required_input_ordering().remove(0).expect("an ordering").into_single();
    let ordering = LexOrdering::new(ordering.into_iter().map(|key| key.into())).expect("keys");
    let mut group = c.benchmark_group("sort");
    group.throughput(Throughput::Elements(batch.num_rows() as u64));
    group.bench_function("15000 rows", |b| {
        b.iter_custom(|n| {
            cpu_time_of(n, || {
                let sort = SortExec::new(ordering.clone(), Arc::clone(plan.children()[0]));
                runtime.block_on(collect(Arc::new(sort), context.task_ctx())).expect("sorted")
            })
        });
    });
    // The limit: keys of two numbers, and where their rows are.
    group.bench_function("15000 keys alone", |b| {
        let keys: Vec<(u64, i64, u32)> =
            (0..15_000).map(|i| (u64::from(i * 7919 % 2_500), i64::from(i) % 977, i)).collect();
        b.iter_custom(|n| {
            cpu_time_of(n, || {
                let mut keys = keys.clone();
                keys.sort_unstable();
                keys
            })
        });
    });
    group.finish();
}

criterion_group!(benches, write, sort);
criterion_main!(benches);
