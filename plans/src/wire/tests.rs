//! Whole plans, as they come back.

use std::sync::Arc;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::SessionContext;
use datafusion_proto::bytes::{
    logical_plan_from_bytes_with_extension_codec, logical_plan_to_bytes_with_extension_codec,
};
use datafusion_proto::physical_plan::DefaultPhysicalExtensionCodec;
use url::Url;

use super::{PlanCodec, Planned, PlannedCodec, sliced};
use crate::query::ItemsTable;
use crate::run::CommitExec;
use crate::scan::WarehouseTable;

const ITEMS: usize = 40;

/// A session with a table, and a source of Items for it, in chunks of 8.
async fn session(folder: &tempfile::TempDir) -> SessionContext {
    let f = folder.path().display();
    let mut inventory = String::new();
    for n in 0..ITEMS {
        let item = format!(
            r#"{{"type":"Feature","stac_version":"1.0.0","id":"item-{n}","geometry":{{"type":"Point","coordinates":[{n}.0,2.0]}},"properties":{{"datetime":"20{:02}-01-02T03:04:05Z","platform":"L{}"}},"links":[],"assets":{{}}}}"#,
            n % 20,
            n % 3
        );
        std::fs::write(folder.path().join(format!("{n}.json")), item).unwrap();
        inventory += &format!("bucket,{n}.json\n");
    }
    std::fs::write(folder.path().join("inventory.csv"), inventory).unwrap();
    let context = crate::session::session(2).unwrap();
    for sql in [
        format!(
            "CREATE EXTERNAL TABLE items (platform VARCHAR) STORED AS ICEBERG LOCATION '{f}/wh' OPTIONS ('catalog' '{f}/catalog.db', 'h3_resolution' '1')"
        ),
        format!(
            "CREATE EXTERNAL TABLE source STORED AS STAC LOCATION '{f}/inventory.csv' OPTIONS ('like' 'items', 'chunk_size' '8', 'base' '{f}')"
        ),
    ] {
        context.sql(&sql).await.unwrap();
    }
    context
}

async fn plan(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    context.sql(sql).await.unwrap().create_physical_plan().await.unwrap()
}

/// The plan that arrives, of one that is sent; its slices go to objects if a folder is given.
async fn sent(context: &SessionContext, plan: &Arc<dyn ExecutionPlan>, folder: Option<&Url>) -> Arc<dyn ExecutionPlan> {
    let codec = PlannedCodec::new(Arc::new(PlanCodec::new(Arc::new(DefaultPhysicalExtensionCodec {}))));
    let (plan, _) = sliced(plan, folder).await.unwrap();
    let logical = Planned::try_new(plan).unwrap().into_logical();
    let bytes = logical_plan_to_bytes_with_extension_codec(&logical, &codec).unwrap();
    // Another process knows our functions, and nothing of our tables.
    let elsewhere = crate::session::session(1).unwrap();
    let logical = logical_plan_from_bytes_with_extension_codec(&bytes, &elsewhere.task_ctx(), &codec).unwrap();
    let arrived = context.state().create_physical_plan(&logical).await.unwrap();
    assert_eq!(arrived.schema(), logical.schema().inner().clone());
    arrived
}

/// Without the numbers of partitions, which only leaves that travel have.
fn text(plan: &Arc<dyn ExecutionPlan>) -> String {
    let text = displayable(plan.as_ref()).indent(true).to_string();
    let lines = text.lines().filter(|line| !line.contains("DataSourceExec: partitions="));
    lines.map(|line| format!("{line}\n")).collect()
}

async fn rows(context: &SessionContext, plan: &Arc<dyn ExecutionPlan>) -> Vec<String> {
    let batches = collect(Arc::clone(plan), context.task_ctx()).await.unwrap();
    let mut rows: Vec<String> =
        pretty_format_batches(&batches).unwrap().to_string().lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn what_was_planned_here_arrives_and_runs_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let context = session(&folder).await;
    context.sql("INSERT INTO items SELECT * FROM h3_fanout(source, 1)").await.unwrap().collect().await.unwrap();
    // Some Items came again.
    let again = "INSERT INTO items SELECT * FROM h3_fanout(source, 1) WHERE platform = 'L2'";
    context.sql(again).await.unwrap().collect().await.unwrap();
    let table = context.table_provider("items").await.unwrap();
    let warehouse = table.downcast_ref::<WarehouseTable>().unwrap().warehouse().clone();
    context.register_table("each_item", Arc::new(ItemsTable::new(warehouse))).unwrap();
    let each = plan(&context, "SELECT id FROM each_item").await;
    assert!(text(&each).contains("OncePerItemExec") && text(&each).contains("is_repeated"), "{}", text(&each));
    for sql in [
        "SELECT id, platform FROM each_item",
        "SELECT platform, count(*) FROM each_item WHERE ST_Intersects(geometry, ST_MakeEnvelope(1, 1, 9, 3)) GROUP BY 1",
        "SELECT id, bbox['xmin'] AS x FROM source WHERE platform = 'L1'",
        "SELECT count(*) FROM source",
        "SELECT id FROM source LIMIT 11",
        "SELECT id, grid_partition, year, sequence FROM buckets(items, 1)",
        "SELECT grid_partition, year, count(*), max(item_digest(*)) FROM buckets(items, 1) GROUP BY 1, 2",
        "SELECT stac_item(*), ST_AsText(geometry), h3_cells(geometry, 2) FROM items WHERE ST_Intersects(geometry, ST_MakeEnvelope(1, 1, 9, 3))",
        "SELECT id, row_number() OVER (PARTITION BY platform ORDER BY datetime DESC, id) AS n FROM items",
        "SELECT a.id FROM items a LEFT JOIN items b ON a.id = b.id AND ST_DWithin(a.geometry, b.geometry, 1)",
        "SELECT platform, ST_AsText(ST_Union(geometry)), ST_AsText(ST_Collect(DISTINCT geometry)), ST_Extent(geometry) FILTER (WHERE id > 'item-2') FROM items GROUP BY 1",
        "SELECT id, ST_AreaSpheroid(ST_Envelope(geometry)), ST_Distance_Sphere(geometry, ST_MakeEnvelope(-2, 0, -1, 1)), h3_cell_to_children(grid_partition, 3) FROM items",
    ] {
        for folder in [None, Some(&Url::parse("memory://codec/run/").unwrap())] {
            // A plan is run once.
            let plan = plan(&context, sql).await;
            let arrived = sent(&context, &plan, folder).await;
            assert_eq!(
                text(&arrived).lines().count(),
                text(&plan).lines().count(),
                "{}\n{}",
                text(&arrived),
                text(&plan)
            );
            assert_eq!(rows(&context, &arrived).await, rows(&context, &plan).await, "{sql}");
        }
    }
}

#[tokio::test]
async fn a_sink_arrives_with_its_target_and_writes_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let context = session(&folder).await;
    let commit = plan(&context, "INSERT INTO items SELECT * FROM h3_fanout(source, 1)").await;
    assert!(CommitExec::find(&commit).is_some());
    let sink = Arc::clone(commit.children()[0]);
    let arrived = sent(&context, &sink, None).await;
    assert_eq!(text(&arrived), text(&sink));
    let target = |plan: &Arc<dyn ExecutionPlan>| {
        plan.downcast_ref::<crate::sink::WriteGeoParquetExec>().unwrap().target().as_ref().clone()
    };
    assert_eq!(target(&arrived), target(&sink));
    let written = async |plan: &Arc<dyn ExecutionPlan>| {
        let batches = collect(Arc::clone(plan), context.task_ctx()).await.unwrap();
        let records = batches.iter().flat_map(|batch| crate::model::part_file::decode(batch).unwrap());
        let mut written: Vec<String> = records
            .map(|record| match record {
                crate::model::part_file::SinkRecord::Data(part) => {
                    format!(
                        "{}/{:?} {} rows, {} bytes, {:?}",
                        part.cell, part.year, part.rows, part.bytes, part.columns
                    )
                }
                crate::model::part_file::SinkRecord::Ids(ids) => format!("{} ids, {} bytes", ids.ids, ids.bytes),
                crate::model::part_file::SinkRecord::Chunk(chunk) => format!("{} {:?}", chunk.chunk, chunk.counts),
            })
            .collect();
        written.sort();
        written
    };
    let (there, here) = (written(&arrived).await, written(&sink).await);
    assert_eq!(there, here);
    assert!(here.iter().any(|line| line.contains("listed: 8")), "{here:?}");
}

#[tokio::test]
async fn a_limit_of_cells_arrives_with_the_scan_and_the_resolution_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let context = session(&folder).await;
    let f = folder.path().display();
    let world = r#"{"type":"Feature","id":"world","geometry":{"type":"LineString","coordinates":[[-180,0],[180,0]]},"properties":{}}"#;
    std::fs::write(folder.path().join("world.ndjson"), world).unwrap();
    let world = format!(
        "CREATE EXTERNAL TABLE world STORED AS STAC LOCATION '{f}/world.ndjson' OPTIONS ('like' 'items', 'max_item_cells' '20')"
    );
    context.sql(&world).await.unwrap();
    let commit = plan(&context, "INSERT INTO items SELECT * FROM h3_fanout(world, 1)").await;
    let arrived = sent(&context, commit.children()[0], None).await;
    assert!(text(&arrived).contains("max_item_cells=20"), "{}", text(&arrived));
    let batches = collect(arrived, context.task_ctx()).await.unwrap();
    let records = batches.iter().flat_map(|batch| crate::model::part_file::decode(batch).unwrap());
    let rejected: Vec<_> = records
        .filter_map(|record| match record {
            crate::model::part_file::SinkRecord::Chunk(chunk) => Some(chunk.counts.rejected),
            _ => None,
        })
        .collect();
    assert_eq!(rejected, [[("too_many_cells".to_owned(), 1)].into()]);
}
