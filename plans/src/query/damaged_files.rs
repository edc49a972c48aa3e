//! Files of a table with a flipped bit in a page: each question is answered as before, or with an error, and nothing panics.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use arrow::util::pretty::pretty_format_batches;
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use futures::FutureExt;

/// Of the bits of a file, one of so many is flipped. The stride is a prime, so that all bits of a byte have their turn.
const ONE_OF: usize = 20_011;

/// Rows of a part file that parquet's own writers make.
const MANY: usize = 2500;

const QUESTIONS: [&str; 5] = [
    "SELECT stac_item(*) FROM items ORDER BY id",
    "SELECT id, latitude FROM items WHERE platform = 'S2' ORDER BY id",
    "SELECT id, datetime, assets FROM buckets(stored, 2) ORDER BY 1, 2, 3",
    "SELECT object, e_tag, run FROM ingested(stored, NULL) ORDER BY object",
    "SELECT object, kind, message FROM rejects ORDER BY object",
];

/// What became of questions to a damaged table.
#[derive(Debug, Default)]
struct Outcomes {
    right: usize,
    named: usize,
    /// Those that should not be, with the bit.
    wrong: Vec<String>,
    nameless: Vec<String>,
    panics: Vec<String>,
}

fn item(id: &str, n: usize) -> String {
    format!(
        r#"{{"type":"Feature","stac_version":"1.0.0","id":"{id}","geometry":{{"type":"Point","coordinates":[10.5,{}]}},"properties":{{"datetime":"2020-01-02T03:04:05Z","platform":"S{}","latitude":{n}.5,"note":"{}"}},"links":[],"assets":{{"data":{{"href":"s3://bucket/{id}.tif"}}}}}}"#,
        50.0 + n as f64 / 1e6,
        n % 3,
        "text ".repeat(n % 7)
    )
}

/// Makes a table with small part files, a large one, repeated Items, rejects and a record of what was ingested.
async fn make(folder: &Path) {
    let f = folder.display();
    let items = |name: &str, texts: Vec<String>| std::fs::write(folder.join(name), texts.join("\n")).unwrap();
    items("large.ndjson", (0..MANY).map(|n| item(&format!("large-{n}"), n)).collect());
    items("few.ndjson", (0..5).map(|n| item(&format!("few-{n}"), n)).collect());
    items("again.ndjson", (2..7).map(|n| item(&format!("few-{n}"), n + 1)).collect());
    std::fs::write(folder.join("object.json"), item("object", 3)).unwrap();
    std::fs::write(
        folder.join("list.csv"),
        "bucket,key,last_modified_date\n,object.json,2025-01-01\n,none.json,2025-01-01\n",
    )
    .unwrap();
    let context = crate::session::session(2).unwrap();
    let mut statements = vec![format!(
        "CREATE EXTERNAL TABLE items (platform VARCHAR, latitude DOUBLE) STORED AS ICEBERG LOCATION '{f}/wh' OPTIONS ('catalog' '{f}/c.db', 'h3_resolution' '1')"
    )];
    for file in ["large.ndjson", "few.ndjson", "again.ndjson", "list.csv"] {
        let source = file.split_once('.').unwrap().0;
        statements.push(format!(
            "CREATE EXTERNAL TABLE {source} STORED AS STAC LOCATION '{f}/{file}' OPTIONS ('like' 'items')"
        ));
        statements.push(format!("INSERT INTO items SELECT * FROM h3_fanout({source}, 1)"));
    }
    for sql in statements {
        context.sql(&sql).await.unwrap().collect().await.unwrap();
    }
}

/// A session that has read nothing yet.
async fn fresh(folder: &Path) -> Result<SessionContext> {
    let context = crate::session::session(2)?;
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    super::register_views(&context, &path("c.db"), None).await?;
    let f = folder.display();
    let stored = format!(
        "CREATE EXTERNAL TABLE stored STORED AS ICEBERG LOCATION '{f}/wh' OPTIONS ('catalog' '{f}/c.db', 'h3_resolution' '1')"
    );
    context.sql(&stored).await?.collect().await?;
    Ok(context)
}

async fn answer(folder: &Path, question: &str) -> Result<String> {
    let context = fresh(folder).await?;
    let batches = context.sql(question).await?.collect().await?;
    Ok(pretty_format_batches(&batches)?.to_string())
}

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (vec![], vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "parquet") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_a_right_answer_or_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path()).await;
    let mut expected = BTreeMap::new();
    for question in QUESTIONS {
        expected.insert(question, answer(folder.path(), question).await.unwrap());
    }
    let one_of = std::env::var("FLIP_ONE_OF").map_or(ONE_OF, |n| n.parse().unwrap());
    let mut total = 0;
    let mut all = BTreeMap::<String, Outcomes>::new();
    for (f, file) in parquet_files(&folder.path().join("wh")).iter().enumerate() {
        let name = file.file_name().unwrap().to_str().unwrap();
        let whole = std::fs::read(file).unwrap();
        let footer = whole.len() - 8 - u32::from_le_bytes(whole[whole.len() - 8..][..4].try_into().unwrap()) as usize;
        // Large files take longer, and are much the same all over.
        let stride = one_of * (1 + whole.len() / 40_000);
        for bit in ((f * 7) % stride..8 * whole.len()).step_by(stride) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(file, &flipped).unwrap();
            let part = if bit / 8 >= footer { "footer" } else { "pages" };
            let outcomes = all.entry(part.to_owned()).or_default();
            total += 1;
            for question in QUESTIONS {
                let at = || format!("{name} byte {} (footer at {footer}) bit {}: {question}", bit / 8, bit % 8);
                match AssertUnwindSafe(answer(folder.path(), question)).catch_unwind().await {
                    Ok(Ok(found)) if found == expected[question] => outcomes.right += 1,
                    Ok(Ok(_)) => outcomes.wrong.push(at()),
                    Ok(Err(error)) if error.to_string().contains(name) => outcomes.named += 1,
                    Ok(Err(error)) => outcomes.nameless.push(format!("{}: {}", at(), error.strip_backtrace())),
                    Err(_) => outcomes.panics.push(at()),
                }
            }
        }
        std::fs::write(file, &whole).unwrap();
    }
    let Outcomes { right, named, wrong, nameless, panics } = &all["pages"];
    let footers = &all["footer"];
    println!(
        "{total} bits; pages: {right} right, {named} named, {} wrong, {} nameless, {} panics; footers: {} right, {} named, {} wrong, {} nameless, {} panics",
        wrong.len(),
        nameless.len(),
        panics.len(),
        footers.right,
        footers.named,
        footers.wrong.len(),
        footers.nameless.len(),
        footers.panics.len()
    );
    for list in [wrong, nameless, panics, &footers.wrong, &footers.nameless, &footers.panics] {
        list.iter().for_each(|fault| println!("  {fault}"));
    }
    for fault in [wrong, panics, &footers.panics] {
        assert!(fault.is_empty(), "see above");
    }
    // Nothing in Parquet protects page indexes and footers: what is noticed there is noticed by luck, and not always with
    // the name of the file.
    assert!(named > &(3 * nameless.len()), "{named} named, {nameless:?}");
}
