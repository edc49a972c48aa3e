//! `earthcatalog expire`: runs `sql/expire.sql`.

use std::fmt;
use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::maintenance::ExpireSummary;
use earthcatalog_plans::session::session;
use serde::Serialize;

use super::CommandError;
use crate::arguments::{ReportFormat, ThreadArgs, WarehouseArgs, values};
use crate::pipeline::{EXPIRE, PipelineError};
use crate::report::{bytes, count, millis};
use crate::rows::Row;
use crate::script::Arguments;
use crate::signals::interrupt;

/// Flags of `expire`. Those that are parameters of `sql/expire.sql` get help and default from there.
#[derive(Debug, Clone, Default, Args)]
pub struct ExpireArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub retain: Option<Duration>,
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// Format of the summary
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

/// What a clean-up removed, or with `dry_run` would remove.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Expired {
    pub dry_run: bool,
    #[serde(flatten)]
    pub summary: ExpireSummary,
}

pub async fn run(args: &ExpireArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let session = session(args.threads.workers())?;
    // Stopped anywhere, it leaves orphans at most, which the next one removes.
    let expired = tokio::select! {
        done = expire(&session, args) => done.map_err(|e| CommandError::pipeline(e, EXPIRE))?,
        () = interrupt() => return Err(CommandError::Interrupted),
    };
    Ok(args.output.write(&expired, out)?)
}

/// Removes what nobody needs any more. Dropped half-way, it leaves orphans at most, which the next one removes.
pub async fn expire(session: &SessionContext, args: &ExpireArgs) -> Result<Expired, PipelineError> {
    let started = Instant::now();
    let arguments = Arguments::new()
        .with("catalog", &args.at.catalog)
        .with_option("warehouse", args.at.warehouse.as_ref())
        .with_option("retain", args.retain.map(humantime::format_duration))
        .with("dry_run", args.dry_run);
    let results = EXPIRE.rows(session, &arguments).await?;
    let sum = |column: &str| results.iter().filter_map(|rows| Row::nth(rows, 0)?.number(column)).sum();
    let summary = ExpireSummary {
        snapshots_removed: sum("snapshots_removed"),
        data_files_removed: sum("data_files_removed"),
        metadata_files_removed: sum("metadata_files_removed"),
        orphans_removed: sum("orphans_removed"),
        bytes_removed: sum("bytes_removed"),
        manifests_merged: sum("manifests_merged"),
        seconds: millis(started.elapsed().as_secs_f64()),
    };
    Ok(Expired { dry_run: args.dry_run, summary })
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = &self.summary;
        let removed = if self.dry_run { "would be removed" } else { "removed" };
        writeln!(f, "{:<16}{} {removed}", "snapshots", count(summary.snapshots_removed))?;
        for (name, files) in [
            ("data files", summary.data_files_removed),
            ("metadata files", summary.metadata_files_removed),
            ("orphans", summary.orphans_removed),
        ] {
            writeln!(f, "{name:<16}{}", count(files))?;
        }
        writeln!(f, "{:<16}{}", "bytes", bytes(summary.bytes_removed))?;
        if summary.manifests_merged > 0 {
            writeln!(f, "{:<16}{} merged", "manifests", count(summary.manifests_merged))?;
        }
        write!(f, "{:<16}{:.1} s", "time", summary.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_a_table_or_one_json_object() {
        let summary = ExpireSummary {
            snapshots_removed: 3,
            data_files_removed: 1_234,
            metadata_files_removed: 9,
            orphans_removed: 2,
            bytes_removed: 35_200_000,
            manifests_merged: 0,
            seconds: 0.25,
        };
        insta::assert_snapshot!(Expired { dry_run: false, summary }, @r"
        snapshots       3 removed
        data files      1,234
        metadata files  9
        orphans         2
        bytes           35.2 MB
        time            0.2 s
        ");
        let json = serde_json::to_value(Expired { dry_run: true, summary }).unwrap();
        assert_eq!((json["dry_run"].as_bool(), json["orphans_removed"].as_u64()), (Some(true), Some(2)));
        assert!(Expired { dry_run: true, summary }.to_string().starts_with("snapshots       3 would be removed"));
    }
}
