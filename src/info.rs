//! `earthcatalog info`: the state of a table, from its metadata alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use datafusion::common::Result;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::warehouse::{Warehouse, WarehouseTable};
use serde::Serialize;

use crate::report::{bytes, count};

/// Snapshots that the text lists; the JSON has all.
const LISTED: usize = 5;

/// Upper ends of the classes of the histogram of files per bucket; the last class is open.
const CLASSES: [u64; 6] = [1, 2, 4, 8, 16, 32];

/// What the metadata of a table says of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    pub catalog: String,
    pub warehouse: String,
    /// The newest metadata file.
    pub metadata: String,
    pub grid: &'static str,
    pub h3_resolution: u8,
    /// One per Item, version and cell.
    pub rows: u64,
    pub files: u64,
    pub bytes: u64,
    pub cells: u64,
    pub buckets: u64,
    /// First and last, if an Item has a datetime.
    pub years: Option<[i32; 2]>,
    /// Oldest first.
    pub snapshots: Vec<SnapshotInfo>,
    pub files_per_bucket: Vec<Class>,
    pub worth_compacting: WorthCompacting,
    pub snippets: Snippets,
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

/// Reads the state of the table in `catalog`, whose files are below `warehouse`.
pub async fn info(session: &SessionContext, catalog: &str, warehouse: &str) -> Result<Info> {
    let opened = Warehouse::open(catalog).await?;
    opened.check_location(warehouse)?;
    let state = opened.load().await?;
    let live = WarehouseTable::new(opened.clone()).files_for(&session.state(), &[]).await?;

    let mut buckets: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for file in &live.files {
        let (files, bytes) = buckets.entry((file.cell.as_deref(), file.year)).or_default();
        *files += 1;
        *bytes += file.bytes;
    }
    let years = || live.files.iter().filter_map(|file| file.year);
    let several = buckets.values().filter(|(files, _)| *files > 1);
    let mut snapshots: Vec<_> = state.metadata.snapshots().collect();
    snapshots.sort_by_key(|snapshot| snapshot.sequence_number());
    let snapshots = snapshots.into_iter().map(|snapshot| {
        let total = |key: &str| snapshot.summary().additional_properties.get(key)?.parse().ok();
        let at = DateTime::from_timestamp_millis(snapshot.timestamp_ms());
        SnapshotInfo {
            id: snapshot.snapshot_id(),
            committed_at: at.map_or_else(String::new, |at| at.to_rfc3339_opts(SecondsFormat::Secs, true)),
            operation: snapshot.summary().operation.as_str().to_owned(),
            rows: total("total-records"),
            files: total("total-data-files"),
        }
    });
    let snapshots = snapshots.collect();
    Ok(Info {
        catalog: catalog.to_owned(),
        warehouse: warehouse.to_owned(),
        metadata: state.metadata_location.clone(),
        grid: "h3",
        h3_resolution: opened.h3_resolution(),
        rows: live.files.iter().map(|file| file.rows).sum(),
        files: live.files.len() as u64,
        bytes: live.files.iter().map(|file| file.bytes).sum(),
        cells: live.files.iter().map(|file| &file.cell).collect::<BTreeSet<_>>().len() as u64,
        buckets: buckets.len() as u64,
        years: years().min().zip(years().max()).map(|(first, last)| [first, last]),
        snapshots,
        files_per_bucket: histogram(buckets.values().map(|(files, _)| *files)),
        worth_compacting: WorthCompacting {
            buckets: several.clone().count() as u64,
            files: several.clone().map(|(files, _)| files).sum(),
            bytes: several.map(|(_, bytes)| bytes).sum(),
        },
        snippets: snippets(catalog, warehouse),
    })
}

fn histogram(files: impl Iterator<Item = u64>) -> Vec<Class> {
    let lower = std::iter::once(1).chain(CLASSES.iter().map(|end| end + 1));
    let upper = CLASSES.iter().copied().map(Some).chain([None]);
    let mut classes: Vec<_> = lower.zip(upper).map(|(from, to)| Class { from, to, buckets: 0 }).collect();
    for n in files {
        if let Some(class) = classes.iter_mut().find(|class| class.to.is_none_or(|to| n <= to)) {
            class.buckets += 1;
        }
    }
    while classes.last().is_some_and(|class| class.buckets == 0) {
        classes.pop();
    }
    classes
}

fn snippets(catalog: &str, warehouse: &str) -> Snippets {
    let absolute = |path: &str| match path.contains("://") {
        true => path.trim_end_matches('/').to_owned(),
        false => std::path::absolute(Path::new(path)).map_or(path.to_owned(), |p| p.display().to_string()),
    };
    let (catalog, warehouse) = (absolute(catalog), absolute(warehouse));
    let duckdb = format!(
        "SELECT count(*) AS rows, count(DISTINCT id) AS items\n\
         FROM read_parquet('{}/grid_partition=*/year=*/*.parquet', hive_partitioning = true);",
        warehouse.trim_end_matches('/').replace('\'', "''")
    );
    let pyiceberg = format!(
        "from pyiceberg.catalog.sql import SqlCatalog\n\
         table = SqlCatalog(\"earthcatalog\", uri={:?}).load_table(\"earthcatalog.items\")\n\
         print(table.scan(selected_fields=(\"id\", \"datetime\"), limit=5).to_arrow())",
        format!("sqlite:///{catalog}")
    );
    Snippets { duckdb, pyiceberg }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "{name:<12}{value}");
        line("table", self.metadata.clone())?;
        line("grid", format!("H3, resolution {}", self.h3_resolution))?;
        line("rows", count(self.rows))?;
        line("files", format!("{}, {}", count(self.files), bytes(self.bytes)))?;
        let years = self.years.map_or(String::new(), |[first, last]| format!(", years {first} to {last}"));
        line("cells", format!("{}{years}", count(self.cells)))?;
        let classes = self.files_per_bucket.iter().filter(|class| class.buckets > 0).map(Class::to_string);
        line("buckets", format!("{} ({})", count(self.buckets), classes.collect::<Vec<_>>().join(", ")))?;
        let worth = &self.worth_compacting;
        let compact = match worth.buckets {
            0 => "nothing: every bucket has one file".to_owned(),
            n => format!("{} buckets with {} files, {}", count(n), count(worth.files), bytes(worth.bytes)),
        };
        line("to compact", compact)?;
        let hidden = self.snapshots.len().saturating_sub(LISTED);
        let more = if hidden > 0 { format!(", the last {LISTED}:") } else { String::new() };
        line("snapshots", format!("{}{more}", count(self.snapshots.len() as u64)))?;
        for snapshot in &self.snapshots[hidden..] {
            let total = |n: Option<u64>, of: &str| n.map_or(String::new(), |n| format!(", {} {of}", count(n)));
            let (rows, files) = (total(snapshot.rows, "rows"), total(snapshot.files, "files"));
            let SnapshotInfo { id, committed_at, operation, .. } = snapshot;
            writeln!(f, "            {id} of {committed_at}: {operation}{rows}{files}")?;
        }
        writeln!(f, "\n-- DuckDB; also counts replaced files that `earthcatalog expire` has not removed yet")?;
        writeln!(f, "{}\n\n# PyIceberg\n{}", self.snippets.duckdb, self.snippets.pyiceberg.trim_end())
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
    fn buckets_are_counted_by_their_number_of_files() {
        let text = |files: &[u64]| {
            let classes = histogram(files.iter().copied());
            classes.iter().filter(|c| c.buckets > 0).map(Class::to_string).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(
            text(&[1, 1, 2, 3, 4, 50]),
            "2 with 1 file, 1 with 2 files, 2 with 3 to 4 files, 1 with 33 files or more"
        );
        assert!(histogram([].into_iter()).is_empty());
    }
}
