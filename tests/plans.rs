//! The plan of the ingest pipeline, pinned.

use std::fs;

use arrow::array::AsArray;
use datafusion::physical_plan::common::collect;
use earthcatalog::ingest;
use earthcatalog::script::Arguments;
use earthcatalog_plans::session::session;

#[tokio::test]
async fn items_flow_from_scan_to_sink_without_a_shuffle() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("inventory.csv"), "bucket,key\n,a.json\n,b.json\n,c.json\n").unwrap();
    let arguments = Arguments::new()
        .with("inventory", path("inventory.csv"))
        .with("catalog", path("catalog.db"))
        .with("warehouse", path("warehouse"))
        .with("chunk_size", 2);

    let session = session(4).unwrap();
    let mut statements = ingest::script().unwrap().bind(&arguments).unwrap();
    let insert = statements.pop().unwrap();
    for definition in statements {
        definition.plan(&session).await.unwrap();
    }
    let rows = collect(insert.explain().plan(&session).await.unwrap().execute().unwrap()).await.unwrap();
    let plans = rows.iter().flat_map(|batch| {
        let [kinds, plans] = [0, 1].map(|column| batch.column(column).as_string::<i32>());
        kinds.iter().zip(plans).map(|(kind, plan)| format!("{}\n{}", kind.unwrap(), plan.unwrap())).collect::<Vec<_>>()
    });
    let text = plans.collect::<Vec<_>>().join("\n").replace(folder.path().to_str().unwrap(), "<folder>");

    for shuffle in ["RepartitionExec", "CoalescePartitionsExec", "SortPreservingMergeExec"] {
        assert!(!text.contains(shuffle), "{shuffle}:\n{text}");
    }
    insta::assert_snapshot!(text, @"");
    assert!(!folder.path().join("warehouse/_rejects").exists(), "EXPLAIN runs nothing");
}
