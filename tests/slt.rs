//! SQL with its answers: the files below `tests/slt`, in the format of sqllogictest.
//!
//! Those in `reading` ask a warehouse with two commits of [`ITEMS`]; those in `writing` begin with these Items in files,
//! and an empty folder. `$DIR` is that folder, `$FIRST` the first snapshot. `SLT_UPDATE=1 cargo test slt` writes the
//! answers that it gets into the files, for review.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DataFusionError;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::call;
use earthcatalog_plans::query::register_views;
use earthcatalog_plans::session::session;
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner, default_validator, strict_column_validator};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What is delivered first: an Item over several cells, one in a point, one without a place and a time, and a broken one.
const ITEMS: [&str; 4] = [
    r#"{"type":"Feature","stac_version":"1.0.0","id":"greenland","geometry":{"type":"Polygon","coordinates":[[[-50,69],[-49,69],[-49,70],[-50,70],[-50,69]]]},"properties":{"datetime":"2020-05-01T12:00:00Z","platform":"S1A","eo:cloud_cover":12.5,"updated":"2025-01-01T00:00:00Z"},"links":[],"assets":{"data":{"href":"s3://bucket/greenland.nc"}}}"#,
    r#"{"type":"Feature","stac_version":"1.0.0","id":"paris","geometry":{"type":"Point","coordinates":[2.35,48.85]},"properties":{"datetime":"2021-07-14T10:00:00Z","platform":"LC08","eo:cloud_cover":80,"tags":["a","b"]},"links":[],"assets":{}}"#,
    r#"{"type":"Feature","stac_version":"1.0.0","id":"nowhere","geometry":null,"properties":{"datetime":null,"start_datetime":"2022-01-01T00:00:00Z","end_datetime":"2022-12-31T00:00:00Z","platform":"LC09"},"links":[],"assets":{}}"#,
    r#"{"type":"Feature","#,
];

/// What is delivered later: a newer version.
const LATER: &str = r#"{"type":"Feature","stac_version":"1.0.0","id":"greenland","geometry":{"type":"Polygon","coordinates":[[[-50,69],[-49,69],[-49,70],[-50,70],[-50,69]]]},"properties":{"datetime":"2020-05-01T12:00:00Z","platform":"S1B","updated":"2025-02-01T00:00:00Z"},"links":[],"assets":{}}"#;

/// Runs statements in a session of ours.
struct Engine {
    runtime: Runtime,
    session: SessionContext,
    /// Names that stand in statements, and what for.
    variables: Vec<(&'static str, String)>,
}

impl Engine {
    fn new(folder: &Path) -> Self {
        fs::write(folder.join("items.ndjson"), ITEMS.join("\n")).unwrap();
        fs::write(folder.join("later.ndjson"), LATER).unwrap();
        fs::create_dir(folder.join("objects")).unwrap();
        let mut inventory = "bucket,key,e_tag\n".to_owned();
        for (n, item) in ITEMS.iter().enumerate() {
            fs::write(folder.join(format!("objects/{n}.json")), item).unwrap();
            inventory += &format!(",objects/{n}.json,v{n}\n");
        }
        fs::write(folder.join("inventory.csv"), inventory).unwrap();
        fs::write(folder.join("regions.csv"), "platform,region\nS1A,arctic\nS1B,arctic\nLC08,europe\n").unwrap();
        Self {
            runtime: Runtime::new().unwrap(),
            session: session(2).unwrap(),
            variables: vec![("$DIR", folder.to_str().unwrap().to_owned())],
        }
    }

    /// With the tables of a warehouse for reading.
    fn reading(folder: &Path) -> Self {
        let mut engine = Self::new(folder);
        for statement in [
            "CREATE EXTERNAL TABLE stored (platform VARCHAR, \"eo:cloud_cover\" DOUBLE) STORED AS ICEBERG
             LOCATION '$DIR/warehouse' OPTIONS ('catalog' '$DIR/catalog.db', 'h3_resolution' '1')",
            "CREATE EXTERNAL TABLE first STORED AS STAC LOCATION '$DIR/items.ndjson' OPTIONS ('like' 'stored')",
            "CREATE EXTERNAL TABLE later STORED AS STAC LOCATION '$DIR/later.ndjson' OPTIONS ('like' 'stored')",
            "SET earthcatalog.run = 'run-1'",
            "INSERT INTO stored SELECT * FROM h3_fanout(first, 1)",
            "SET earthcatalog.run = 'run-2'",
            "INSERT INTO stored SELECT * FROM h3_fanout(later, 1)",
        ] {
            engine.run(statement).unwrap();
        }
        engine.session = session(2).unwrap();
        let catalog = folder.join("catalog.db");
        engine.runtime.block_on(register_views(&engine.session, catalog.to_str().unwrap(), None)).unwrap();
        let sql = "SELECT snapshot_id FROM \"items$snapshots\" WHERE parent_id IS NULL";
        let Ok(DBOutput::Rows { rows, .. }) = engine.run(sql) else { panic!("{sql}") };
        engine.variables.push(("$FIRST", rows[0][0].clone()));
        engine
    }
}

impl DB for Engine {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, DataFusionError> {
        let sql = self.variables.iter().fold(sql.to_owned(), |sql, (name, value)| sql.replace(name, value));
        self.runtime.block_on(async {
            let frame = call::sql(&self.session, &sql).await?;
            let types: Vec<_> = frame.schema().fields().iter().map(|f| column_type(f.data_type())).collect();
            let batches = frame.collect().await?;
            let options = FormatOptions::new().with_null("NULL");
            let folder = &self.variables[0].1;
            let mut rows = vec![];
            for batch in &batches {
                let columns = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options));
                let columns = columns.collect::<Result<Vec<_>, _>>()?;
                let text = |column: &ArrayFormatter<'_>, row| match column.value(row).to_string().trim_end() {
                    "" => "(empty)".to_owned(),
                    // The folder is another one each time.
                    text => text.replace(folder, "$DIR").replace(folder.trim_start_matches('/'), "$DIR"),
                };
                for row in 0..batch.num_rows() {
                    let texts: Vec<_> = columns.iter().map(|column| text(column, row)).collect();
                    match texts.iter().any(|text| text.contains('\n')) {
                        // A plan is compared line by line.
                        true => rows.extend(texts.join(" ").lines().map(|line| vec![line.to_owned()])),
                        false => rows.push(texts),
                    }
                }
            }
            Ok(match types.is_empty() {
                true => DBOutput::StatementComplete(0),
                false => DBOutput::Rows { types, rows },
            })
        })
    }
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        _ if data_type.is_integer() => DefaultColumnType::Integer,
        _ if data_type.is_floating() => DefaultColumnType::FloatingPoint,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DefaultColumnType::Text,
        _ => DefaultColumnType::Any,
    }
}

/// Runs the files in a folder, each in a session and a folder of its own.
fn run_files(folder: &str, engine: fn(&Path) -> Engine) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let temporary: TempDir = tempfile::tempdir().unwrap();
        let mut runner = Runner::new(async || Ok(engine(temporary.path())));
        runner.with_column_validator(strict_column_validator);
        if std::env::var_os("SLT_UPDATE").is_some() {
            let normalizer = sqllogictest::default_normalizer;
            let update = runner.update_test_file(&file, " ", default_validator, normalizer, strict_column_validator);
            futures::executor::block_on(update).unwrap();
        } else if let Err(error) = runner.run_file(&file) {
            panic!("{}", error.display(false));
        }
    }
}

#[test]
fn tables_and_functions_answer_as_written_down() {
    run_files("reading", Engine::reading);
}

#[test]
fn statements_do_what_is_written_down() {
    run_files("writing", Engine::new);
}
