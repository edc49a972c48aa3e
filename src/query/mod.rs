//! SQL over a warehouse: statements in, answers out.

mod refusal;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::common::Result as DataFusionResult;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::query::register_views;
use earthcatalog_plans::scan::{ScanMetrics, scan_metrics};
use futures::TryStreamExt;
use thiserror::Error;

use self::refusal::Refusal;
use crate::cluster::JobExec;
use crate::output::{self, OutputError, Rendering, Sink, Written};
use crate::report::{bytes, count, counted};
use crate::script::{Planned, ScriptError, Statement};

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum SqlError {
    #[error(
        "there is no statement to run: give one, give -f FILE, or give - to read standard input; without any of these, a terminal gets a prompt"
    )]
    Nothing,
    #[error("cannot read {name}: {source}")]
    Unreadable { name: String, source: io::Error },
    #[error("--out takes the rows of a statement; at the prompt, use \\o FILE")]
    OutAtPrompt,
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error("{place}: {what} holds one result, and this statement has a second one; run the statements one by one")]
    Several { place: String, what: String },
    #[error(
        "{place}: this statement writes to a warehouse, and sql only reads; `earthcatalog run FILE` runs scripts that write"
    )]
    Writes { place: String },
    #[error("{place}: {refusal}")]
    Refused { place: String, refusal: Refusal },
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl SqlError {
    /// Whether the command was typed wrongly.
    pub fn is_usage(&self) -> bool {
        use crate::output::SinkError::{Device, Object};
        match self {
            Self::Nothing | Self::OutAtPrompt | Self::Unreadable { .. } => true,
            Self::Output(OutputError::Terminal(_)) => true,
            Self::Output(OutputError::Sink(error)) => !matches!(error, Object { .. } | Device { .. }),
            _ => false,
        }
    }

    /// Why standard output could not be written to, if that was it.
    pub fn write(&self) -> Option<&io::Error> {
        match self {
            Self::Output(OutputError::Write(error)) => Some(error),
            _ => None,
        }
    }
}

/// Makes the tables of the warehouse that `catalog` points at known to `session`; its files must be in `warehouse`, if one
/// is named.
pub async fn open(session: &SessionContext, catalog: &str, warehouse: Option<&str>) -> DataFusionResult<()> {
    register_views(session, catalog, warehouse).await
}

/// Plans a statement that leaves the warehouse as it is; definitions and settings take effect.
///
/// Errors: a statement that would change a table of the warehouse, and whatever cannot be planned.
pub async fn plan(session: &SessionContext, statement: &Statement) -> Result<Planned, SqlError> {
    let place = || statement.place().to_string();
    if let Some(refusal) = Refusal::of(session, statement.ast()).await {
        return Err(SqlError::Refused { place: place(), refusal });
    }
    let planned = statement.plan(session).await?;
    if planned.effect.is_on_warehouse() {
        return Err(SqlError::Writes { place: place() });
    }
    Ok(planned)
}

/// What a statement answered; its rows have been written.
#[derive(Debug)]
pub struct Answer {
    /// `None`: a definition or setting, which has no rows.
    pub written: Option<Written>,
    pub elapsed: Duration,
    /// What has run.
    plan: Arc<dyn ExecutionPlan>,
}

/// Writes the answers of one statement after the other to one destination.
pub struct Answers<'a, 'b> {
    pub session: &'a SessionContext,
    pub rendering: Rendering,
    pub sink: &'a mut Sink<'b>,
    /// What can take one result only.
    pub single: Option<&'a str>,
    results: u64,
}

impl<'a, 'b> Answers<'a, 'b> {
    pub fn new(session: &'a SessionContext, rendering: Rendering, sink: &'a mut Sink<'b>) -> Self {
        Self { session, rendering, sink, single: None, results: 0 }
    }

    /// Runs a statement to its end.
    pub async fn answer(&mut self, statement: &Statement) -> Result<Answer, SqlError> {
        let started = Instant::now();
        let planned = plan(self.session, statement).await?;
        let rows = planned.execute()?;
        let written = if rows.schema().fields().is_empty() {
            rows.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(|e| planned.failed(e))?;
            None
        } else {
            self.results += 1;
            if let Some(what) = self.single.filter(|_| self.results > 1) {
                return Err(SqlError::Several { place: statement.place().to_string(), what: what.to_owned() });
            }
            let written = output::write_rows(rows, self.rendering, self.sink).await;
            Some(written.map_err(|e| match e {
                OutputError::Query(e) => SqlError::Script(planned.failed(e)),
                e => e.into(),
            })?)
        };
        let elapsed = started.elapsed();
        log::info!("{}: {:.3} s", statement.title(), elapsed.as_secs_f64());
        Ok(Answer { written, elapsed, plan: planned.plan })
    }
}

impl Answer {
    /// How many rows there were, and how long it took; the rows are left out where a table has said so.
    pub fn timing(&self, is_counted: bool) -> String {
        let seconds = format!("{:.3} s", self.elapsed.as_secs_f64());
        match self.written {
            Some(Written { rows, .. }) if !is_counted => {
                format!("{} in {seconds}", counted(rows, "row"))
            }
            _ => seconds,
        }
    }

    /// What was read of the warehouse, a line for each scan.
    pub fn stats(&self) -> Stats {
        Stats { scans: scan_metrics(&self.plan), by_cluster: JobExec::find(&self.plan).is_some() }
    }
}

/// What was read of a warehouse, as text.
pub struct Stats {
    scans: Vec<ScanMetrics>,
    /// Whether a cluster has read it, which tells no more than what was planned.
    by_cluster: bool,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scans.is_empty() {
            return write!(f, "scan: no data file was read");
        }
        for (i, scan) in self.scans.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            let share = |part: u64, all: u64| format!("{} of {}", count(part), count(all));
            write!(f, "scan: files {} (pruned: {})", share(scan.files(), scan.files_of), scan.pruned)?;
            if self.by_cluster {
                write!(f, ", read by the cluster")?;
                continue;
            }
            write!(f, ", row groups {}", share(scan.row_groups, scan.row_groups_of))?;
            write!(f, ", read {} of {}", bytes(scan.bytes), bytes(scan.bytes_of))?;
            write!(f, ", {} rows", count(scan.rows))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use earthcatalog_plans::scan::PrunedBy;

    use super::*;

    #[test]
    fn what_was_read_is_said_scan_by_scan() {
        let scan = ScanMetrics {
            files_of: 900,
            pruned: PrunedBy { cell: 0, year: 451, bounds: 426, index: 0 },
            row_groups_of: 23,
            row_groups: 20,
            bytes_of: 12_200_000,
            bytes: 38_500,
            rows: 1_234,
        };
        assert_eq!(
            Stats { scans: vec![scan], by_cluster: false }.to_string(),
            "scan: files 23 of 900 (pruned: 451 by year 426 by bounds), row groups 20 of 23, read 38.5 kB of 12.2 MB, \
             1,234 rows"
        );
        let by_cluster = Stats { scans: vec![scan], by_cluster: true }.to_string();
        assert_eq!(by_cluster, "scan: files 23 of 900 (pruned: 451 by year 426 by bounds), read by the cluster");
        assert_eq!(Stats { scans: vec![], by_cluster: false }.to_string(), "scan: no data file was read");
    }
}
