//! What a statement that writes would do, from its plan.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use datafusion::common::Result;
use earthcatalog_plans::checkpoint::RunFolder;
use earthcatalog_plans::model::item_key::ItemKey;
use earthcatalog_plans::run::{CommitExec, Outcome};
use earthcatalog_plans::scan::bucket_files::BucketScanExec;
use earthcatalog_plans::source::StacExec;
use serde::Serialize;

use crate::report::{bytes, count, with_parts};
use crate::script::Planned;

/// Items that are listed on a screen.
const LISTED: usize = 20;

/// What a statement would do that is not run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum DryRun {
    /// An INSERT into a warehouse, or a DELETE or UPDATE of Items of one.
    Insert(Box<PlannedInsert>),
    /// Anything else that writes: its place and first line.
    Other { not_run: String },
}

/// An INSERT into a warehouse, or a DELETE or UPDATE of Items of one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedInsert {
    pub dry_run: bool,
    pub catalog: String,
    pub warehouse: String,
    /// Whether there is no such table yet.
    pub creates_table: bool,
    pub h3_resolution: u8,
    /// Properties with a column of their own.
    pub promoted: u64,
    /// Absent where the rows come from elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<PlannedSource>,
    /// Objects that are gone and would be forgotten; absent where none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    /// Items that would be deleted; absent where none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    /// Items that would be updated; absent where none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<u64>,
    /// Which Items these are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<BTreeSet<ItemKey>>,
    /// Absent where no buckets are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buckets: Option<PlannedBuckets>,
    /// Absent where the run leaves no checkpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumes: Option<Resumed>,
}

/// What would be read from an inventory, a file or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedSource {
    pub location: String,
    pub chunks: u64,
    /// Objects to fetch; `None` where Items are not in objects of their own.
    pub objects: Option<u64>,
    /// Items to read at most; `None` where only reading tells.
    pub items: Option<u64>,
    pub superseded: u64,
    /// By reason.
    pub skipped: BTreeMap<String, u64>,
}

/// Buckets whose files would be merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedBuckets {
    pub buckets: u64,
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
}

/// What an earlier start of the same run has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resumed {
    pub run: String,
    pub chunks_done: u64,
    /// When it ended: then nothing would be done.
    pub ended: Option<DateTime<Utc>>,
}

impl DryRun {
    /// What the statement would do, of which nothing is run.
    pub async fn from_planned(planned: &Planned) -> Result<Self> {
        let Some(commit) = CommitExec::find(&planned.plan) else {
            return Ok(Self::Other { not_run: planned.statement().title() });
        };
        let target = commit.target();
        let warehouse = &target.warehouse;
        let resumes = match &target.outcome {
            Outcome::Stage(staging) if !staging.restart() => {
                let folder = RunFolder::new(warehouse.url(), &target.run)?;
                let ended = folder.read().await?.and_then(|record| record.finished).map(|finished| finished.at);
                let done = folder.done().await?.iter().filter(|task| task.starts_with("chunk-")).count();
                Some(Resumed { run: target.run.clone(), chunks_done: done as u64, ended })
            }
            _ => None,
        };
        let items = BucketScanExec::find(&planned.plan).and_then(BucketScanExec::items).cloned();
        let changed = items.as_ref().map_or(0, BTreeSet::len) as u64;
        Ok(Self::Insert(Box::new(PlannedInsert {
            dry_run: true,
            catalog: warehouse.catalog().to_string(),
            warehouse: warehouse.url().to_string(),
            creates_table: warehouse.is_planned(),
            h3_resolution: warehouse.h3_resolution(),
            promoted: warehouse.items().promoted().len() as u64,
            source: StacExec::find(&planned.plan).map(PlannedSource::from_scan),
            objects: match &target.outcome {
                Outcome::RemoveItems { objects } => Some(objects.len() as u64).filter(|objects| *objects > 0),
                _ => None,
            },
            deleted: matches!(target.outcome, Outcome::RemoveItems { .. }).then_some(changed),
            updated: matches!(target.outcome, Outcome::UpdateItems).then_some(changed),
            items,
            buckets: BucketScanExec::find(&planned.plan).map(PlannedBuckets::from_scan),
            resumes,
        })))
    }
}

impl PlannedSource {
    fn from_scan(source: &StacExec) -> Self {
        let planned = source.planned();
        Self {
            location: source.location().to_string(),
            chunks: source.chunks() as u64,
            objects: planned.objects,
            items: planned.items,
            superseded: planned.left_out.superseded,
            skipped: planned.left_out.skipped,
        }
    }
}

impl PlannedBuckets {
    fn from_scan(scan: &BucketScanExec) -> Self {
        let mut planned = Self { buckets: 0, files: 0, rows: 0, bytes: 0 };
        for bucket in scan.buckets() {
            planned.buckets += 1;
            planned.files += bucket.files.len() as u64;
            planned.rows += bucket.rows();
            planned.bytes += bucket.bytes();
        }
        planned
    }
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert(insert) => insert.fmt(f),
            Self::Other { not_run } => write!(f, "{:<12}{not_run}", "not run"),
        }
    }
}

impl fmt::Display for PlannedInsert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "{name:<12}{value}");
        let Self { catalog, h3_resolution, promoted, .. } = self;
        let grid = format!("H3 resolution {h3_resolution}, {promoted} promoted properties");
        match self.creates_table {
            true => line("table", format!("would be created in {catalog}: {grid}"))?,
            false => line("table", format!("in {catalog}: {grid}"))?,
        }
        if let Some(source) = &self.source {
            let chunks = count(source.chunks);
            let read = match (source.objects, source.items) {
                (Some(objects), Some(_)) => format!("{} to fetch", count(objects)),
                (Some(files), None) => {
                    format!("{} files to read; their Items are counted while they are read", count(files))
                }
                (None, Some(items)) => format!("{} to read", count(items)),
                (None, None) => "counted while they are read".to_owned(),
            };
            line("Items", read)?;
            if source.superseded > 0 {
                line("superseded", count(source.superseded))?;
            }
            if !source.skipped.is_empty() {
                line("skipped", with_parts(source.skipped.values().sum(), &source.skipped))?;
            }
            let resumed = self.resumes.as_ref().filter(|resumed| resumed.chunks_done > 0);
            line(
                "chunks",
                match resumed {
                    Some(resumed) => format!("{chunks}, {} of them were done before", count(resumed.chunks_done)),
                    None => chunks,
                },
            )?;
        }
        if let Some(objects) = self.objects {
            line("objects", format!("{} are gone", count(objects)))?;
        }
        if let Some(items) = self.deleted {
            line("Items", format!("{} to delete", count(items)))?;
        }
        if let Some(items) = self.updated {
            line("Items", format!("{} to update", count(items)))?;
        }
        for item in self.items.iter().flatten().take(LISTED) {
            line("", item.to_string())?;
        }
        let more = self.items.as_ref().map_or(0, BTreeSet::len).saturating_sub(LISTED);
        if more > 0 {
            line("", format!("and {} more, which --output json lists", count(more as u64)))?;
        }
        if let Some(ended) = self.resumes.as_ref().and_then(|resumed| resumed.ended) {
            line("run", format!("ended at {}; this command would do nothing", ended.format("%Y-%m-%d %H:%M:%S UTC")))?;
        }
        if let Some(PlannedBuckets { buckets, files, rows, bytes: size }) = &self.buckets {
            let contents = format!("{} files, {} rows, {}", count(*files), count(*rows), bytes(*size));
            let to = if self.deleted.or(self.updated).is_some() { "write again" } else { "merge" };
            line("buckets", format!("{} to {to}, with {contents}", count(*buckets)))?;
        }
        write!(f, "{:<12}nothing was written", "dry run")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deletion(items: usize) -> PlannedInsert {
        PlannedInsert {
            dry_run: true,
            catalog: "c.db".to_owned(),
            warehouse: "file:///wh/".to_owned(),
            creates_table: false,
            h3_resolution: 1,
            promoted: 0,
            source: None,
            objects: Some(3),
            deleted: Some(items as u64),
            updated: None,
            items: Some((0..items).map(|n| ItemKey::new(Some("c"), &format!("i{n:02}"))).collect()),
            buckets: None,
            resumes: None,
        }
    }

    #[test]
    fn items_are_listed_up_to_a_number_on_a_screen_and_all_in_json() {
        insta::assert_snapshot!(deletion(2), @r"
        table       in c.db: H3 resolution 1, 0 promoted properties
        objects     3 are gone
        Items       2 to delete
                    c/i00
                    c/i01
        dry run     nothing was written
        ");
        let many = deletion(LISTED + 5);
        let text = many.to_string();
        assert!(text.contains("c/i19\n            and 5 more, which --output json lists\n"), "{text}");
        assert!(!text.contains("c/i20"), "{text}");
        let json = serde_json::to_value(&many).unwrap();
        assert_eq!(json["items"].as_array().unwrap().len(), LISTED + 5);
        assert_eq!(json["items"][0], serde_json::json!({ "collection": "c", "id": "i00" }));
    }
}
