//! `earthcatalog info`: runs `sql/info.sql`, and says what state a warehouse is in.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::scan::WarehouseTable;
use earthcatalog_plans::session::session;
use earthcatalog_plans::table::{Catalog, Warehouse};
use serde::Serialize;

use super::CommandError;
use crate::arguments::{ReportFormat, WarehouseArgs};
use crate::pipeline::{INFO, PipelineError};
use crate::report::{bytes, count, counted, each_year, sparkline};
use crate::rows::Row;
use crate::script::Arguments;
use crate::terminal::{HEADING, stdout_is_coloured, styled};

/// Flags of `info`.
#[derive(Debug, Clone, Args)]
pub struct InfoArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Format of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// Snapshots that the text lists; the JSON has all.
const LISTED: usize = 5;

/// Bars of the text for years, at most.
const YEARS: usize = 60;

/// What the metadata of a table says of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    pub catalog: String,
    /// Folder or URL of its files, as the table has it.
    pub warehouse: String,
    /// The newest metadata file.
    pub metadata: String,
    pub grid: String,
    pub h3_resolution: u64,
    /// One per Item, version and cell.
    pub rows: u64,
    pub files: u64,
    pub bytes: u64,
    pub cells: u64,
    pub buckets: u64,
    /// First and last, if an Item has a datetime.
    pub years: Option<[i32; 2]>,
    /// The years in which there are rows, in order.
    pub rows_by_year: Vec<RowsOfYear>,
    /// Oldest first.
    pub snapshots: Vec<SnapshotInfo>,
    pub files_per_bucket: Vec<Class>,
    pub worth_compacting: WorthCompacting,
    /// Files by which other engines have deleted rows, which are still in `rows`.
    pub delete_files: u64,
    pub snippets: Snippets,
}

/// The rows of a year of `datetime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RowsOfYear {
    pub year: i32,
    pub rows: u64,
}

/// A retained snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SnapshotInfo {
    pub id: i64,
    pub committed_at: String,
    pub operation: String,
    pub rows: Option<u64>,
    pub files: Option<u64>,
}

/// How many buckets have so many files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Class {
    pub from: u64,
    /// `None`: or more.
    pub to: Option<u64>,
    pub buckets: u64,
}

/// The buckets with two files or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WorthCompacting {
    pub buckets: u64,
    pub files: u64,
    pub bytes: u64,
}

/// How other readers open the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snippets {
    pub duckdb: String,
    pub pyiceberg: String,
}

pub async fn run(args: &InfoArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let info = info(&session(1)?, &args.at.catalog, args.at.warehouse.as_deref()).await;
    let info = info.map_err(|e| CommandError::pipeline(e, INFO))?;
    Ok(args.output.write_with(&info, |out| info.write(stdout_is_coloured(), out), out)?)
}

/// Reads the state of the table in `catalog`, whose files are below `warehouse`, if one is named.
pub async fn info(session: &SessionContext, catalog: &str, warehouse: Option<&str>) -> Result<Info, PipelineError> {
    let arguments = Arguments::new().with("catalog", catalog).with_option("warehouse", warehouse);
    let results = INFO.rows(session, &arguments).await?;
    // In the order of the script.
    let [table, sums, snapshots, classes, worth, by_year] = &results[..] else {
        return Err(PipelineError::Result(INFO.name));
    };
    let opened = Warehouse::open_in(catalog, warehouse).await?;
    let delete_files = WarehouseTable::new(opened).delete_files(&session.state()).await?;
    let missing = || PipelineError::Result(INFO.name);
    let [table, sums, worth] = [table, sums, worth].map(|rows| Row::nth(rows, 0).ok_or_else(missing));
    let (table, sums, worth) = (table?, sums?, worth?);
    let number = |row: &Row<'_>, column: &str| row.number(column).unwrap_or_default();
    let year = |column: &str| sums.integer(column).and_then(|year| i32::try_from(year).ok());
    let snapshot = |row: Row<'_>| SnapshotInfo {
        id: row.integer("id").unwrap_or_default(),
        committed_at: row.time("committed_at").unwrap_or_default(),
        operation: row.text("operation").unwrap_or_default(),
        rows: row.number("rows"),
        files: row.number("files"),
    };
    let rows_of_year =
        |row: Row<'_>| Some(RowsOfYear { year: i32::try_from(row.integer("year")?).ok()?, rows: number(&row, "rows") });
    let class =
        |row: Row<'_>| Class { from: number(&row, "least"), to: row.number("most"), buckets: number(&row, "buckets") };
    let mut files_per_bucket: Vec<_> = Row::all(classes).map(class).collect();
    while files_per_bucket.last().is_some_and(|class| class.buckets == 0) {
        files_per_bucket.pop();
    }
    let metadata = table.text("metadata").ok_or_else(missing)?;
    let location = table.text("location").ok_or_else(missing)?;
    let warehouse = location.strip_prefix("file://").unwrap_or(&location);
    Ok(Info {
        catalog: catalog.to_owned(),
        warehouse: warehouse.to_owned(),
        grid: table.text("grid").ok_or_else(missing)?,
        h3_resolution: number(&table, "h3_resolution"),
        rows: number(&sums, "rows"),
        files: number(&sums, "files"),
        bytes: number(&sums, "bytes"),
        cells: number(&sums, "cells"),
        buckets: number(&sums, "buckets"),
        years: year("first_year").zip(year("last_year")).map(<[i32; 2]>::from),
        rows_by_year: Row::all(by_year).filter_map(rows_of_year).collect(),
        snapshots: Row::all(snapshots).map(snapshot).collect(),
        files_per_bucket,
        worth_compacting: WorthCompacting {
            buckets: number(&worth, "buckets"),
            files: number(&worth, "files"),
            bytes: number(&worth, "bytes"),
        },
        delete_files,
        snippets: snippets(catalog, warehouse, &metadata),
        metadata,
    })
}

fn snippets(catalog: &str, warehouse: &str, metadata: &str) -> Snippets {
    let duckdb = format!(
        "SELECT count(*) AS rows, count(DISTINCT id) AS items\n\
         FROM read_parquet('{}/grid_partition=*/year=*/*.parquet', hive_partitioning = true);",
        without_patterns(warehouse.trim_end_matches('/')).replace('\'', "''")
    );
    let scan = "print(table.scan(selected_fields=(\"id\", \"datetime\"), limit=5).to_arrow())";
    let rest = Catalog::at(catalog).ok();
    let rest = rest.as_ref().and_then(|catalog| Some((catalog.rest_endpoint()?, catalog.table())));
    let opened = match (rest, catalog.contains("://")) {
        (Some(((uri, warehouse), table)), _) => {
            let warehouse = warehouse.map(|name| format!(", warehouse={name:?}")).unwrap_or_default();
            format!(
                "from pyiceberg.catalog import load_catalog\n\
                 table = load_catalog(\"earthcatalog\", type=\"rest\", uri={uri:?}{warehouse}).load_table({table:?})"
            )
        }
        // PyIceberg opens SQLite files on a disk alone: of another one, the table as it is now.
        (None, true) => format!(
            "from pyiceberg.table import StaticTable\n\
             table = StaticTable.from_metadata({metadata:?})"
        ),
        (None, false) => {
            let catalog = std::path::absolute(Path::new(catalog)).map_or(catalog.into(), |p| p.display().to_string());
            format!(
                "from pyiceberg.catalog.sql import SqlCatalog\n\
                 table = SqlCatalog(\"earthcatalog\", uri={:?}).load_table(\"earthcatalog.items\")",
                format!("sqlite:///{catalog}")
            )
        }
    };
    Snippets { duckdb, pyiceberg: format!("{opened}\n{scan}") }
}

/// A path of which DuckDB takes each character as it is.
fn without_patterns(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '*' | '?' | '[' => plain.extend(['[', c, ']']),
            c => plain.push(c),
        }
    }
    plain
}

impl Info {
    /// For people; colours are for names.
    fn write(&self, is_coloured: bool, f: &mut dyn Write) -> io::Result<()> {
        let heading = |name: &str| styled(format!("{name:<12}"), HEADING, is_coloured);
        let mut line = |name: &str, value: String| writeln!(f, "{}{value}", heading(name));
        line("table", self.metadata.clone())?;
        line("grid", format!("H3, resolution {}", self.h3_resolution))?;
        line("rows", count(self.rows))?;
        line("files", format!("{}, {}", count(self.files), bytes(self.bytes)))?;
        line("cells", count(self.cells))?;
        if let Some([first, last]) = self.years {
            let rows = each_year(self.rows_by_year.iter().map(|of| (of.year, of.rows)));
            let rows = rows.map(|(_, rows)| rows).unwrap_or_default();
            line("years", format!("{first} {} {last}", sparkline(&rows, YEARS)))?;
        }
        let classes = self.files_per_bucket.iter().filter(|class| class.buckets > 0).map(Class::to_string);
        line("buckets", format!("{} ({})", count(self.buckets), classes.collect::<Vec<_>>().join(", ")))?;
        let worth = &self.worth_compacting;
        let compact = match worth.buckets {
            0 => "nothing, because every bucket has one file".to_owned(),
            n => format!("{} buckets with {} files, {}", count(n), count(worth.files), bytes(worth.bytes)),
        };
        line("to compact", compact)?;
        if self.delete_files > 0 {
            let by = counted(self.delete_files, "file");
            line(
                "deletions",
                format!("in {by} of another engine, whose rows are counted above until `earthcatalog compact`"),
            )?;
        }
        let hidden = self.snapshots.len().saturating_sub(LISTED);
        let more = if hidden > 0 { format!(", the last {LISTED}:") } else { String::new() };
        line("snapshots", format!("{}{more}", count(self.snapshots.len() as u64)))?;
        for snapshot in &self.snapshots[hidden..] {
            let total = |n: Option<u64>, unit: &str| n.map_or(String::new(), |n| format!(", {} {unit}", count(n)));
            let (rows, files) = (total(snapshot.rows, "rows"), total(snapshot.files, "files"));
            let SnapshotInfo { id, committed_at, operation, .. } = snapshot;
            writeln!(f, "            {id} of {committed_at}: {operation}{rows}{files}")?;
        }
        let heading = |text| styled(text, HEADING, is_coloured);
        let duckdb = "-- DuckDB; also counts replaced files that `earthcatalog expire` has not removed yet";
        writeln!(f, "\n{}\n{}", heading(duckdb), self.snippets.duckdb)?;
        writeln!(f, "\n{}\n{}", heading("# PyIceberg"), self.snippets.pyiceberg.trim_end())
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = match self.to {
            Some(1) => "1 file".to_owned(),
            Some(to) if to == self.from => format!("{to} files"),
            Some(to) => format!("{} to {to} files", self.from),
            None => format!("{} files or more", self.from),
        };
        write!(f, "{} with {files}", count(self.buckets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_that_is_no_file_is_left_out_of_the_snippets() {
        let Snippets { duckdb, pyiceberg } = snippets("s3://b/c.db", "s3://b/wh", "s3://b/wh/metadata/1.metadata.json");
        assert!(duckdb.contains("read_parquet('s3://b/wh/grid_partition=*/"), "{duckdb}");
        assert!(pyiceberg.contains("StaticTable.from_metadata(\"s3://b/wh/metadata/1.metadata.json\")"), "{pyiceberg}");
        assert!(snippets("c.db", "/wh", "file:///wh/m").pyiceberg.contains("uri=\"sqlite:////"));
    }

    #[test]
    fn a_class_is_named_by_its_numbers_of_files() {
        let text = |from, to| Class { from, to, buckets: 1_200 }.to_string();
        assert_eq!(text(1, Some(1)), "1,200 with 1 file");
        assert_eq!(text(2, Some(2)), "1,200 with 2 files");
        assert_eq!(text(3, Some(4)), "1,200 with 3 to 4 files");
        assert_eq!(text(33, None), "1,200 with 33 files or more");
    }
}
