//! A REST catalog in the place of the SQLite file: the same commands with the same rows, beside PyIceberg's own client, with
//! several writers, replies that are lost, tokens that end and keys that the catalog hands out.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ran, Warehouse, command, run};
use crate::python;
use crate::s3_server::{self, BUCKET};

/// The server of all tests; each has a warehouse of its own there.
static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

struct Server {
    url: String,
    _folder: TempDir,
    /// Ends when its standard input does: at the latest with this process.
    _process: Child,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let mut server = python::command("rest_catalog.py");
        server.arg(folder.path()).arg(&s3_server::server().url).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = server.spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        Self { url: url.trim().to_owned(), _folder: folder, _process: process }
    }

    fn catalog(&self, base: &str, name: &str) -> String {
        format!("{}/{base}?warehouse={name}", self.url)
    }

    fn request(&self, method: &str, path: &str) -> String {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Has the next commit to a warehouse fail in this way.
    fn fail(&self, name: &str, how: &str) {
        self.request("POST", &format!("/fail?{name}={how}"));
    }

    /// Requests so far that have all these parts: method, path, status.
    fn requests(&self, parts: &[&str]) -> usize {
        let log = self.request("GET", "/log");
        log.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }
}

fn item(id: &str, west: f64, updated: &str) -> Value {
    json!({
        "type": "Feature", "stac_version": "1.0.0", "id": id, "links": [], "assets": {}, "collection": "c",
        "geometry": { "type": "Point", "coordinates": [west, 40.0] },
        "properties": {
            "datetime": "2020-05-01T00:00:00Z", "updated": updated, "platform": format!("platform of {id}"), "cloud": 7,
        },
    })
}

/// A file of Items, each of a name and in some version of that day.
fn deliver(folder: &Path, name: &str, ids: impl IntoIterator<Item = usize>, day: u32) -> PathBuf {
    let path = folder.join(format!("{name}.ndjson"));
    let item = |n: usize| item(&format!("i{n}"), n as f64 * 7.0, &format!("2021-01-{day:02}T00:00:00Z")).to_string();
    fs::write(&path, ids.into_iter().map(item).collect::<Vec<_>>().join("\n")).unwrap();
    path
}

fn of_rest(folder: &Path, name: &str) -> Warehouse {
    Warehouse { catalog: SERVER.catalog("open", name).into(), files: folder.join(name) }
}

fn at(warehouse: &Warehouse, words: &[&str]) -> Ran {
    run(command().args(words).args(warehouse.flags()))
}

fn report(warehouse: &Warehouse, words: &[&str]) -> Value {
    serde_json::from_str(&at(warehouse, &[words, &["--output", "json"]].concat()).ok()).unwrap()
}

const ROWS: &str = "SELECT * FROM items ORDER BY id";

/// What a table says that does not depend on where it is, in one question.
fn state(warehouse: &Warehouse) -> Vec<Value> {
    let counted = r#"(SELECT count(*) FROM item_cells) AS rows, (SELECT count(*) FROM "items$snapshots") AS snapshots"#;
    let named = r#"(SELECT string_agg(name, ' ' ORDER BY name) FROM "items$refs") AS names"#;
    let rows = warehouse.rows(&format!("SELECT *, {counted}, {named} FROM items ORDER BY id"));
    assert!(!rows.is_empty());
    rows
}

#[test]
fn every_command_gives_the_table_that_it_gives_with_a_sqlite_catalog() {
    let folder = TempDir::new().unwrap();
    let sqlite = Warehouse::below(folder.path());
    let both = [sqlite, of_rest(folder.path(), "every")];
    let same = |what: &str| {
        let [one, other] = [&both[0], &both[1]].map(state);
        assert_eq!(one, other, "{what}");
    };
    let first = deliver(folder.path(), "first", 0..8, 1);
    let second = deliver(folder.path(), "second", 4..12, 2);
    let third = deliver(folder.path(), "third", 20..24, 3);
    let fourth = deliver(folder.path(), "fourth", 0..2, 4);
    let files = [&first, &second, &third, &fourth].map(|path| path.to_str().unwrap());
    let steps: &[&[&str]] = &[
        &["ingest", "--inventory", files[0]],
        &["incremental", "--inventory", files[1]],
        &["tag", "add", "release"],
        &["backfill", "--inventory", files[2]],
        &["column", "add", "cloud INT"],
        &["compact", "--use-lock"],
        &["delete", "--where", "id = 'i5'"],
        &["update", "--set", "platform = 'other'", "--where", "id = 'i6'"],
        &["ingest", "--inventory", files[3]],
        &["index"],
        &["rollback", "--to", "release"],
        &["column", "remove", "platform"],
        &["tag", "remove", "release"],
        &["ingest", "--inventory", files[3]],
        &["compact", "--threshold", "1", "--retain", "0s"],
        &["expire", "--retain", "0s"],
    ];
    for step in steps {
        for warehouse in &both {
            at(warehouse, step).ok();
        }
        same(&step.join(" "));
    }
    let found = ["search", "--bbox", "0,30,50,50", "--sortby", "id"];
    let [one, other] = both.each_ref().map(|warehouse| at(warehouse, &found).ok());
    assert_eq!(one, other);
    let [_, rest] = &both;
    assert_eq!(report(rest, &["verify", "--deep"])["findings"], json!([]));

    // Nothing of ours is left over: no metadata that nobody names, no lock, no lease.
    let metadata = rest.listing_of("metadata");
    let named = |end: &str| metadata.iter().filter(|path| path.to_str().unwrap().ends_with(end)).count();
    assert_eq!(named(".lock"), 0, "{metadata:?}");
    assert!(rest.listing_of("_runs").is_empty());
    let commits = SERVER.requests(&["POST /open/v1/wh/every/namespaces/earthcatalog/tables/items 200"]);
    assert_eq!(named(".metadata.json"), commits + 1, "the server alone writes metadata: {metadata:?}");
    // Where nothing says otherwise, a catalog that is no file has the statistics of runs beside the data.
    let statistics = fs::read_to_string(rest.files.join("ingest_stats.json")).unwrap();
    assert_eq!(statistics.lines().count(), 2, "{statistics}");

    let info = at(rest, &["info"]).ok();
    let opened = format!("uri=\"{}/open\", warehouse=\"every\").load_table(\"earthcatalog.items\")", SERVER.url);
    assert!(info.contains(&opened), "{info}");
    let nothing_new = SERVER.requests(&["POST", "/every/", "tables/items"]);
    at(rest, &["expire", "--retain", "0s"]).ok();
    assert_eq!(SERVER.requests(&["POST", "/every/", "tables/items"]), nothing_new);
}

#[test]
fn pyiceberg_reads_the_table_through_the_same_catalog_and_our_next_commit_stands_on_its_own() {
    let folder = TempDir::new().unwrap();
    let ours = of_rest(folder.path(), "engines");
    ours.ingest(&deliver(folder.path(), "first", 0..5, 1), &[]).ok();
    let engine = |steps: &[&str]| {
        let base = format!("{}/open", SERVER.url);
        python::run("rest_engine.py", [&[base.as_str(), "engines"], steps].concat())
    };
    assert_eq!(engine(&["read"]).trim(), "5 rows, 5 ids, 1 snapshots");
    engine(&["append", "theirs"]);
    assert_eq!(ours.value("SELECT count(*) FROM items WHERE id = 'theirs'"), json!(1));
    ours.ingest(&deliver(folder.path(), "second", 5..7, 1), &[]).ok();
    assert_eq!(engine(&["read"]).trim(), "8 rows, 8 ids, 3 snapshots");
    report(&ours, &["compact", "--threshold", "1", "--retain", "0s"]);
    assert_eq!(engine(&["read"]).trim(), "8 rows, 8 ids, 1 snapshots");
}

#[test]
fn commits_of_several_processes_at_once_are_all_kept() {
    let folder = TempDir::new().unwrap();
    let warehouse = of_rest(folder.path(), "race");
    thread::scope(|scope| {
        for process in 0..2 {
            let (warehouse, folder) = (&warehouse, folder.path());
            scope.spawn(move || {
                for n in 0..4 {
                    let path = deliver(folder, &format!("{process}-{n}"), [process * 10 + n], 1);
                    warehouse.ingest(&path, &[]).ok();
                }
            });
        }
    });
    assert_eq!(warehouse.value("SELECT count(DISTINCT id) FROM items"), json!(8));
    assert_eq!(warehouse.value("SELECT count(*) FROM item_cells"), json!(8));
    let snapshots = r#"SELECT count(*) FROM "items$snapshots""#;
    assert_eq!(warehouse.value(snapshots), json!(8));
}

#[test]
fn a_commit_whose_reply_is_lost_is_made_once() {
    let folder = TempDir::new().unwrap();
    let warehouse = of_rest(folder.path(), "lost");
    warehouse.ingest(&deliver(folder.path(), "first", 0..3, 1), &[]).ok();
    let ids = "SELECT count(*) FROM item_cells";
    let snapshots = r#"SELECT count(*) FROM "items$snapshots""#;
    for (n, how) in ["lost", "done", "not_done", "conflict"].into_iter().enumerate() {
        SERVER.fail("lost", how);
        warehouse.ingest(&deliver(folder.path(), how, [10 + n], 1), &[]).ok();
        assert_eq!((warehouse.value(ids), warehouse.value(snapshots)), (json!(4 + n), json!(2 + n)), "{how}");
        SERVER.fail("lost", how);
        at(&warehouse, &["tag", "add", how]).ok();
    }
    assert_eq!(warehouse.value(r#"SELECT count(*) FROM "items$refs" WHERE name <> 'main'"#), json!(4));
    // What was written for a commit of which nobody could say what became of it stays, until an expiry.
    let verified = report(&warehouse, &["verify", "--deep"]);
    assert_eq!(verified["damage"], json!(0), "{verified}");
    // What an expiry no longer names goes, although nobody was told that it was done.
    for how in ["lost", "done"] {
        at(&warehouse, &["tag", "remove", how]).ok();
    }
    SERVER.fail("lost", "lost");
    let removed = report(&warehouse, &["expire", "--retain", "0s"]);
    assert!(removed["snapshots_removed"].as_u64().unwrap() >= 2, "{removed}");
    assert!(removed["metadata_files_removed"].as_u64().unwrap() > 0, "{removed}");
    assert_eq!(report(&warehouse, &["verify", "--deep"])["findings"], json!([]));
}

#[test]
fn a_catalog_asks_who_asks_and_no_message_has_what_it_is_told() {
    let folder = TempDir::new().unwrap();
    let first = deliver(folder.path(), "first", 0..3, 1);
    let with = |base: &str, variables: &[(&str, &str)], words: &[&str]| {
        let mut program = command();
        program.args(words).args(["--catalog", &SERVER.catalog(base, "access"), "--warehouse"]);
        run(program.arg(folder.path().join("wh")).envs(variables.iter().copied()))
    };
    let ingest = ["ingest", "--inventory", first.to_str().unwrap()];
    let refused = with("token", &[], &ingest).fails(1);
    assert!(refused.contains("(401)") && refused.contains("set EARTHCATALOG_CATALOG_TOKEN, or"), "{refused}");
    let wrong = [("EARTHCATALOG_CATALOG_TOKEN", "not-the-secret-word")];
    for words in [&ingest[..], &[&ingest[..], &["-v"]].concat(), &["sql", "SELECT 1 FROM items"], &["config"]] {
        let ran = match words {
            ["config"] => run(command().args(words).envs(wrong)),
            words => with("token", &wrong, words),
        };
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains("not-the-secret-word"), "{words:?}: {said}");
        assert!(words == ["config"] || said.contains("get a new token for EARTHCATALOG_CATALOG_TOKEN"), "{said}");
    }
    let token = [("EARTHCATALOG_CATALOG_TOKEN", "letmein")];
    with("token", &token, &ingest).ok();
    let count = ["sql", "SELECT count(*) AS n FROM items", "--output", "ndjson"];
    assert_eq!(with("token", &token, &count).ok().trim(), r#"{"n":3}"#);
    let planned = with("token", &token, &["sql", "EXPLAIN SELECT * FROM items"]).ok();
    assert!(!planned.contains("letmein"), "{planned}");

    let credential = [("EARTHCATALOG_CATALOG_CREDENTIAL", "me:hunter2")];
    let given = SERVER.requests(&["POST /oauth/v1/oauth/tokens 200"]);
    let second = deliver(folder.path(), "second", 3..6, 1);
    with("oauth", &credential, &["ingest", "--inventory", second.to_str().unwrap()]).ok();
    assert!(SERVER.requests(&["POST /oauth/v1/oauth/tokens 200"]) >= given + 2, "each is good for five requests");
    assert!(SERVER.requests(&["/oauth/", " 401"]) > 0);
    assert_eq!(with("oauth", &credential, &count).ok().trim(), r#"{"n":6}"#);
    let wrong = [("EARTHCATALOG_CATALOG_CREDENTIAL", "me:opensesame")];
    let refused = with("oauth", &wrong, &count).fails(1);
    assert!(refused.contains("gave no token") && refused.contains("no client"), "{refused}");
    assert!(!refused.contains("opensesame") && refused.contains("EARTHCATALOG_CATALOG_CREDENTIAL"), "{refused}");
}

#[test]
fn the_keys_of_the_store_come_with_the_table_for_who_has_none() {
    let (catalog, files) = (SERVER.catalog("vended", "vended"), format!("s3://{BUCKET}/vended/wh"));
    let folder = TempDir::new().unwrap();
    let first = deliver(folder.path(), "first", 0..3, 1);
    let second = deliver(folder.path(), "second", 3..6, 1);
    let ran = |program: &mut Command, words: &[&str]| {
        run(program.args(words).args(["--catalog", &catalog, "--warehouse", &files]))
    };
    // A table is created with keys of one's own: before there is a table, no keys come with it.
    ran(&mut s3_server::server().command(), &["ingest", "--inventory", first.to_str().unwrap()]).ok();
    let without_keys = || {
        let mut program = command();
        program.env("AWS_ALLOW_HTTP", "true");
        program
    };
    ran(&mut without_keys(), &["ingest", "--inventory", second.to_str().unwrap()]).ok();
    let rows = ran(&mut without_keys(), &["sql", "SELECT count(*) AS n FROM items", "--output", "ndjson"]).ok();
    assert_eq!(rows.trim(), r#"{"n":6}"#);
    ran(&mut without_keys(), &["compact", "--threshold", "1", "--retain", "0s"]).ok();
    let requests = s3_server::server().requests("/vended/wh/");
    let of_keys = |key: &str| requests.iter().filter(|[.., used]| used == key).count();
    assert!(of_keys("test/vended") > 10 && of_keys("test") > 0, "{requests:?}");
    // Own keys come first.
    let before = s3_server::server().requests("/vended/wh/").iter().filter(|[.., key]| key == "test/vended").count();
    ran(&mut s3_server::server().command(), &["sql", "SELECT count(*) FROM items"]).ok();
    let after = s3_server::server().requests("/vended/wh/").iter().filter(|[.., key]| key == "test/vended").count();
    assert_eq!(before, after);
}

#[test]
fn a_table_is_taken_from_a_file_into_a_rest_catalog_and_what_such_a_catalog_cannot_do_is_said() {
    let folder = TempDir::new().unwrap();
    let local = Warehouse::below(folder.path());
    local.ingest(&deliver(folder.path(), "first", 0..5, 1), &[]).ok();
    let rest = Warehouse { catalog: SERVER.catalog("open", "taken").into(), files: local.files.clone() };
    at(&rest, &["register"]).ok();
    assert_eq!(rest.rows(ROWS), local.rows(ROWS));
    let again = at(&rest, &["register"]).fails(1);
    assert!(again.contains("already has a table"), "{again}");

    let moved = Warehouse { catalog: rest.catalog.clone(), files: folder.path().join("moved") };
    for file in rest.listing().into_keys() {
        let copy = moved.files.join(file.strip_prefix(&rest.files).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(file, copy).unwrap();
    }
    let before = moved.listing();
    let refused = at(&moved, &["relocate"]).fails(1);
    assert!(
        refused.contains("cannot be told that its files are in") && refused.contains("drop the table"),
        "{refused}"
    );
    assert_eq!(moved.listing(), before);
    let anew = Warehouse { catalog: SERVER.catalog("open", "anew").into(), files: moved.files.clone() };
    at(&anew, &["relocate"]).ok();
    assert_eq!(anew.value("SELECT count(*) FROM items"), json!(5));
}

#[test]
fn a_catalog_that_is_not_there_or_not_one_is_named_with_the_way_out() {
    let folder = TempDir::new().unwrap();
    let files = folder.path().join("wh");
    let asked = |catalog: &str| {
        run(command().args(["sql", "SELECT count(*) FROM items", "--catalog", catalog, "--warehouse"]).arg(&files))
    };
    let error = asked(&SERVER.catalog("open", "nobodys")).fails(1);
    assert!(error.contains("has no table earthcatalog.items") && error.contains("?warehouse=nobodys"), "{error}");
    let error = asked(&format!("{}/open?table=lab.ice.velocity", SERVER.url)).fails(1);
    assert!(error.contains("has no table lab.ice.velocity"), "{error}");
    let error = asked(&format!("{}/elsewhere", SERVER.url)).fails(1);
    assert!(error.contains("(404)") && error.contains("a page of HTML") && error.contains("/v1/config"), "{error}");
    let error = asked("http://127.0.0.1:9/catalog").fails(1);
    assert!(error.contains("http://127.0.0.1:9/catalog cannot be reached"), "{error}");
    let error = asked("https://me:hunter2@127.0.0.1:9/catalog").fails(2);
    assert!(error.contains("--catalog") && !error.contains("hunter2"), "{error}");
    let error = asked("rest+https://127.0.0.1:9/catalog?token=hunter2").fails(2);
    assert!(error.contains("parameter \"token\"") && !error.contains("hunter2"), "{error}");
    assert!(!files.exists());

    // Another table in the same folder is found before anything is entered.
    let one = of_rest(folder.path(), "one");
    one.ingest(&deliver(folder.path(), "first", 0..2, 1), &[]).ok();
    let two = Warehouse { catalog: SERVER.catalog("open", "two").into(), files: one.files.clone() };
    let error = two.ingest(&deliver(folder.path(), "second", 0..2, 1), &[]).fails(1);
    assert!(error.contains("holds another table"), "{error}");
    assert_eq!(SERVER.requests(&["POST", "/wh/two/"]), 0);
}
