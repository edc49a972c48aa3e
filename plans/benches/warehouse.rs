//! What the head pays: committing to a table of 100 and of 5,000 files, and planning a query over it.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use datafusion::arrow::datatypes::Schema;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::model::items::{ItemSchema, TIME_COLUMNS};
use earthcatalog_plans::model::layout;
use earthcatalog_plans::model::part_file::{ColumnStatistics, PartFile};
use earthcatalog_plans::scan::WarehouseTable;
use earthcatalog_plans::session::session;
use earthcatalog_plans::table::{Change, Committer, Warehouse};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SIZES: [usize; 2] = [100, 5_000];

/// A record with the statistics that the sink gives, of a file that nobody reads.
fn part(warehouse: &Warehouse, n: usize) -> PartFile {
    let (cell, year) = (format!("81{:03x}ffffffffff", n / 20), 2000 + (n % 20) as i32);
    let micros = i64::from(year - 1970) * 31_557_600_000_000;
    let column = |(name, id): (&String, &i32)| {
        let bounds = match name.as_str() {
            "id" | "scene_1_id" | "scene_2_id" => Some([format!("scene {n:020}").into_bytes(), b"scene z".to_vec()]),
            name if TIME_COLUMNS.contains(&name) => Some([micros, micros + 1].map(|t| t.to_le_bytes().to_vec())),
            name if name.starts_with("bbox") => None,
            name if name.ends_with("min") || name.ends_with("max") => {
                Some([-1.0, 1.0].map(|x: f64| x.to_le_bytes().to_vec()))
            }
            _ => None,
        };
        let (lower, upper) = bounds.map(|[lower, upper]| (lower, upper)).unzip();
        ColumnStatistics { field_id: *id, values: 10, nulls: 0, lower, upper }
    };
    let columns = warehouse.field_ids().iter().filter(|(name, _)| *name != "bbox" && *name != "stac_extensions");
    PartFile {
        path: format!("{}{}/{n}.parquet", warehouse.url(), layout::bucket_folder(&cell, Some(year))),
        cell,
        year: Some(year),
        rows: 10,
        bytes: 30_000,
        sequence: None,
        columns: columns.map(column).collect(),
    }
}

async fn table(folder: &TempDir, files: usize) -> (Warehouse, Vec<PartFile>) {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let items = ItemSchema::from_declared(&Schema::empty()).expect("no columns declared");
    let opened = Warehouse::open_or_create(&path("catalog.db"), &path("wh"), &items, 1).await;
    let warehouse = opened.expect("a new folder");
    let parts: Vec<_> = (0..files).map(|n| part(&warehouse, n)).collect();
    let change = Change { add: parts.clone(), ..Change::default() };
    Committer::new(warehouse.clone()).commit(change).await.expect("the only writer");
    (warehouse, parts)
}

fn commit(c: &mut Criterion) {
    let runtime = Runtime::new().expect("threads");
    let mut group = c.benchmark_group("commit");
    group.sample_size(10);
    for size in SIZES {
        let folder = TempDir::new().expect("a temporary folder");
        let (warehouse, mut parts) = runtime.block_on(table(&folder, size));
        let committer = Committer::new(warehouse.clone());
        let mut next = size;
        group.bench_function(BenchmarkId::new("replace one of", size), |b| {
            b.iter(|| {
                next += 1;
                let added = PartFile { path: part(&warehouse, next).path, ..parts[0].clone() };
                let change =
                    Change { add: vec![added.clone()], remove: vec![parts[0].path.clone()], ..Change::default() };
                runtime.block_on(committer.commit(change)).expect("the only writer");
                parts[0] = added;
            })
        });
        group.bench_function(BenchmarkId::new("append one to", size), |b| {
            b.iter(|| {
                next += 1;
                let change = Change { add: vec![part(&warehouse, next)], ..Change::default() };
                runtime.block_on(committer.commit(change)).expect("the only writer")
            })
        });
        group.bench_function(BenchmarkId::new("first commit of", size), |b| {
            b.iter(|| {
                let folder = TempDir::new().expect("a temporary folder");
                runtime.block_on(table(&folder, size));
                folder
            })
        });
    }
}

fn plan(c: &mut Criterion) {
    let runtime = Runtime::new().expect("threads");
    let mut group = c.benchmark_group("plan");
    group.sample_size(10);
    for size in SIZES {
        let folder = TempDir::new().expect("a temporary folder");
        let (warehouse, _) = runtime.block_on(table(&folder, size));
        let open = || {
            let context = session(2).expect("a session");
            let table = Arc::new(WarehouseTable::new(warehouse.clone()));
            context.register_table("items", table).expect("a new name");
            context
        };
        let plan = |context: &SessionContext, predicate: &str| {
            let sql = format!("SELECT id FROM items WHERE {predicate}");
            let plan = async { context.sql(&sql).await?.create_physical_plan().await };
            black_box(runtime.block_on(plan)).expect("a plan")
        };
        for (name, predicate) in [("all", "true"), ("one cell", "grid_partition = '81001ffffffffff'")] {
            group.bench_function(BenchmarkId::new(format!("{name}, first"), size), |b| {
                b.iter_with_setup(open, |context| plan(&context, predicate))
            });
            let context = open();
            group.bench_function(BenchmarkId::new(format!("{name}, again"), size), |b| {
                b.iter(|| plan(&context, predicate))
            });
        }
    }
}

criterion_group!(benches, commit, plan);
criterion_main!(benches);
