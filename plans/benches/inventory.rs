//! How fast inventories are read: 200,000 objects as CSV, compressed or not, and as Parquet.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use datafusion::prelude::SessionContext;
use earthcatalog_plans::session::session;
use tempfile::TempDir;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As many as [`LISTED`] has.
const OBJECTS: u64 = 200_000;

async fn run(context: &SessionContext, sql: &str) {
    let rows = async { context.sql(sql).await?.collect().await };
    black_box(rows.await).unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// The column names of an S3 inventory, and keys as long as those of ITS_LIVE.
const LISTED: &str = "
    SELECT 'its-live-data' AS bucket, concat('velocity_image_pair/landsatOLI/v02/N60W030/LC08_L1TP_', n % 233,
        '_20190510_20200828_02_T1_X_LC08_L1TP_', n, '_20190627_20200827_02_T1.stac.json') AS key, 2000 + n % 3000 AS size,
        '2025-03-01T00:00:00.000Z' AS last_modified_date, concat('d41d8cd98f00b204e9800998', 10000000 + n) AS e_tag
    FROM generate_series(1, 200000) AS objects(n)";

fn inventory(c: &mut Criterion) {
    let runtime = Runtime::new().expect("threads");
    let context = session(2).expect("a session");
    let folder = TempDir::new().expect("a temporary folder");
    let mut group = c.benchmark_group("inventory");
    group.sample_size(10).throughput(Throughput::Elements(OBJECTS));
    for (table, name, format) in [
        ("csv", "objects.csv", "STORED AS CSV OPTIONS ('format.has_header' 'true')"),
        ("csv_gz", "objects.csv.gz", "STORED AS CSV OPTIONS ('format.has_header' 'true', 'format.compression' 'gzip')"),
        ("parquet", "objects.parquet", "STORED AS PARQUET"),
    ] {
        let path = folder.path().join(name);
        let path = path.display();
        runtime.block_on(async {
            run(&context, &format!("COPY ({LISTED}) TO '{path}' {format}")).await;
            run(&context, &format!("CREATE EXTERNAL TABLE {table} STORED AS INVENTORY LOCATION '{path}'")).await;
        });
        group.bench_function(BenchmarkId::new("objects", table), |b| {
            b.iter(|| runtime.block_on(run(&context, &format!("SELECT count(key), max(last_modified) FROM {table}"))))
        });
    }
}

criterion_group!(benches, inventory);
criterion_main!(benches);
