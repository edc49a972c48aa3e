//! What a run did ([`RunReport`]), and what it has done so far ([`RunProgress`]).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::model::chunk::{ChunkCounts, ChunkId};
use crate::model::part_file::{PartFile, SinkRecord};
use crate::model::task_files::{IdFile, RecordFile};
use crate::table::state::{MAX_LAST_MODIFIED, RUN};

/// The report of a run. For a run over chunks, `listed = items + rejected + superseded + skipped`; another INSERT
/// lists nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunReport {
    /// Id of the run; its rejects and its snapshot carry it.
    pub run: String,
    /// The snapshot that made the run visible; `None` where there was no row to commit.
    pub snapshot: Option<i64>,
    /// Whether Items were read of which nothing below is counted, and no reject is listed, because the query does not keep
    /// chunks apart.
    #[serde(skip_serializing_if = "is_false")]
    pub uncounted: bool,
    /// Rows of the inventory.
    pub listed: u64,
    /// Items committed.
    pub items: u64,
    /// Rejects by kind.
    pub rejected: BTreeMap<String, u64>,
    /// Items of which the footprint could be read in two ways, and nothing decided.
    #[serde(skip_serializing_if = "is_zero")]
    pub guessed_footprints: u64,
    /// Older versions of listed objects.
    pub superseded: u64,
    /// Objects that an option left out, by option.
    pub skipped: BTreeMap<String, u64>,
    /// One per Item and cell.
    pub rows: u64,
    pub files: u64,
    pub bytes: u64,
    /// Distinct cells.
    pub cells: u64,
    /// First and last year of `datetime`; `None` where no row has one.
    pub years: Option<(i32, i32)>,
    /// Newest `last_modified_date` of the objects read, in milliseconds since 1970 UTC; `None` if unknown.
    pub max_last_modified: Option<i64>,
    /// Chunks that were read, and how many of them by an earlier start of the run.
    pub chunks: u64,
    pub chunks_resumed: u64,
    /// Items by the number of their cells.
    pub fan_out: BTreeMap<u32, u64>,
    /// Of a run that replaces buckets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<Replaced>,
    /// Of a run that had ended before this start of it, which did nothing: when that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_before: Option<DateTime<Utc>>,
    /// Unfinished runs of the same inventory under other options, which this one does not go on with: how they differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_resumed: Vec<String>,
}

/// What a run did to buckets. Totals are of files as the table had them before, and has them after the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// All buckets among which those to replace were chosen.
    pub scanned: Totals,
    /// The replaced buckets with the files that were removed.
    pub before: Totals,
    /// The replaced buckets with the files that were added.
    pub after: Totals,
    /// Buckets that another writer changed first, and which were left as they are.
    pub left_out: Vec<String>,
    /// In the order of their commits.
    pub snapshots: Vec<i64>,
    /// Items that were removed, by a run that removes Items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// Items that have other values now, by a run that updates Items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<u64>,
    /// Objects that the ingest record has forgotten with them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forgotten: u64,
}

/// Sums over buckets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub buckets: u64,
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.buckets += other.buckets;
        self.files += other.files;
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_false(value: &bool) -> bool {
    !value
}

impl RunReport {
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }
}

/// Counts that grow while a run goes on.
#[derive(Debug, Default)]
pub struct RunProgress {
    /// Partitions of the plan, and how many have been written to the end.
    pub partitions: AtomicU64,
    pub partitions_done: AtomicU64,
    pub snapshots: AtomicU64,
    /// Whether a commit is under way.
    pub committing: AtomicBool,
    pub files: AtomicU64,
    pub rows: AtomicU64,
    pub bytes: AtomicU64,
    pub listed: AtomicU64,
    pub items: AtomicU64,
    pub rejected: AtomicU64,
}

/// The records of a run, as they come in.
#[derive(Debug, Default)]
pub(crate) struct RunRecords {
    /// Not yet taken by a commit.
    pub parts: Vec<PartFile>,
    /// Of all files that are not known to be committed.
    pub paths: HashSet<String>,
    files: u64,
    rows: u64,
    bytes: u64,
    cells: BTreeSet<String>,
    years: Option<(i32, i32)>,
    chunks: HashSet<ChunkId>,
    resumed: u64,
    fan_out: BTreeMap<u32, u64>,
    /// Files of the ingest record.
    pub ingested: Vec<RecordFile>,
    /// The ids of the rows of each task.
    pub ids: Vec<IdFile>,
    /// URLs of the files with rejects.
    pub rejects: HashSet<String>,
    pub counts: ChunkCounts,
    committed: u64,
}

impl RunRecords {
    /// Takes a record in, once: a cluster may deliver one twice.
    pub fn add(&mut self, record: SinkRecord, progress: &RunProgress) {
        let add = |counter: &AtomicU64, n: u64| counter.fetch_add(n, Ordering::Relaxed);
        match record {
            SinkRecord::Data(part) => {
                if self.paths.insert(part.path.clone()) {
                    add(&progress.files, 1);
                    add(&progress.rows, part.rows);
                    add(&progress.bytes, part.bytes);
                    self.count(&part);
                    self.parts.push(part);
                }
            }
            SinkRecord::Ids(file) => {
                if self.paths.insert(file.path.clone()) {
                    self.ids.push(file);
                }
            }
            SinkRecord::Chunk(chunk) => {
                if self.chunks.insert(chunk.chunk.clone()) {
                    add(&progress.listed, chunk.counts.listed);
                    add(&progress.items, chunk.committed);
                    add(&progress.rejected, chunk.counts.rejected_total());
                    self.counts.merge(&chunk.counts);
                    self.committed += chunk.committed;
                    self.resumed += u64::from(chunk.resumed);
                    self.rejects.extend(chunk.rejects);
                    self.paths.extend(chunk.ingested.iter().map(|file| file.path.clone()));
                    self.ingested.extend(chunk.ingested);
                    chunk.fan_out.iter().for_each(|(cells, n)| *self.fan_out.entry(*cells).or_default() += n);
                }
            }
        }
    }

    /// Chunks that were read.
    pub fn chunks(&self) -> u64 {
        self.chunks.len() as u64
    }

    fn count(&mut self, part: &PartFile) {
        self.files += 1;
        self.rows += part.rows;
        self.bytes += part.bytes;
        if !self.cells.contains(&part.cell) {
            self.cells.insert(part.cell.clone());
        }
        let years = self.years.map(<[i32; 2]>::from).into_iter().flatten().chain(part.year);
        self.years = years.clone().min().zip(years.max());
    }

    /// The records of the chunks of which the files that follow are made: their files are not of the run itself.
    pub fn of_chunks(chunks: &Self) -> Self {
        Self {
            chunks: chunks.chunks.clone(),
            resumed: chunks.resumed,
            fan_out: chunks.fan_out.clone(),
            rejects: chunks.rejects.clone(),
            ingested: chunks.ingested.clone(),
            ids: chunks.ids.clone(),
            counts: chunks.counts.clone(),
            committed: chunks.committed,
            ..Self::default()
        }
    }

    /// The report of the run, before its commit.
    pub fn report(&self, run: &str) -> RunReport {
        RunReport {
            run: run.to_owned(),
            snapshot: None,
            listed: self.counts.listed,
            items: self.committed,
            rejected: self.counts.rejected.clone(),
            guessed_footprints: self.counts.guessed_footprints,
            superseded: self.counts.superseded,
            skipped: self.counts.skipped.clone(),
            rows: self.rows,
            files: self.files,
            bytes: self.bytes,
            cells: self.cells.len() as u64,
            years: self.years,
            max_last_modified: self.counts.max_last_modified,
            chunks: self.chunks.len() as u64,
            chunks_resumed: self.resumed,
            fan_out: self.fan_out.clone(),
            ..RunReport::default()
        }
    }

    /// Properties of the run in the summary of its snapshot.
    pub fn summary(&self, run: &str) -> BTreeMap<String, String> {
        let report = self.report(run);
        let mut summary = BTreeMap::from([(RUN.to_owned(), report.run)]);
        let mut put = |key: &str, n: u64| summary.insert(format!("earthcatalog.{key}"), n.to_string());
        put("rows", report.rows);
        if self.chunks.is_empty() {
            // Rows of a query: nothing was listed.
            return summary;
        }
        put("listed", report.listed);
        put("items", report.items);
        put("superseded", report.superseded);
        for (name, parts) in [("rejected", report.rejected), ("skipped", report.skipped)] {
            put(name, parts.values().sum());
            parts.iter().for_each(|(part, n)| _ = put(&format!("{name}.{part}"), *n));
        }
        if let Some(modified) = report.max_last_modified.and_then(DateTime::from_timestamp_millis) {
            let modified = modified.to_rfc3339_opts(SecondsFormat::Millis, true);
            summary.insert(MAX_LAST_MODIFIED.to_owned(), modified);
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::part_file::{ChunkRecord, PackedColumns};

    fn part(name: &str, cell: &str, year: Option<i32>) -> SinkRecord {
        let (path, cell) = (name.to_owned(), cell.to_owned());
        SinkRecord::Data(PartFile {
            path,
            cell,
            year,
            rows: 2,
            bytes: 10,
            sequence: None,
            columns: PackedColumns::default(),
        })
    }

    fn chunk(row: u64) -> SinkRecord {
        let rejected = [("missing".to_owned(), 1)].into();
        let skipped = [("suffix".to_owned(), 2)].into();
        let max_last_modified = Some(row as i64);
        let counts = ChunkCounts {
            listed: 10,
            items: 6,
            superseded: 1,
            guessed_footprints: 3,
            skipped,
            rejected,
            max_last_modified,
        };
        let chunk = ChunkId { file: "inventory.csv".into(), rows: row..row + 10 };
        let fan_out = [(1, 4), (2, 2)].into();
        SinkRecord::Chunk(ChunkRecord {
            chunk,
            counts,
            committed: 6,
            rejects: None,
            ingested: None,
            fan_out,
            resumed: row == 10,
        })
    }

    #[test]
    fn records_add_up_and_one_that_comes_twice_counts_once() {
        let (mut records, progress) = (RunRecords::default(), RunProgress::default());
        for record in [
            part("1", "81a", Some(2001)),
            part("2", "81a", Some(1999)),
            part("2", "81a", Some(1999)),
            part("3", "__none__", None),
            chunk(0),
            chunk(10),
            chunk(10),
        ] {
            records.add(record, &progress);
        }
        let report = records.report("r");
        assert_eq!((report.files, report.rows, report.bytes, report.cells), (3, 6, 30, 2));
        assert_eq!(report.years, Some((1999, 2001)));
        assert_eq!((report.listed, report.items, report.superseded), (20, 12, 2));
        assert_eq!(report.guessed_footprints, 6);
        assert_eq!((report.rejected["missing"], report.skipped["suffix"]), (2, 4));
        assert_eq!((report.chunks, report.chunks_resumed, report.fan_out), (2, 1, [(1, 8), (2, 4)].into()));
        assert_eq!(progress.rejected.load(Ordering::Relaxed), 2);
        let summary = records.summary("r");
        let of = |key: &str| summary[&format!("earthcatalog.{key}")].as_str();
        assert_eq!(of("max-last-modified"), "1970-01-01T00:00:00.010Z");
        assert_eq!(
            [of("run"), of("listed"), of("items"), of("rejected"), of("skipped.suffix")],
            ["r", "20", "12", "2", "4"]
        );
    }

    #[test]
    fn a_query_lists_nothing() {
        let (mut records, progress) = (RunRecords::default(), RunProgress::default());
        records.add(part("1", "81a", None), &progress);
        let summary = records.summary("r");
        assert_eq!(summary.keys().collect::<Vec<_>>(), ["earthcatalog.rows", "earthcatalog.run"]);
        assert_eq!(records.report("r").years, None);
    }
}
