//! A warehouse is whole, or what is wrong with it is found and named.

mod altered;
mod corrupted;
mod healthy;
mod repaired;

use std::path::{Path, PathBuf};

use datafusion::prelude::SessionContext;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::verify::{Verified, VerifyOptions, verify};
use super::*;
use crate::session::session;
use crate::table::CollectionDocument;
use crate::table::collection_documents::DocumentChange;

/// A warehouse in a folder, written by SQL as the pipelines write it.
struct World {
    folder: TempDir,
    writing: SessionContext,
    sources: usize,
}

/// An Item with a footprint of some degrees, so that it has several cells.
fn item(id: &str, west: f64, south: f64, datetime: &str) -> Value {
    let (east, north) = (west + 8.0, south + 8.0);
    let ring = json!([[west, south], [east, south], [east, north], [west, north], [west, south]]);
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id, "collection": "c",
        "geometry": { "type": "Polygon", "coordinates": [ring] }, "bbox": [west, south, east, north],
        "properties": { "datetime": datetime, "platform": format!("S{}", id.len() % 3), "latitude": south, "note": id },
        "links": [], "assets": { "data": { "href": format!("s3://bucket/{id}.tif") } },
    })
}

fn items(ids: std::ops::Range<usize>) -> Vec<Value> {
    let of = |n: usize| {
        let year = 2019 + n % 2;
        let west = -170.0 + (n % 4) as f64 * 90.0;
        item(&format!("item-{n}"), west, -40.0 + (n % 3) as f64 * 30.0, &format!("{year}-03-04T05:06:07Z"))
    };
    ids.map(of).collect()
}

/// One without a footprint, and one without a time.
fn odd_items() -> Vec<Value> {
    let (mut nowhere, mut timeless) =
        (item("nowhere", 0.0, 0.0, "2020-01-01T00:00:00Z"), item("timeless", 5.0, 5.0, ""));
    nowhere["geometry"] = Value::Null;
    nowhere.as_object_mut().unwrap().remove("bbox");
    timeless["properties"]["datetime"] = Value::Null;
    for (name, time) in [("start_datetime", "2020-01-01T00:00:00Z"), ("end_datetime", "2020-02-01T00:00:00Z")] {
        timeless["properties"][name] = time.into();
    }
    vec![nowhere, timeless]
}

impl World {
    /// An empty table.
    async fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), writing: session(2).unwrap(), sources: 0 };
        let f = world.folder.path().display().to_string();
        world
            .run(&format!(
                "CREATE EXTERNAL TABLE items (platform VARCHAR, latitude DOUBLE) STORED AS ICEBERG LOCATION '{f}/wh'
                 OPTIONS ('catalog' '{f}/c.db', 'h3_resolution' '1')"
            ))
            .await;
        world
    }

    /// One of each kind of file: several versions, a record of ingested objects, known ids, an index, a Collection.
    async fn full() -> Self {
        let mut world = Self::new().await;
        world.ingest(&items(0..4)).await;
        world.ingest(&odd_items()).await;
        world.ingest_objects(&items(4..6)).await;
        let mut again = items(1..3);
        again.iter_mut().for_each(|item| item["properties"]["note"] = "again".into());
        world.ingest(&again).await;
        world.give_collection().await;
        build_item_index(&session(2).unwrap(), &world.warehouse().await).await.unwrap();
        world
    }

    async fn run(&self, sql: &str) {
        self.writing.sql(sql).await.unwrap().collect().await.unwrap();
    }

    async fn insert(&mut self, location: &Path) {
        self.sources += 1;
        let source = format!("source_{}", self.sources);
        self.run(&format!(
            "CREATE EXTERNAL TABLE {source} STORED AS STAC LOCATION '{}' OPTIONS ('like' 'items')",
            location.display()
        ))
        .await;
        self.run(&format!("INSERT INTO items SELECT * FROM h3_fanout({source}, 1)")).await;
    }

    /// Items of one file.
    async fn ingest(&mut self, items: &[Value]) {
        let file = self.folder.path().join(format!("items-{}.ndjson", self.sources));
        std::fs::write(&file, items.iter().map(|item| format!("{item}\n")).collect::<String>()).unwrap();
        self.insert(&file).await;
    }

    /// Items with an object each, of which the table keeps a record.
    async fn ingest_objects(&mut self, items: &[Value]) {
        let mut inventory = "bucket,key,last_modified_date\n".to_owned();
        for item in items {
            let key = format!("{}.json", item["id"].as_str().unwrap());
            std::fs::write(self.folder.path().join(&key), item.to_string()).unwrap();
            inventory += &format!(",{key},2025-01-01\n");
        }
        let file = self.folder.path().join(format!("inventory-{}.csv", self.sources));
        std::fs::write(&file, inventory).unwrap();
        self.insert(&file).await;
    }

    async fn compact(&self) {
        self.run(
            "INSERT OVERWRITE items SELECT * EXCEPT (year, sequence, digest, age_rank) FROM (
                SELECT *, row_number() OVER (PARTITION BY grid_partition, year, collection, id
                    ORDER BY updated DESC NULLS LAST, created DESC NULLS LAST, sequence DESC, digest DESC) AS age_rank
                FROM (SELECT *, item_digest(*) AS digest FROM buckets(items, 2))) WHERE age_rank = 1",
        )
        .await;
    }

    async fn give_collection(&self) {
        let document = json!({ "type": "Collection", "id": "c", "description": "of a test" });
        let add = vec![CollectionDocument::try_from(document).unwrap()];
        DocumentChange { add, remove: vec![] }.commit(&self.warehouse().await).await.unwrap();
    }

    /// Opened anew: what was read before is forgotten.
    async fn warehouse(&self) -> Warehouse {
        Warehouse::open(self.folder.path().join("c.db").to_str().unwrap()).await.unwrap()
    }

    async fn verify(&self, deep: bool) -> Verified {
        let options = VerifyOptions { deep, ..VerifyOptions::default() };
        verify(&session(2).unwrap(), &self.warehouse().await, &options).await.unwrap()
    }

    /// Nothing is found, fast or deep.
    async fn is_whole(&self, state: &str) {
        for deep in [false, true] {
            let verified = self.verify(deep).await;
            assert!(verified.findings.is_empty(), "{state}, deep {deep}: {:#?}", verified.findings);
            assert_eq!((verified.damage, verified.notices, verified.deep), (0, 0, deep), "{state}");
        }
    }

    /// All files below the warehouse.
    fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut folders) = (vec![], vec![self.folder.path().join("wh")]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}
