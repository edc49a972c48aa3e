//! The pipelines on stores that fail, in this process and its memory: of the Items as of the warehouse and its catalog.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::object_store::ObjectStoreRegistry;
use earthcatalog::arguments::{SourceArgs, WarehouseArgs};
use earthcatalog::commands::backfill::{BackfillArgs, backfill};
use earthcatalog::commands::compact::{CompactArgs, compact};
use earthcatalog::commands::expire::{ExpireArgs, expire};
use earthcatalog::commands::ingest::{IngestArgs, ingest};
use earthcatalog::output::{self, Format};
use earthcatalog::pipeline::pipeline_session;
use earthcatalog::query;
use earthcatalog::report::Report;
use earthcatalog_plans::session::session;
use earthcatalog_plans::stores::faults::{Fault, Faults, Faulty, Operation};
use earthcatalog_plans::stores::{Retrying, Service, stores};
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

const ITEMS: usize = 40;
/// A missing object, one that is no Item, and an older version of one.
const OTHERS: u64 = 3;

/// A store that fails, with everything in it.
struct Place {
    name: String,
    sound: Arc<InMemory>,
    faults: Arc<Faults>,
}

impl Place {
    async fn with_items(name: &str, faults: Faults) -> Self {
        let place = Self { name: name.to_owned(), sound: Arc::default(), faults: Arc::new(faults) };
        let faulty = Arc::new(Faulty::over(place.sound.clone(), Arc::clone(&place.faults)));
        let store = Retrying::over(faulty.clone(), faulty, Service::Other).with_backoff(Duration::ZERO);
        stores().register_store(&Url::parse(&place.url("")).unwrap(), Arc::new(store));
        let mut inventory =
            "bucket,key,is_latest\n,items/missing.json,true\n,items/no.json,true\n,items/0.json,false\n".to_owned();
        place.put("items/no.json", "{}").await;
        for n in 0..ITEMS {
            inventory += &format!(",items/{n}.json,true\n");
        }
        place.put("inventory.csv", &inventory).await;
        place.deliver(1).await;
        place
    }

    async fn deliver(&self, version: u32) {
        for n in 0..ITEMS {
            let (lon, long) = (n % 8 * 20, "x".repeat(n * 50));
            let item = format!(
                r#"{{"type":"Feature","id":"i{n}","geometry":{{"type":"Point","coordinates":[{lon},50]}},"properties":{{"datetime":"2020-01-01T00:00:00Z","updated":"202{version}-01-01T00:00:00Z","words":"{long}"}}}}"#
            );
            self.put(&format!("items/{n}.json"), &item).await;
        }
    }

    async fn put(&self, path: &str, text: &str) {
        self.sound.put(&path.into(), text.to_owned().into()).await.unwrap();
    }

    fn url(&self, path: &str) -> String {
        format!("memory://{}/{path}", self.name)
    }

    fn at(&self) -> WarehouseArgs {
        WarehouseArgs { catalog: self.url("catalog.db"), warehouse: self.url("wh") }
    }

    fn source(&self) -> SourceArgs {
        let (inventory, at) = (self.url("inventory.csv"), self.at());
        SourceArgs { inventory, at, chunk_size: Some(15), ..SourceArgs::default() }
    }

    async fn ingest(&self) -> Result<Report, String> {
        let args = IngestArgs { source: self.source(), ..IngestArgs::default() };
        ingest(&session(2).unwrap(), &args, pending()).await.map_err(|e| e.to_string())
    }

    async fn backfill(&self) -> Result<Report, String> {
        let args = BackfillArgs { source: self.source(), ..BackfillArgs::default() };
        let session = pipeline_session(2, None).unwrap();
        backfill(&session, &args, pending()).await.map(|summary| summary.report).map_err(|e| e.to_string())
    }

    async fn compact(&self) -> Result<(), String> {
        let args = CompactArgs { at: self.at(), ..CompactArgs::default() };
        let session = pipeline_session(2, None).unwrap();
        compact(&session, &args, pending()).await.map(drop).map_err(|e| e.to_string())
    }

    async fn expire(&self) -> Result<(), String> {
        let args = ExpireArgs { at: self.at(), retain: Some(Duration::ZERO), ..ExpireArgs::default() };
        expire(&session(1).unwrap(), &args).await.map(drop).map_err(|e| e.to_string())
    }

    /// All Items as they are stored.
    async fn contents(&self) -> Result<String, String> {
        let sql = "SELECT grid_partition, stac_item(*) AS item FROM item_cells ORDER BY grid_partition, id";
        let (catalog, files) = (self.url("catalog.db"), self.url("wh"));
        let session = session(2).unwrap();
        let rows = async {
            query::open(&session, &catalog, &files).await?;
            session.sql(sql).await?.execute_stream().await
        };
        let rows = rows.await.map_err(|e| e.to_string())?;
        let mut out = vec![];
        output::write(rows, Format::Ndjson, &mut out).await.map_err(|e| e.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    async fn files(&self, folder: &str) -> Vec<String> {
        let files = self.sound.list(Some(&format!("wh/{folder}").into())).map_ok(|meta| meta.location.to_string());
        files.try_collect().await.unwrap()
    }
}

/// Starts again what stops with an error, which must be one of those that were injected.
async fn until_done<T>(starts: &mut u32, step: impl AsyncFn() -> Result<T, String>) -> T {
    for _ in 0..50 {
        *starts += 1;
        match step().await {
            Ok(done) => return done,
            Err(e) => assert!(e.contains("injected") || e.contains("broke off"), "{e}"),
        }
    }
    panic!("it never ends")
}

/// Two deliveries, a compaction and a clean-up; returns what the table holds then, and how often a step was started.
async fn whole_life(name: &str, faults: Faults) -> (String, u32) {
    let place = Place::with_items(name, faults).await;
    let mut starts = 0;
    for version in 1..=2 {
        place.deliver(version).await;
        let run = until_done(&mut starts, || place.ingest()).await.run;
        let rejected = run.rejected.values().sum::<u64>();
        assert_eq!((run.items, rejected, run.superseded), (ITEMS as u64, 2, 1));
        assert_eq!(run.listed, ITEMS as u64 + OTHERS);
    }
    until_done(&mut starts, || place.compact()).await;
    // A run that failed and could not say so keeps its lease as long as its process lives: here it is over.
    for lease in place.files("_runs").await {
        place.sound.delete(&lease.as_str().into()).await.unwrap();
    }
    until_done(&mut starts, || place.expire()).await;
    let contents = until_done(&mut starts, || place.contents()).await;
    let (data, metadata) = (place.files("grid_partition").await, place.files("metadata").await);
    assert_eq!(contents.lines().count(), ITEMS);
    assert!(data.is_empty(), "a folder of that name has no files: {data:?}");
    let parts = place.files("").await.into_iter().filter(|path| path.contains("/grid_partition=")).count();
    assert_eq!(parts, 8, "one file a bucket");
    assert_eq!(metadata.iter().filter(|path| path.ends_with(".metadata.json")).count(), 1, "{metadata:?}");
    assert_eq!(metadata.iter().filter(|path| path.contains("/snap-")).count(), 1, "{metadata:?}");
    (contents, starts)
}

const ALL: [Fault; 5] = [Fault::Before, Fault::After, Fault::Throttle, Fault::Latency, Fault::Body];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_faults_of_every_kind_the_table_is_what_it_is_without() {
    let (expected, starts) = whole_life("sound", Faults::new(0, 0., &[])).await;
    assert_eq!(starts, 5);
    for seed in 0..6 {
        // Each kind hits one request in twenty.
        let (contents, starts) = whole_life(&format!("all-{seed}"), Faults::new(seed, 0.25, &ALL)).await;
        assert_eq!(contents, expected, "seed {seed}");
        println!("seed {seed}: {starts} starts of 5 steps");
    }
    for (n, kind) in ALL.into_iter().enumerate() {
        let (contents, _) = whole_life(&format!("one-{n}"), Faults::new(7, 0.1, &[kind])).await;
        assert_eq!(contents, expected, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_retries_give_up_the_run_stops_and_is_started_again() {
    let (expected, _) = whole_life("sound-again", Faults::new(0, 0., &[])).await;
    let mut stopped = 0;
    for seed in 0..4 {
        let kinds = [Fault::Before, Fault::After, Fault::Body];
        let (contents, starts) = whole_life(&format!("hard-{seed}"), Faults::new(seed, 0.4, &kinds)).await;
        assert_eq!(contents, expected, "seed {seed}");
        stopped += starts - 5;
    }
    assert!(stopped > 0, "the faults were too few to show it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_on_a_store_that_fails_ends_with_the_same_table() {
    let backfilled = async |name: String, faults| {
        let place = Place::with_items(&name, faults).await;
        let run = until_done(&mut 0, || place.backfill()).await.run;
        assert_eq!((run.listed, run.items, run.superseded), (ITEMS as u64 + OTHERS, ITEMS as u64, 1));
        until_done(&mut 0, || place.contents()).await
    };
    let expected = backfilled("backfill-sound".to_owned(), Faults::new(0, 0., &[])).await;
    assert_eq!(expected.lines().count(), ITEMS);
    for seed in 0..4 {
        let rate = if seed % 2 == 0 { 0.25 } else { 0.4 };
        let contents = backfilled(format!("backfill-{seed}"), Faults::new(seed, rate, &ALL)).await;
        assert_eq!(contents, expected, "seed {seed}");
    }
}

#[tokio::test]
async fn without_faults_each_item_is_fetched_once() {
    let place = Place::with_items("counted", Faults::new(0, 0., &[])).await;
    place.ingest().await.unwrap();
    // The Items, the one that is missing, and the one that is none.
    assert_eq!(place.faults.requests(Operation::Get, "items/"), ITEMS as u64 + 2);
}
