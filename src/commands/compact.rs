//! `earthcatalog compact`: runs `sql/compact.sql`, and removes what it has replaced.

use std::io::Write;
use std::num::NonZero;
use std::pin::pin;
use std::time::{Duration, Instant};

use clap::Args;
use datafusion::prelude::SessionContext;
use earthcatalog_plans::maintenance::{self, CatalogLock, ExpireOptions};
use earthcatalog_plans::scan::bucket_files::{BucketFiles, BucketScanExec};
use earthcatalog_plans::table::Warehouse;
use serde::Serialize;

use super::CommandError;
use crate::arguments::{ClusterArgs, ReportFormat, ResourceArgs, WarehouseArgs, values};
use crate::pipeline::{COMPACT, PipelineError};
use crate::report::{CompactSummary, bytes, count};
use crate::script::Arguments;
use crate::signals::interrupt;

/// Flags of `compact`. Those that are parameters of `sql/compact.sql` get help and default from there.
#[derive(Debug, Clone, Default, Args)]
pub struct CompactArgs {
    #[command(flatten)]
    pub at: WarehouseArgs,
    /// Say what would be compacted, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[arg(long, value_name = "N")]
    pub threshold: Option<u64>,
    #[arg(long, value_name = "CELL/YEAR")]
    pub bucket: Option<String>,
    #[arg(long, value_name = "YEAR", allow_negative_numbers = true)]
    pub since: Option<i32>,
    #[arg(long, value_name = "N")]
    pub commit_every: Option<NonZero<usize>>,
    /// How long replaced files and snapshots are kept for readers that still use them [default: the table's
    /// history.expire.max-snapshot-age-ms, or 5 days]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub retain: Option<Duration>,
    /// Hold the catalog's lock, so that a second compaction does not repeat the work
    #[arg(long)]
    pub use_lock: bool,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub resources: ResourceArgs,
    /// Format of the summary
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub output: ReportFormat,
}

impl CompactArgs {
    fn arguments(&self) -> Arguments {
        Arguments::new()
            .with("catalog", &self.at.catalog)
            .with_option("warehouse", self.at.warehouse.as_ref())
            .with_option("threshold", self.threshold)
            .with_option("bucket", self.bucket.as_ref())
            .with_option("since", self.since)
            .with_option("commit_every", self.commit_every)
    }
}

pub async fn run(args: &CompactArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    args.at.check()?;
    let session = args.resources.pipeline_session()?;
    args.cluster.attach_unless(args.dry_run, &session).await?;
    let failed = |e| CommandError::pipeline(e, COMPACT);
    if args.dry_run {
        return write_plan(&plan(&session, args).await.map_err(failed)?, args.output, out);
    }
    let summary = compact(&session, args, interrupt()).await.map_err(failed)?;
    if let Some(bucket) = args.bucket.as_ref().filter(|_| summary.buckets_scanned == 0) {
        return Err(CommandError::NoBucket(bucket.clone()));
    }
    Ok(args.output.write(&summary, out)?)
}

/// Compacts a warehouse: one file per bucket, with the newest version of each Item; then removes what is older than the
/// retention. Stopped by `interrupt`, it leaves a warehouse that the next compaction goes on with.
pub async fn compact(
    session: &SessionContext,
    args: &CompactArgs,
    interrupt: impl Future<Output = ()>,
) -> Result<CompactSummary, PipelineError> {
    let started = Instant::now();
    let mut interrupt = pin!(interrupt);
    let table = Warehouse::open_in(&args.at.catalog, args.at.warehouse.as_deref()).await?;
    let lock = match args.use_lock {
        true => Some(CatalogLock::acquire(table.catalog(), table.url(), "compact").await?),
        false => None,
    };
    let compacted = async {
        let report = COMPACT.run(session, &args.arguments(), &mut interrupt).await?;
        let clean = ExpireOptions { retain: args.retain, dry_run: false };
        let removed = tokio::select! {
            removed = maintenance::clean(&table, &clean) => removed?,
            () = &mut interrupt => return Err(PipelineError::Interrupted(report.snapshot.iter().count() as u64)),
        };
        let replaced = report.replaced.unwrap_or_default();
        let not_removed = removed.refused.map(|refusal| refusal.to_string());
        let summary = CompactSummary::new(replaced, &removed.summary, started.elapsed().as_secs_f64());
        Ok(CompactSummary { not_removed, ..summary })
    };
    let compacted = compacted.await;
    if let Some(lock) = lock {
        lock.release().await?;
    }
    compacted
}

/// A bucket that a compaction would merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedBucket {
    /// `CELL/YEAR`.
    pub bucket: String,
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
}

/// The buckets that [`compact`] would merge, in order, from metadata alone. Nothing is touched.
async fn plan(session: &SessionContext, args: &CompactArgs) -> Result<Vec<PlannedBucket>, PipelineError> {
    let planned = COMPACT.plan(session, &args.arguments()).await?;
    let scan = planned.as_ref().and_then(|planned| BucketScanExec::find(&planned.plan));
    let mut buckets: Vec<&BucketFiles> = scan.into_iter().flat_map(BucketScanExec::buckets).collect();
    buckets.sort_by_key(|files| &files.bucket);
    let planned = |files: &BucketFiles| PlannedBucket {
        bucket: files.bucket.to_string(),
        files: files.files.len() as u64,
        rows: files.rows(),
        bytes: files.bytes(),
    };
    Ok(buckets.into_iter().map(planned).collect())
}

fn write_plan(buckets: &[PlannedBucket], format: ReportFormat, out: &mut dyn Write) -> Result<(), CommandError> {
    let sum = |part: fn(&PlannedBucket) -> u64| buckets.iter().map(part).sum::<u64>();
    let (files, rows, size) = (sum(|b| b.files), sum(|b| b.rows), sum(|b| b.bytes));
    if format == ReportFormat::Json {
        let plan = serde_json::json!({ "buckets": buckets, "files": files, "rows": rows, "bytes": size });
        return Ok(writeln!(out, "{plan}")?);
    }
    let mut line = |bucket: &str, files: String, rows: String, size: String| {
        writeln!(out, "{bucket:<24}{files:>10}{rows:>14}{size:>12}")
    };
    line("bucket", "files".to_owned(), "rows".to_owned(), "bytes".to_owned())?;
    for bucket in buckets {
        line(&bucket.bucket, count(bucket.files), count(bucket.rows), bytes(bucket.bytes))?;
    }
    line(&format!("{} in all", count(buckets.len() as u64)), count(files), count(rows), bytes(size))?;
    Ok(())
}
