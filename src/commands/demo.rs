//! `earthcatalog demo`: a tour that makes Items, ingests them, and asks the warehouse some things; each step is the command
//! that a user would type.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Parser};

use super::CommandError;
use super::ingest::{self, IngestArgs};
use super::sql::{self, SqlArgs};
use crate::arguments::ThreadArgs;
use crate::demo::{self, INVENTORY};

/// Flags of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// New or empty folder for Items, catalog and warehouse [default: a new temporary folder]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Number of objects in the inventory
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    pub items: u64,
    /// Seed of the random Items
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// The commands of the tour, read from the words that it shows.
#[derive(Debug, Parser)]
#[command(name = "earthcatalog")]
enum Step {
    Ingest(Box<IngestArgs>),
    Sql(Box<SqlArgs>),
}

/// What the tour asks: why, further flags, and the question.
const QUESTIONS: [(&str, &[&str], &str); 5] = [
    (
        "An Item is stored once for each cell that it touches, and versions add up; the table items shows each Item once.",
        &[],
        "SELECT (SELECT count(*) FROM items) AS items, (SELECT count(*) FROM item_cells) AS rows, \
         (SELECT count(DISTINCT grid_partition) FROM item_cells) AS cells",
    ),
    (
        "What is in the warehouse?",
        &[],
        "SELECT platform, count(*) AS items, min(datetime) AS first, max(datetime) AS last, \
         round(avg(percent_valid_pixels)) AS valid FROM items GROUP BY platform ORDER BY platform",
    ),
    (
        "Which pairs cover the front of Jakobshavn Isbræ? Its cell tells which files to read, and the bounds tell which rows.",
        &["--output", "csv"],
        "SELECT DISTINCT id, datetime, date_dt FROM item_cells WHERE grid_partition = h3_latlng_to_cell(69.2, -49.9, 1) \
         AND xmin <= -49.9 AND xmax >= -49.9 AND ymin <= 69.2 AND ymax >= 69.2 ORDER BY datetime DESC LIMIT 3",
    ),
    (
        "What could not be read, and why?",
        &[],
        "SELECT kind, count(*) AS objects, min(message) AS example FROM rejects GROUP BY kind ORDER BY kind",
    ),
    (
        "Nothing is lost: this is an Item as it was ingested.",
        &["--output", "ndjson"],
        "SELECT stac_item(*) AS item FROM items ORDER BY id LIMIT 1",
    ),
];

/// Gives the tour; its text goes to `out`.
pub async fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let folder = folder(args.dir.as_deref())?;
    let bucket = folder.join("bucket");
    let written = fs::create_dir(&bucket).and_then(|()| demo::write(&bucket, args.seed, args.items));
    written.map_err(|source| CommandError::Folder { path: bucket.clone(), source })?;

    let path = |path: PathBuf| path.display().to_string();
    let inventory = path(bucket.join(INVENTORY));
    let at = ["--catalog".to_owned(), path(folder.join("catalog.db"))];
    let at = [&at[..], &["--warehouse".to_owned(), path(folder.join("warehouse"))]].concat();

    say(out, "Items like those of ITS_LIVE, some of them odd and some broken, and the inventory that lists them.")?;
    writeln!(out, "$ head -4 {inventory}")?;
    let text = fs::read_to_string(&inventory).map_err(|source| CommandError::Folder { path: bucket, source })?;
    text.lines().take(4).try_for_each(|line| writeln!(out, "{line}"))?;

    say(out, "One command makes a warehouse of them.")?;
    let ingest = [&["ingest".to_owned(), "--inventory".to_owned(), inventory], &at[..]].concat();
    writeln!(out, "$ {}", line(&ingest))?;
    command(&ingest, out).await?;

    say(out, "The catalog knows where the files are, and can be set once.")?;
    writeln!(out, "$ export EARTHCATALOG_CATALOG={}", quoted(&at[1]))?;
    for (why, flags, question) in QUESTIONS {
        say(out, why)?;
        let typed: Vec<_> = ["sql", question].iter().chain(flags).map(|word| (*word).to_owned()).collect();
        writeln!(out, "$ {}", line(&typed))?;
        command(&[&typed[..], &at[..2]].concat(), out).await?;
    }
    say(
        out,
        "The warehouse consists of plain files: PyIceberg opens the catalog, and DuckDB and geopandas open the Parquet files.",
    )?;
    writeln!(out, "$ ls {}", quoted(&path(folder)))?;
    writeln!(out, "bucket  catalog.db  warehouse")?;
    Ok(out.flush()?)
}

/// Runs a command as the command line would.
async fn command(words: &[String], out: &mut dyn Write) -> Result<(), CommandError> {
    let name = "earthcatalog".to_owned();
    // The words are this module's own; `exit` prints what is wrong with them.
    match Step::try_parse_from(std::iter::once(&name).chain(words)).unwrap_or_else(|error| error.exit()) {
        Step::Ingest(args) => ingest::run(&args, out).await,
        Step::Sql(args) => sql::run(&args, out).await,
    }
}

fn folder(wanted: Option<&Path>) -> Result<PathBuf, CommandError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CommandError::Folder { path, source }
    };
    if let Some(folder) = wanted {
        fs::create_dir_all(folder).map_err(failed(folder))?;
        return match fs::read_dir(folder).map_err(failed(folder))?.next() {
            Some(_) => Err(CommandError::NotEmpty(folder.to_owned())),
            None => Ok(folder.to_owned()),
        };
    }
    let base = std::env::temp_dir();
    for n in 1.. {
        let folder = base.join(format!("earthcatalog-demo-{n}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(CommandError::Folder { path: folder, source }),
        }
    }
    Err(CommandError::NotEmpty(base))
}

fn say(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n# {text}")
}

/// The command as a shell takes it.
fn line(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    format!("earthcatalog {}", words.join(" "))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=%,".contains(c);
    match word.chars().all(plain) && !word.is_empty() {
        true => word.to_owned(),
        false if word.contains(['"', '$', '`', '\\', '!']) => format!("'{}'", word.replace('\'', r"'\''")),
        false => format!("\"{word}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(super::folder(Some(folder.path())).unwrap(), folder.path());
        fs::write(folder.path().join("mine.txt"), "").unwrap();
        let error = super::folder(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("is not empty; name a new or empty folder"), "{error}");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("/tmp/a-b.csv"), "/tmp/a-b.csv");
        assert_eq!(quoted("SELECT count(*)"), "\"SELECT count(*)\"");
        assert_eq!(quoted("it's $5"), r"'it'\''s $5'");
    }
}
