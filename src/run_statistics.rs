//! `ingest_stats.json`: one line of JSON per run, for whoever watches a catalog grow.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use earthcatalog_plans::checkpoint::RunReport;
use earthcatalog_plans::stores::{ConditionalObject, below, folder_url, location_url};
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
    /// `backfill` or `incremental`.
    pub kind: &'static str,
    pub inventory: String,
    pub ended: DateTime<Utc>,
    #[serde(flatten)]
    pub run: RunReport,
    /// Rows that were written per Item that was read.
    pub average_fan_out: f64,
    /// By level.
    pub seconds: BTreeMap<&'static str, f64>,
}

impl RunStatistics {
    pub fn of_backfill(source: &IngestOptions, summary: &BackfillSummary) -> Self {
        let seconds = [("ingest", summary.seconds_ingest), ("merge", summary.seconds_merge)];
        Self::new("backfill", source, &summary.report, seconds.into())
    }

    pub fn of_incremental(source: &IngestOptions, report: &Report) -> Self {
        let seconds = [("ingest", (report.seconds * 1000.0).round() / 1000.0)];
        Self::new("incremental", source, report, seconds.into())
    }

    fn new(kind: &'static str, source: &IngestOptions, report: &Report, seconds: BTreeMap<&'static str, f64>) -> Self {
        let run = report.run.clone();
        let rows: u64 = run.fan_out.iter().map(|(cells, items)| u64::from(*cells) * items).sum();
        let items: u64 = run.fan_out.values().sum();
        let average_fan_out = (rows as f64 / items.max(1) as f64 * 1000.0).round() / 1000.0;
        Self { kind, inventory: source.inventory.clone(), ended: Utc::now(), run, average_fan_out, seconds }
    }
}

/// Adds a record to the document in folder `location`, or beside the catalog.
pub async fn append(statistics: &RunStatistics, location: Option<&str>, catalog: &str) -> Result<(), PipelineError> {
    let folder = match location {
        Some(folder) => folder_url(folder)?,
        None => location_url(catalog)?,
    };
    let document = ConditionalObject::at(&below(&folder, FILE)?)?;
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
