//! The answers of questions in SQL, compared with DuckDB's over the same rows.
//!
//! The questions are in `interop/questions.sql`, and random conditions. They are asked of a warehouse of real Items that is
//! fresh, and of one of which a part came again, that was compacted in part, and from which Items were deleted; with and without
//! pruning, by few and many workers, within a limit of memory, without one, and on a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use arrow::ipc::writer::FileWriter;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use earthcatalog::arguments::ClusterArgs;
use earthcatalog::version;
use earthcatalog_plans::call;
use earthcatalog_plans::query::register_views;
use earthcatalog_plans::session::session_within;
use earthcatalog_plans::wire;
use futures::TryStreamExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::cluster_processes::Cluster;
use crate::data;
use crate::program::{Warehouse, earthcatalog};
use crate::python;

/// A question, as `questions_duckdb.py` reads it.
#[derive(Debug, Clone, Default, Serialize)]
struct Question {
    name: String,
    sql: String,
    /// The same in DuckDB's dialect, where that is another text.
    #[serde(skip_serializing_if = "Option::is_none")]
    duckdb: Option<String>,
    in_order: bool,
    /// Words of the error that is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    fails: Option<String>,
}

/// The questions of the file; its head says how it is read.
fn questions() -> Vec<Question> {
    let mut questions: Vec<Question> = vec![];
    for line in include_str!("interop/questions.sql").lines() {
        let heading = line.strip_prefix("-- ").map(|heading| heading.split_once(" -- ").unwrap_or((heading, "")));
        let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        match (heading, questions.last_mut()) {
            (Some(("duckdb", "")), Some(question)) => question.duckdb = Some(String::new()),
            (Some((name, remark)), _) if is_name(name) => questions.push(Question {
                name: name.to_owned(),
                in_order: remark == "in order",
                fails: remark.strip_prefix("fails: ").map(ToOwned::to_owned),
                ..Question::default()
            }),
            (_, Some(question)) if !line.starts_with("--") => {
                let text = question.duckdb.as_mut().unwrap_or(&mut question.sql);
                *text += line;
                text.push('\n');
            }
            _ => {}
        }
    }
    for question in &mut questions {
        for text in [Some(&mut question.sql), question.duckdb.as_mut()].into_iter().flatten() {
            *text = text.trim().trim_end_matches(';').to_owned();
        }
    }
    questions
}

/// Conditions of AND, OR, NOT and the like over columns of all types, as a person or a program may write them.
struct Conditions(StdRng);

impl Conditions {
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of.choose(&mut self.0).unwrap()
    }

    fn number(&mut self) -> (&'static str, &'static str) {
        let column = self.pick(&["eo_cloud_cover", "gsd", "xmin", "ymax", "proj_epsg", "sat_relative_orbit"]);
        let values: &[&str] = match column {
            "eo_cloud_cover" => &["0", "21.5", "50", "99.9", "100.0"],
            "gsd" => &["1", "10.0", "0.6", "30", "1e3"],
            "xmin" => &["-105.5", "0", "-180", "12.25"],
            "ymax" => &["41", "0.0", "-60.5", "90"],
            "proj_epsg" => &["32613", "26916", "32613.5", "4326"],
            _ => &["98", "55", "141", "-1", "98.5"],
        };
        (column, self.pick(values))
    }

    fn text(&mut self) -> (&'static str, &'static str) {
        let column = self.pick(&["platform", "constellation", "sat_orbit_state", "stac_version", "collection", "id"]);
        let values: &[&str] = match column {
            "platform" => &["'terra'", "'Sentinel-2B'", "'landsat-8'", "'m'", "''"],
            "constellation" => &["'sentinel-2'", "'Sentinel 2'", "'GOES'", "'s'"],
            "sat_orbit_state" => &["'descending'", "'ascending'", "'N/A'"],
            "stac_version" => &["'1.0.0'", "'1.1.0'", "'0.9'"],
            "collection" => &["'naip'", "'sentinel-2-l2a'", "'velocity-mosaics'", "'x'"],
            _ => &["'S2'", "'m_3'", "'landsat'"],
        };
        (column, self.pick(values))
    }

    fn time(&mut self) -> (&'static str, &'static str) {
        let column = self.pick(&["datetime", "start_datetime", "end_datetime", "created", "updated"]);
        let values = [
            "'2020-09-15T16:13:03Z'",
            "'2015-01-01'",
            "TIMESTAMP '2021-12-31 23:59:59.999999'",
            "DATE '2022-02-04'",
            "'9999-12-31'",
            "'0001-06-01'",
            "'1969-07-20 20:17:40'",
        ];
        (column, self.pick(&values))
    }

    fn leaf(&mut self) -> String {
        let comparison = self.pick(&["=", "<>", "<", "<=", ">", ">="]);
        match self.0.random_range(0..14) {
            0 | 1 => {
                let (column, value) = self.number();
                format!("{column} {comparison} {value}")
            }
            2 | 3 => {
                let (column, value) = self.text();
                format!("{column} {comparison} {value}")
            }
            4 | 5 => {
                let (column, value) = self.time();
                format!("{column} {comparison} {value}")
            }
            6 => {
                let ((column, low), (_, high)) = (self.number(), self.number());
                let not = self.pick(&["", "NOT "]);
                format!("{column} {not}BETWEEN {low} AND {high}")
            }
            7 => {
                let (column, value) = self.text();
                let (not, other) = (self.pick(&["", "NOT "]), self.pick(&["NULL", "'terra'", "'1.0.0'", "'naip'"]));
                format!("{column} {not}IN ({value}, {other})")
            }
            8 => {
                let (column, _) = self.text();
                let like = self.pick(&["LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"]);
                let pattern = self.pick(&["'%2%'", "'S%'", "'%-_'", "'s_nt%'", "'%'", "'terra'"]);
                format!("{column} {like} {pattern}")
            }
            9 => {
                let column = self.pick(&["platform", "gsd", "datetime", "geometry", "proj_epsg", "updated", "id"]);
                let not = self.pick(&["", "NOT "]);
                format!("{column} IS {not}NULL")
            }
            10 => {
                let (a, b) = (self.number().0, self.number().0);
                format!("{a} {comparison} {b}")
            }
            11 => {
                let (a, b) = (self.time().0, self.time().0);
                format!("{a} {comparison} {b}")
            }
            12 => {
                let (column, value) = if self.0.random() { self.number() } else { self.text() };
                let not = self.pick(&["", "NOT "]);
                format!("{column} IS {not}DISTINCT FROM {value}")
            }
            _ => self.pick(&["true", "false", "NULL", "1 = 1", "platform = platform", "gsd <> gsd"]).to_owned(),
        }
    }

    fn condition(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.leaf();
        }
        match self.0.random_range(0..10) {
            0..=2 => format!("({} AND {})", self.condition(depth - 1), self.condition(depth - 1)),
            3..=5 => format!("({} OR {})", self.condition(depth - 1), self.condition(depth - 1)),
            6 => format!("NOT ({})", self.condition(depth - 1)),
            7 => {
                let is = self.pick(&["TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN"]);
                format!("({}) IS {is}", self.condition(depth - 1))
            }
            8 => {
                let [when, then, otherwise] = [(); 3].map(|()| self.condition(depth - 1));
                format!("CASE WHEN {when} THEN {then} ELSE {otherwise} END")
            }
            _ => self.leaf(),
        }
    }

    /// Questions with conditions of up to eight or so leaves: which rows meet it, and of how many it is not known.
    fn questions(count: usize) -> Vec<Question> {
        let mut conditions = Self(StdRng::seed_from_u64(15));
        let question = |n: usize| {
            let depth = conditions.0.random_range(1..4);
            let condition = conditions.condition(depth);
            let sql = match n % 4 {
                0 => format!(
                    "SELECT count(*) FILTER (WHERE {condition}) AS a, count(*) FILTER (WHERE ({condition}) IS NULL) AS b FROM items"
                ),
                _ => format!("SELECT collection, id FROM items WHERE {condition}"),
            };
            Question { name: format!("condition_{n}"), sql, ..Question::default() }
        };
        (0..count).map(question).collect()
    }
}

/// Asks all questions; the answers are files in `folder`, as `questions_duckdb.py` reads them.
async fn ask(session: &SessionContext, questions: &[Question], folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("questions.json"), serde_json::to_vec(questions).unwrap()).unwrap();
    for Question { name, sql, .. } in questions {
        if let Err(error) = write_answer(session, sql, &folder.join(format!("{name}.arrow"))).await {
            fs::write(folder.join(format!("{name}.error")), error.to_string()).unwrap();
        }
    }
}

async fn write_answer(session: &SessionContext, sql: &str, file: &Path) -> Result<()> {
    let mut batches = call::sql(session, sql).await?.execute_stream().await?;
    let mut writer = FileWriter::try_new(File::create(file)?, &batches.schema())?;
    while let Some(batch) = batches.try_next().await? {
        writer.write(&batch)?;
    }
    Ok(writer.finish()?)
}

/// A way to ask.
#[derive(Debug, Clone, Copy)]
struct Way {
    name: &'static str,
    workers: usize,
    memory: Option<usize>,
    prunes: bool,
    on_cluster: bool,
}

const MANY: Way = Way { name: "five workers", workers: 5, memory: None, prunes: true, on_cluster: false };
const FEW: Way = Way { name: "one worker, without pruning", workers: 1, prunes: false, ..MANY };
const SMALL: Way = Way { name: "two workers, little memory", workers: 2, memory: Some(128 << 20), ..MANY };
const CLUSTER: Way = Way { name: "two executors", workers: 2, on_cluster: true, ..MANY };

/// On a cluster, a question takes seconds: it is asked there where it is asked for.
const LOCAL: usize = 3;

const WAYS: [Way; LOCAL + 1] = [MANY, FEW, SMALL, CLUSTER];

/// Writes the rows of the tables as they are now, and the answers. Of two states and three local ways, `state` being one, a question
/// is asked in one; in all states and ways where EARTHCATALOG_QUESTIONS is `all`, and in one way where it is that way's name.
async fn ask_in_ways(warehouse: &Warehouse, questions: &[Question], state: usize, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let asked = std::env::var("EARTHCATALOG_QUESTIONS").unwrap_or_default();
    for (n, way) in WAYS.iter().enumerate() {
        let is_asked = |i: usize| match asked.as_str() {
            "" => !way.on_cluster && i % 2 == state && i / 2 % LOCAL == n,
            "all" => true,
            name => name == way.name,
        };
        let asked: Vec<_> =
            questions.iter().enumerate().filter(|(i, _)| is_asked(*i)).map(|(_, of)| of.clone()).collect();
        let cluster = (way.on_cluster && !asked.is_empty()).then(|| Cluster::start(2));
        let session = session_within(way.workers, way.memory).unwrap();
        if let Some(cluster) = &cluster {
            // Of which build this process is, as the program says it.
            wire::set_commit(version::COMMIT);
            let address = Some(cluster.address.parse().unwrap());
            let cluster = ClusterArgs { cluster: address, executor_wait: Duration::from_secs(60) };
            cluster.attach(&session).await.unwrap();
        }
        register_views(&session, warehouse.catalog.to_str().unwrap(), None).await.unwrap();
        let run = async |sql: &str| call::sql(&session, sql).await.unwrap().collect().await.unwrap();
        if n == 0 {
            for table in ["items", "item_cells"] {
                run(&format!("COPY (SELECT * FROM {table}) TO '{}/{table}.parquet'", folder.display())).await;
            }
        }
        run(&format!("SET earthcatalog.spatial_pruning = {}", way.prunes)).await;
        ask(&session, &asked, &folder.join(way.name)).await;
    }
}

/// Writes real Items to a file, as NDJSON. Those that are alone in their place and year would have files of their own, whose
/// opening takes most of the time: of them it has every twelfth.
fn write_real_items(data: &Path, file: &Path) {
    let mut files = vec![];
    let mut folders = vec![data.join("real")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() { &mut folders } else { &mut files }.push(entry.path());
        }
    }
    files.sort();
    let mut places = BTreeMap::<_, Vec<String>>::new();
    for file in files {
        let Ok(text) = fs::read_to_string(file) else { continue };
        // What is no JSON, or no Item, is another test's.
        let items = serde_json::Deserializer::from_str(&text).into_iter::<Value>().map_while(Result::ok);
        for item in items.filter(|item| item["type"] == "Feature") {
            let bbox: Vec<f64> = item["bbox"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
            let degrees = if bbox.len() >= 4 { [bbox[0], bbox[1], bbox[bbox.len() / 2]] } else { [0.0; 3] };
            let properties = &item["properties"];
            let time = properties["datetime"].as_str().or_else(|| properties["start_datetime"].as_str());
            let year = time.and_then(|time| time.get(..4)).unwrap_or_default().to_owned();
            let place = degrees.map(|degrees| (degrees / 30.0).floor() as i64);
            places.entry((year, place)).or_default().push(item.to_string());
        }
    }
    let (shared, alone): (Vec<_>, Vec<_>) = places.into_values().partition(|items| items.len() >= 12);
    let items = shared.into_iter().flatten().chain(alone.into_iter().flatten().step_by(12));
    fs::write(file, items.map(|item| item + "\n").collect::<String>()).unwrap();
}

#[test]
#[cfg_attr(not(shared_data), ignore = "the shared data is not here; EARTHCATALOG_DATA names its folder")]
fn the_answers_are_those_of_duckdb_in_every_state_of_the_table_and_way_to_ask() {
    let data = data::folder();
    let temporary = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::below(temporary.path());
    let answers = temporary.path().join("answers");
    let runtime = Runtime::new().unwrap();

    let named = questions();
    let conditions = Conditions::questions(90);
    let names: BTreeSet<&str> = named.iter().chain(&conditions).map(|question| question.name.as_str()).collect();
    assert!(
        names.len() == named.len() + conditions.len() && named.len() > 200,
        "{} names, {} questions",
        names.len(),
        named.len()
    );
    let all = [named, conditions].concat();
    let asked = |state: usize, name: &str| {
        runtime.block_on(ask_in_ways(&warehouse, &all, state, &answers.join(name)));
    };

    let columns = "platform VARCHAR, constellation VARCHAR, eo:cloud_cover DOUBLE, gsd DOUBLE, proj:epsg INT, \
                   view:sun_elevation DOUBLE, sat:orbit_state VARCHAR, sat:relative_orbit INT, version VARCHAR";
    let real = temporary.path().join("real.ndjson");
    write_real_items(&data, &real);
    warehouse.ingested(&real, &["--h3-resolution", "0", "--columns", columns]);
    asked(0, "fresh");
    // Some come again, a part is compacted, and some go.
    for part in ["pgstac_naip", "stactools_sentinel2", "pystac"] {
        warehouse.ingested(&data.join("real").join(part), &[]);
    }
    warehouse.compacted(&["--threshold", "3"]);
    let delete = ["delete", "--where", "collection = 'sentinel-2-l2a' AND eo_cloud_cover > 50 OR gsd < 0.6"];
    earthcatalog(delete.iter().map(OsStr::new).chain(warehouse.flags())).ok();
    asked(1, "lived in");

    println!("{}", python::run("questions_duckdb.py", [&answers]));
}

#[test]
fn answers_that_are_wrong_or_missing_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    Runtime::new().unwrap().block_on(async {
        let session = session_within(2, None).unwrap();
        let rows = "SELECT * FROM (VALUES ('a', 1.5, TIMESTAMP '2020-01-01'), ('b', NULL, NULL)) AS t(id, n, t)";
        for sql in [
            format!("CREATE TABLE items AS {rows}"),
            format!("COPY items TO '{}/items.parquet'", state.display()),
            format!("COPY items TO '{}/item_cells.parquet'", state.display()),
        ] {
            session.sql(&sql).await.unwrap().collect().await.unwrap();
        }
        // What is asked of DuckDB is another question: the answers differ in one way each.
        let question = |name: &str, sql: &str, other: &str| Question {
            name: name.to_owned(),
            sql: sql.to_owned(),
            duckdb: Some(other.to_owned()),
            ..Question::default()
        };
        let questions = [
            question("right", "SELECT id, n, t FROM items", "SELECT id, n + 1e-12, t FROM items ORDER BY id DESC"),
            question("value", "SELECT id, n FROM items", "SELECT id, n + 0.001 FROM items"),
            question("null", "SELECT n FROM items", "SELECT coalesce(n, 0) FROM items"),
            question("time", "SELECT t FROM items", "SELECT t + INTERVAL '1 microsecond' FROM items"),
            question("rows", "SELECT id FROM items", "SELECT id FROM items LIMIT 1"),
            question("columns", "SELECT id FROM items", "SELECT id, n FROM items"),
            Question {
                in_order: true,
                ..question("order", "SELECT id FROM items ORDER BY id", "SELECT id FROM items ORDER BY id DESC")
            },
            question("type", "SELECT n IS NULL FROM items", "SELECT CAST(n IS NULL AS INT) FROM items"),
            question("error", "SELECT 1 / 0", "SELECT 1"),
            Question { fails: Some("no".to_owned()), ..question("answer", "SELECT 1", "SELECT 1") },
            Question { fails: Some("words".to_owned()), ..question("message", "SELECT 1 / 0", "SELECT 1") },
            question("missing", "SELECT 1", "SELECT 1"),
        ];
        let way = state.join("way");
        ask(&session, &questions, &way).await;
        fs::remove_file(way.join("missing.arrow")).unwrap();
    });
    let output = python::command("questions_duckdb.py").arg(folder.path()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{message}");
    let found: Vec<&str> =
        message.lines().filter_map(|line| line.split_once(" (state, way): ")).map(|(name, _)| name).collect();
    let wrong = ["value", "null", "time", "rows", "columns", "order", "type", "error", "answer", "message", "missing"];
    assert_eq!(found, wrong, "{message}");
}
