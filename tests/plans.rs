//! The plans of the pipelines, pinned.

use std::fs;

use earthcatalog::pipeline::{COMPACT, INGEST, Pipeline};
use earthcatalog::script::Arguments;
use earthcatalog_plans::session::session;
use tempfile::TempDir;

/// What EXPLAIN says of the last statement of a pipeline, without the ends of long lines.
async fn explained(pipeline: Pipeline, folder: &TempDir, arguments: Arguments, workers: usize) -> String {
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let arguments = arguments.with("catalog", path("catalog.db")).with("warehouse", path("warehouse"));
    let session = session(workers).unwrap();
    let mut statements = pipeline.script().unwrap().bind(&arguments).unwrap();
    let last = statements.pop().unwrap();
    for definition in statements {
        definition.plan(&session).await.unwrap();
    }
    let plans = last.explain(&session).await.unwrap().unwrap();
    let text = format!("logical_plan\n{}\nphysical_plan\n{}", plans.logical, plans.physical);
    let text = text.replace(folder.path().to_str().unwrap(), "<folder>");
    for shuffle in ["RepartitionExec", "CoalescePartitionsExec", "SortPreservingMergeExec"] {
        assert!(!text.contains(shuffle), "{shuffle}:\n{text}");
    }
    // The lists of all columns say little after their beginning.
    let shortened = text.lines().map(|line| line.chars().take(170).collect::<String>().trim_end().to_owned());
    shortened.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn items_flow_from_scan_to_sink_without_a_shuffle() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = folder.path().join("inventory.csv");
    fs::write(&inventory, "bucket,key\n,a.json\n,b.json\n,c.json\n").unwrap();
    let arguments = Arguments::new().with("inventory", inventory.display()).with("chunk_size", 2);
    let shortened = explained(INGEST, &folder, arguments, 4).await;
    insta::assert_snapshot!(shortened, @r"
    logical_plan
    Commit: table=earthcatalog.items
      WriteGeoParquet: warehouse=file://<folder>/warehouse/
        Projection: h3_fanout().id AS id, h3_fanout().grid_partition AS grid_partition, h3_fanout().collection AS collection, h3_fanout().geometry AS geometry, h3_fanout().bb
          SubqueryAlias: h3_fanout()
            Unnest: lists[grid_partition|depth=1] structs[]
              Projection: source.id, CASE WHEN __common_expr_1 IS NOT NULL THEN __common_expr_1 ELSE List([__none__]) END AS grid_partition, source.collection, source.geometr
                Projection: h3_cells(source.geometry, Int64(1)) AS __common_expr_1, source.id, source.collection, source.geometry, source.bbox, source.xmin, source.ymin, sour
                  TableScan: source projection=[id, collection, geometry, bbox, xmin, ymin, xmax, ymax, datetime, start_datetime, mid_datetime, end_datetime, created, updated
    physical_plan
    CommitExec: table=earthcatalog.items
      WriteGeoParquetExec: warehouse=file://<folder>/warehouse/
        SortExec: expr=[grid_partition@1 ASC NULLS LAST, date_part(year, datetime@9) ASC NULLS LAST, platform@19 ASC NULLS LAST, datetime@9 ASC NULLS LAST], preserve_partitio
          UnnestExec
            ProjectionExec: expr=[id@1 as id, CASE WHEN __common_expr_1@0 IS NOT NULL THEN __common_expr_1@0 ELSE [__none__] END as grid_partition, collection@2 as collection
              ProjectionExec: expr=[h3_cells(geometry@2, 1) as __common_expr_1, id@0 as id, collection@1 as collection, geometry@2 as geometry, bbox@3 as bbox, xmin@4 as xmin
                StacExec: location=file://<folder>/inventory.csv, chunks=2, projection=[id, collection, geometry, bbox, xmin, ymin, xmax, ymax, datetime, start_datetime, mid_
    ");
    assert!(!folder.path().join("warehouse/_rejects").exists(), "EXPLAIN runs nothing");
}

#[tokio::test]
async fn buckets_are_merged_where_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let inventory = folder.path().join("none.csv");
    fs::write(&inventory, "bucket,key\n").unwrap();
    let arguments = Arguments::new().with("inventory", inventory.display());
    // Given a table,
    explained(INGEST, &folder, arguments, 4).await;
    let shortened = explained(COMPACT, &folder, Arguments::new(), 4).await;
    assert_eq!(explained(COMPACT, &folder, Arguments::new(), 1).await, shortened);
    insta::assert_snapshot!(shortened, @r"
    logical_plan
    Commit: table=earthcatalog.items, replaces buckets
      WriteGeoParquet: warehouse=file://<folder>/warehouse/
        Projection: CAST(buckets().id AS Utf8View) AS id, CAST(buckets().grid_partition AS Utf8View) AS grid_partition, CAST(buckets().collection AS Utf8View) AS collection,
          Filter: row_number() PARTITION BY [buckets().grid_partition, buckets().year, buckets().collection, buckets().id] ORDER BY [buckets().updated DESC NULLS LAST, bucket
            Projection: buckets().id, buckets().grid_partition, buckets().collection, buckets().geometry, buckets().bbox, buckets().xmin, buckets().ymin, buckets().xmax, buck
              WindowAggr: windowExpr=[[row_number() PARTITION BY [buckets().grid_partition, buckets().year, buckets().collection, buckets().id] ORDER BY [buckets().updated DE
                Projection: buckets().id, buckets().grid_partition, buckets().collection, buckets().geometry, buckets().bbox, buckets().xmin, buckets().ymin, buckets().xmax,
                  TableScan: buckets() projection=[id, grid_partition, collection, geometry, bbox, xmin, ymin, xmax, ymax, datetime, start_datetime, mid_datetime, end_datetim
    physical_plan
    CommitExec: table=earthcatalog.items, replaces buckets
      WriteGeoParquetExec: warehouse=file://<folder>/warehouse/
        SortExec: expr=[grid_partition@1 ASC NULLS LAST, date_part(year, datetime@9) ASC NULLS LAST, platform@19 ASC NULLS LAST, datetime@9 ASC NULLS LAST], preserve_partitio
          ProjectionExec: expr=[CAST(id@0 AS Utf8View) as id, CAST(grid_partition@1 AS Utf8View) as grid_partition, CAST(collection@2 AS Utf8View) as collection, CAST(geometr
            FilterExec: row_number() PARTITION BY [buckets().grid_partition, buckets().year, buckets().collection, buckets().id] ORDER BY [buckets().updated DESC NULLS LAST,
              ProjectionExec: expr=[id@0 as id, grid_partition@1 as grid_partition, collection@2 as collection, geometry@3 as geometry, bbox@4 as bbox, xmin@5 as xmin, ymin@6
                BoundedWindowAggExec: wdw=[row_number() PARTITION BY [buckets().grid_partition, buckets().year, buckets().collection, buckets().id] ORDER BY [buckets().update
                  SortExec: expr=[grid_partition@1 ASC NULLS LAST, year@33 ASC NULLS LAST, collection@2 ASC NULLS LAST, id@0 ASC NULLS LAST, updated@14 DESC NULLS LAST, creat
                    ProjectionExec: expr=[id@0 as id, grid_partition@1 as grid_partition, collection@2 as collection, geometry@3 as geometry, bbox@4 as bbox, xmin@5 as xmin,
                      BucketScanExec: warehouse=file://<folder>/warehouse/, buckets=0/0, files=0/0, groups=1
    ");
}
