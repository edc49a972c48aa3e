//! `ingest_stats.json`: one line of JSON per run, for whoever watches a catalog grow.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use earthcatalog_plans::stores::{ConditionalObject, StoreError, folder_url, location_url};
use serde::Serialize;

use crate::backfill::BackfillSummary;
use crate::ingest::IngestOptions;
use crate::pipeline::PipelineError;
use crate::report::Report;

/// Name of the document.
pub const FILE: &str = "ingest_stats.json";

/// What a run did, in one record.
#[derive(Debug, Clone, Serialize)]
pub struct RunStatistics {
    pub run: String,
    /// `backfill` or `incremental`.
    pub kind: &'static str,
    pub inventory: String,
    pub ended: DateTime<Utc>,
    pub snapshot: Option<i64>,
    /// Rows of the inventory, and what became of them.
    pub listed: u64,
    pub items: u64,
    pub rejected: BTreeMap<String, u64>,
    pub superseded: u64,
    pub skipped: BTreeMap<String, u64>,
    pub rows: u64,
    pub cells: u64,
    pub years: Option<(i32, i32)>,
    pub files: u64,
    pub bytes: u64,
    pub chunks: u64,
    /// Rows that were written per Item that was read.
    pub average_fan_out: f64,
    /// Items by the number of their cells.
    pub fan_out: BTreeMap<u32, u64>,
    /// By level.
    pub seconds: BTreeMap<&'static str, f64>,
}

impl RunStatistics {
    pub fn of_backfill(source: &IngestOptions, summary: &BackfillSummary) -> Self {
        let seconds = [("ingest", summary.seconds_ingest), ("merge", summary.seconds_merge)].into();
        Self { kind: "backfill", seconds, ..Self::new(source, &summary.report) }
    }

    pub fn of_incremental(source: &IngestOptions, report: &Report) -> Self {
        let seconds = [("ingest", (report.seconds * 1000.0).round() / 1000.0)].into();
        Self { kind: "incremental", seconds, ..Self::new(source, report) }
    }

    fn new(source: &IngestOptions, report: &Report) -> Self {
        let run = report.run.clone();
        let rows: u64 = run.fan_out.iter().map(|(cells, items)| u64::from(*cells) * items).sum();
        let items: u64 = run.fan_out.values().sum();
        Self {
            run: run.run,
            kind: "",
            inventory: source.inventory.clone(),
            ended: Utc::now(),
            snapshot: run.snapshot,
            listed: run.listed,
            items: run.items,
            rejected: run.rejected,
            superseded: run.superseded,
            skipped: run.skipped,
            rows: run.rows,
            cells: run.cells,
            years: run.years,
            files: run.files,
            bytes: run.bytes,
            chunks: run.chunks,
            average_fan_out: (rows as f64 / items.max(1) as f64 * 1000.0).round() / 1000.0,
            fan_out: run.fan_out,
            seconds: BTreeMap::new(),
        }
    }
}

/// Adds a record to the document in folder `location`, or beside the catalog.
pub async fn append(statistics: &RunStatistics, location: Option<&str>, catalog: &str) -> Result<(), PipelineError> {
    let folder = match location {
        Some(folder) => folder_url(folder)?,
        None => location_url(catalog)?,
    };
    let invalid =
        |e: url::ParseError| StoreError::InvalidLocation { location: folder.to_string(), reason: e.to_string() };
    let document = ConditionalObject::at(&folder.join(FILE).map_err(invalid)?)?;
    let mut line = serde_json::to_vec(statistics).map_err(std::io::Error::from).map_err(PipelineError::Write)?;
    line.push(b'\n');
    loop {
        let written = match document.read().await? {
            None => document.create(line.clone().into()).await?,
            Some(found) => document.replace(&found, [found.bytes.as_ref(), &line].concat().into()).await?,
        };
        // Otherwise another run has just added its own.
        if written.is_some() {
            return Ok(());
        }
    }
}
