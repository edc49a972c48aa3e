//! The driver of `sql/compact.sql`, and its report.

use std::fmt;
use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::prelude::SessionContext;
use earthcatalog_plans::compact::{BucketFiles, BucketScanExec};
use earthcatalog_plans::maintenance::{self, CatalogLock, ExpireOptions, ExpireSummary};
use earthcatalog_plans::warehouse::{Replaced, Warehouse};
use serde::Serialize;

use crate::cluster::{self, Cluster};
use crate::pipeline::{Pipeline, PipelineError, pipeline_session};
use crate::report::{bytes, count};
use crate::script::Arguments;

/// The pipeline.
pub const PIPELINE: Pipeline = Pipeline { name: "compact.sql", text: include_str!("../sql/compact.sql") };

/// Which buckets of which warehouse are compacted, and how.
#[derive(Debug, Clone)]
pub struct CompactOptions {
    /// Path or URL of the SQLite catalog.
    pub catalog: String,
    /// Folder or URL of the data files.
    pub warehouse: String,
    /// Buckets with at least so many files are compacted; 2 where it is `None`.
    pub threshold: Option<u64>,
    /// One bucket alone: `CELL/YEAR`, or `CELL/null`.
    pub bucket: Option<String>,
    /// Buckets of this year and later ones.
    pub since: Option<i32>,
    /// A snapshot for each so many buckets, in place of one for all.
    pub commit_every: Option<NonZero<usize>>,
    /// How long replaced files and snapshots stay for readers that still hold them; as long as the table says where it is
    /// `None`.
    pub retain: Option<Duration>,
    /// Whether to hold the catalog's advisory lock meanwhile, which spares two compactions the same work.
    pub use_lock: bool,
    /// Threads.
    pub workers: usize,
    /// Bytes that sorts may take before they go to disk.
    pub memory: Option<usize>,
    /// Where buckets are worked on; in this process where it is `None`.
    pub cluster: Option<Arc<Cluster>>,
}

impl CompactOptions {
    fn arguments(&self) -> Arguments {
        Arguments::new()
            .with("catalog", &self.catalog)
            .with("warehouse", &self.warehouse)
            .with_option("threshold", self.threshold)
            .with_option("bucket", self.bucket.as_ref())
            .with_option("since", self.since)
            .with_option("commit_every", self.commit_every)
    }

    fn session(&self) -> Result<SessionContext, PipelineError> {
        let session = pipeline_session(self.workers, self.memory)?;
        self.cluster.iter().for_each(|cluster| cluster::attach(&session, cluster));
        Ok(session)
    }
}

/// What a compaction did. Files, rows and bytes are those of all buckets scanned.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CompactSummary {
    pub buckets_scanned: u64,
    pub buckets_compacted: u64,
    /// Buckets that another writer changed first: they keep their files until the next compaction.
    pub buckets_left_out: Vec<String>,
    pub files_before: u64,
    pub files_after: u64,
    pub rows_before: u64,
    pub rows_after: u64,
    /// Rows of older versions of an Item.
    pub versions_dropped: u64,
    pub bytes_before: u64,
    pub bytes_after: u64,
    /// Ids, in the order of their commits; none where there was nothing to do.
    pub snapshots: Vec<i64>,
    /// Of what was older than the retention: snapshots, data files that only they named, and files that nothing names.
    pub snapshots_removed: u64,
    pub files_removed: u64,
    pub orphans_removed: u64,
    /// Why nothing was removed that is older than the retention, where the table or its folder forbids it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_removed: Option<String>,
    pub seconds: f64,
}

impl CompactSummary {
    /// Of a run that took so many seconds, and of the clean-up after it.
    pub fn new(replaced: Replaced, removed: &ExpireSummary, seconds: f64) -> Self {
        let Replaced { scanned, before, after, left_out, snapshots } = replaced;
        Self {
            buckets_scanned: scanned.buckets,
            buckets_compacted: before.buckets,
            buckets_left_out: left_out,
            files_before: scanned.files,
            files_after: scanned.files - before.files + after.files,
            rows_before: scanned.rows,
            rows_after: scanned.rows - before.rows + after.rows,
            versions_dropped: before.rows.saturating_sub(after.rows),
            bytes_before: scanned.bytes,
            bytes_after: scanned.bytes - before.bytes + after.bytes,
            snapshots,
            snapshots_removed: removed.snapshots_removed,
            files_removed: removed.data_files_removed,
            orphans_removed: removed.orphans_removed,
            not_removed: None,
            seconds: (seconds * 1000.0).round() / 1000.0,
        }
    }
}

impl fmt::Display for CompactSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(f, "{name:<12}{value}");
        line("buckets", format!("{} compacted of {}", count(self.buckets_compacted), count(self.buckets_scanned)))?;
        if !self.buckets_left_out.is_empty() {
            let first = self.buckets_left_out.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let (n, more) = (self.buckets_left_out.len(), if self.buckets_left_out.len() > 3 { ", …" } else { "" });
            line("left out", format!("{n}, changed by another writer meanwhile: {first}{more}; compact again"))?;
        }
        line("files", format!("{} before, {} after", count(self.files_before), count(self.files_after)))?;
        let dropped = count(self.versions_dropped);
        let (before, after) = (count(self.rows_before), count(self.rows_after));
        line("rows", format!("{before} before, {after} after, {dropped} of older versions dropped"))?;
        line("bytes", format!("{} before, {} after", bytes(self.bytes_before), bytes(self.bytes_after)))?;
        if self.snapshots_removed + self.files_removed + self.orphans_removed > 0 {
            let (snapshots, files) = (count(self.snapshots_removed), count(self.files_removed));
            line("removed", format!("{snapshots} snapshots, {files} files, {} orphans", count(self.orphans_removed)))?;
        }
        if let Some(reason) = &self.not_removed {
            line("kept", reason.clone())?;
        }
        line("time", format!("{:.1} s", self.seconds))?;
        let snapshots: Vec<_> = self.snapshots.iter().map(i64::to_string).collect();
        let nothing = "none: nothing to compact".to_owned();
        write!(f, "{:<12}{}", "snapshot", if snapshots.is_empty() { nothing } else { snapshots.join(", ") })
    }
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

/// Compacts a warehouse: one file per bucket, with the newest version of each Item; then removes what is older than the
/// retention. Stopped by `interrupt`, it leaves a warehouse that the next compaction goes on with.
pub async fn compact_warehouse(
    options: &CompactOptions,
    interrupt: impl Future<Output = ()>,
) -> Result<CompactSummary, PipelineError> {
    let started = Instant::now();
    let mut interrupt = pin!(interrupt);
    let table = Warehouse::open(&options.catalog).await?;
    table.check_location(&options.warehouse)?;
    let lock = match options.use_lock {
        true => Some(CatalogLock::acquire(table.catalog(), "compact").await?),
        false => None,
    };
    let compacted = async {
        let report = PIPELINE.run(&options.session()?, &options.arguments(), &mut interrupt).await?;
        let clean = ExpireOptions { retain: options.retain, dry_run: false };
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

/// The buckets that [`compact_warehouse`] would merge, in order, from metadata alone. Nothing is touched.
pub async fn plan_compaction(options: &CompactOptions) -> Result<Vec<PlannedBucket>, PipelineError> {
    let planned = PIPELINE.plan(&options.session()?, &options.arguments()).await?;
    let scan = planned.as_ref().and_then(|planned| BucketScanExec::find(&planned.plan));
    let mut buckets: Vec<&BucketFiles> = scan.into_iter().flat_map(BucketScanExec::buckets).collect();
    buckets.sort_by_key(|of| &of.bucket);
    let bucket = |of: &BucketFiles| PlannedBucket {
        bucket: of.bucket.to_string(),
        files: of.files.len() as u64,
        rows: of.rows(),
        bytes: of.bytes(),
    };
    Ok(buckets.into_iter().map(bucket).collect())
}
