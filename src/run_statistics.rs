//! `ingest_stats.json`: one line of JSON per run, for whoever watches a catalog grow.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use earthcatalog_plans::checkpoint::RunReport;
use earthcatalog_plans::stores::{ConditionalObject, ObjectError, StoreError, below, folder_of, folder_url};
use earthcatalog_plans::table::{Catalog, Warehouse, WarehouseError};
use serde::Serialize;
use thiserror::Error;

use crate::report::{Report, millis};

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

/// Why a record could not be added.
#[derive(Debug, Error)]
pub enum StatisticsError {
    #[error(transparent)]
    Location(#[from] StoreError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    #[error("a record of {FILE} is not JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl RunStatistics {
    /// The record of a run that has just ended: `kind` is its command, `seconds` its wall time by level.
    pub fn new(
        kind: &'static str,
        inventory: &str,
        report: &Report,
        seconds: impl Into<BTreeMap<&'static str, f64>>,
    ) -> Self {
        let run = report.run.clone();
        let rows: u64 = run.fan_out.iter().map(|(cells, items)| u64::from(*cells) * items).sum();
        let items: u64 = run.fan_out.values().sum();
        let average_fan_out = millis(rows as f64 / items.max(1) as f64);
        Self { kind, inventory: inventory.to_owned(), ended: Utc::now(), run, average_fan_out, seconds: seconds.into() }
    }
}

/// Adds a record to the document in folder `location`, or beside the catalog. A catalog that is no file has nothing beside
/// it: then it lies in the folder of the warehouse.
pub async fn append(statistics: &RunStatistics, location: Option<&str>, catalog: &str) -> Result<(), StatisticsError> {
    let folder = match location {
        Some(folder) => folder_url(folder)?,
        None => match Catalog::at(catalog)?.file() {
            Some(file) => folder_of(file),
            None => Warehouse::open(catalog).await?.url().clone(),
        },
    };
    let document = ConditionalObject::at(&below(&folder, FILE)?)?;
    let mut line = serde_json::to_vec(statistics)?;
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
