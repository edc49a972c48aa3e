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
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
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
        WarehouseArgs { catalog: self.url("catalog.db"), warehouse: Some(self.url("wh")) }
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
        let args = CompactArgs { at: self.at(), retain: Some(Duration::ZERO), ..CompactArgs::default() };
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
            query::open(&session, &catalog, Some(&files)).await?;
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

/// What may be done between a run that was killed, and its next start.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ingest,
    Expire,
    Compact,
}

use Step::{Compact, Expire, Ingest};

const ORDERS: [&[Step]; 11] = [
    &[],
    &[Ingest],
    &[Expire],
    &[Compact],
    &[Ingest, Expire],
    &[Expire, Ingest],
    &[Ingest, Compact],
    &[Compact, Ingest],
    &[Expire, Compact],
    &[Compact, Expire],
    &[Ingest, Compact, Expire],
];

impl Place {
    /// Six Items in two chunks, of two cells.
    async fn small(name: &str) -> Self {
        let place = Self { name: name.to_owned(), sound: Arc::default(), faults: Arc::new(Faults::new(0, 0., &[])) };
        let mut inventory = "bucket,key\n".to_owned();
        for n in 0..6 {
            let item = format!(
                r#"{{"type":"Feature","id":"i{n}","geometry":{{"type":"Point","coordinates":[{},50]}},"properties":{{"datetime":"2020-01-01T00:00:00Z"}}}}"#,
                n % 2 * 60
            );
            place.put(&format!("items/{n}.json"), &item).await;
            inventory += &format!(",items/{n}.json\n");
        }
        place.put("inventory.csv", &inventory).await;
        place.process(Faults::new(0, 0., &[]))
    }

    /// The place as another process sees it.
    fn process(mut self, faults: Faults) -> Self {
        self.faults = Arc::new(faults);
        let faulty = Arc::new(Faulty::over(self.sound.clone(), Arc::clone(&self.faults)));
        let store = Retrying::over(faulty.clone(), faulty, Service::Other).with_backoff(Duration::ZERO);
        stores().register_store(&Url::parse(&self.url("")).unwrap(), Arc::new(store));
        self
    }

    /// Makes the leases of this process those of one that is gone.
    async fn bury(&self) {
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        for folder in ["_runs", "metadata"] {
            for path in self.files(folder).await.into_iter().filter(|path| path.ends_with(".json")) {
                let bytes = self.sound.get(&path.as_str().into()).await.unwrap().bytes().await.unwrap();
                let Ok(mut lease) = serde_json::from_slice::<serde_json::Value>(&bytes) else { continue };
                if lease["pid"] == std::process::id() {
                    lease["pid"] = gone.id().into();
                    self.sound.put(&path.as_str().into(), lease.to_string().into()).await.unwrap();
                }
            }
        }
    }

    async fn two_chunks(&self) -> Result<Report, String> {
        let source = SourceArgs { chunk_size: Some(3), ..self.source() };
        let args = BackfillArgs { source, ..BackfillArgs::default() };
        let session = pipeline_session(1, None).unwrap();
        backfill(&session, &args, pending()).await.map(|summary| summary.report).map_err(|e| e.to_string())
    }

    /// A step; before the table was created, there is nothing to clean.
    async fn step(&self, step: Step) {
        let done = match step {
            Ingest => self.ingest().await.map(drop),
            Expire => self.expire().await,
            Compact => self.compact().await,
        };
        if let Err(e) = done {
            assert!(e.contains("there is no catalog") || e.contains("has no table"), "{step:?}: {e}");
        }
    }

    /// Starts the backfill that was killed again, and cleans up: then the rows are these, and no file lies there without need.
    async fn ends_right(&self, expected: &str) -> Result<(), String> {
        self.two_chunks().await?;
        self.compact().await?;
        self.expire().await?;
        let contents = self.contents().await?;
        if contents != expected {
            return Err(format!("other rows:\n{contents}"));
        }
        let [named, there] = self.part_files().await;
        if named == there { Ok(()) } else { Err(format!("named {named:?}, there are {there:?}")) }
    }

    /// Names of the part files that the table names, and of those that there are.
    async fn part_files(&self) -> [Vec<String>; 2] {
        let session = session(1).unwrap();
        query::open(&session, &self.url("catalog.db"), None).await.unwrap();
        let rows = session.sql(r#"SELECT file_path FROM "items$files""#).await.unwrap().execute_stream().await.unwrap();
        let mut out = vec![];
        output::write(rows, Format::Ndjson, &mut out).await.unwrap();
        let name = |path: &str| path.trim_end_matches(['"', '}']).rsplit('/').next().unwrap().to_owned();
        let named = String::from_utf8(out).unwrap().lines().map(name).collect::<Vec<_>>();
        let there = self.files("").await.into_iter().filter(|path| path.contains("/grid_partition="));
        let mut both = [named, there.map(|path| name(&path)).collect()];
        both.iter_mut().for_each(|names| names.sort());
        both
    }
}

/// `EARTHCATALOG_KILL_POINTS=all` runs every point; otherwise every seventh and each of those near the commit, with a third of the orders each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_that_is_killed_at_any_request_ends_right_whatever_is_done_before_it_starts_again() {
    let undisturbed = Place::small("kill-undisturbed").await;
    let done = undisturbed.two_chunks().await.unwrap();
    let (requests, expected) = (undisturbed.faults.made(), undisturbed.contents().await.unwrap());
    assert_eq!((done.run.items, expected.lines().count()), (6, 6));

    let all = std::env::var("EARTHCATALOG_KILL_POINTS").is_ok_and(|points| points == "all");
    let (mut points, mut ended, mut failed) = (0, 0, vec![]);
    for at in 1..=requests {
        // The last requests are the commit, and what is done after it.
        if !all && at % 7 != 0 && at + 25 < requests {
            continue;
        }
        for (n, order) in ORDERS.iter().enumerate() {
            if !all && n % 3 != (at % 3) as usize {
                continue;
            }
            points += 1;
            let place = Place::small(&format!("kill-{at}-{n}")).await.process(Faults::killed_at(at));
            if place.two_chunks().await.is_ok() {
                ended += 1;
            }
            place.bury().await;
            let place = place.process(Faults::new(0, 0., &[]));
            for step in *order {
                place.step(*step).await;
            }
            failed.extend(place.ends_right(&expected).await.err().map(|e| format!("{at} {order:?}: {e}")));
        }
    }
    println!("{points} times killed at one of {requests} requests, {ended} of them too late; {} fail", failed.len());
    assert!(failed.is_empty(), "{} of {points}: {}", failed.len(), failed[..failed.len().min(12)].join("\n"));
}

/// The second start is killed, too. `EARTHCATALOG_KILL_POINTS=all` runs all pairs of points and all orders; otherwise every pair of
/// those near the commit has a chance of one in eight, and others one in two hundred.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_that_is_killed_twice_ends_right() {
    let undisturbed = Place::small("kill-twice-undisturbed").await;
    undisturbed.two_chunks().await.unwrap();
    let (requests, expected) = (undisturbed.faults.made(), undisturbed.contents().await.unwrap());
    let all = std::env::var("EARTHCATALOG_KILL_POINTS").is_ok_and(|points| points == "all");
    let mut random = StdRng::seed_from_u64(14);
    let (mut points, mut twice, mut failed) = (0, 0, vec![]);
    for (first, second) in (1..=requests).flat_map(|first| (1..=requests).map(move |second| (first, second))) {
        let is_near = first + 25 >= requests && second + 25 >= requests;
        let orders: Vec<&&[Step]> = match all {
            true => ORDERS.iter().collect(),
            false if random.random_ratio(1, if is_near { 8 } else { 200 }) => {
                ORDERS.choose(&mut random).into_iter().collect()
            }
            false => vec![],
        };
        for order in orders {
            points += 1;
            let place =
                Place::small(&format!("kill-{first}-{second}-{points}")).await.process(Faults::killed_at(first));
            let killed = place.two_chunks().await.is_err();
            place.bury().await;
            let place = place.process(Faults::new(0, 0., &[]));
            for step in *order {
                place.step(*step).await;
            }
            let place = place.process(Faults::killed_at(second));
            twice += usize::from(killed && place.two_chunks().await.is_err());
            place.bury().await;
            let place = place.process(Faults::new(0, 0., &[]));
            failed.extend(place.ends_right(&expected).await.err().map(|e| format!("{first}, {second} {order:?}: {e}")));
        }
    }
    println!(
        "{points} times killed at two of {requests} requests, {twice} of them before the end of both; {} fail",
        failed.len()
    );
    assert!(twice > 20, "{twice}");
    assert!(failed.is_empty(), "{} of {points}: {}", failed.len(), failed[..failed.len().min(12)].join("\n"));
}
