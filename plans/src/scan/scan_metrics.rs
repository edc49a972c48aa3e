//! What a running plan has read of a warehouse, from the metrics of its scans.

use std::sync::Arc;

use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{MetricBuilder, MetricValue, MetricsSet};

use super::bucket_files::BucketScanExec;
use super::pruned_by::PrunedBy;

// Counters, not a metric of our own: those can be sent from one process to another.
const FILES: &str = "table_files";
const BYTES: &str = "table_bytes";
const BY_CELL: &str = "files_pruned_by_cell";
const BY_YEAR: &str = "files_pruned_by_year";
const BY_BOUNDS: &str = "files_pruned_by_bounds";
const BY_INDEX: &str = "files_pruned_by_index";

/// What one scan of the table has read so far, and of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScanMetrics {
    /// Of the table, as of the snapshot that was read.
    pub files_of: u64,
    pub pruned: PrunedBy,
    /// Of the files that were opened.
    pub row_groups_of: u64,
    pub row_groups: u64,
    /// Of the table.
    pub bytes_of: u64,
    pub bytes: u64,
    pub rows: u64,
}

impl ScanMetrics {
    pub fn files(&self) -> u64 {
        self.files_of.saturating_sub(self.pruned.all())
    }
}

/// Notes on a scan what was left out before it, and the bytes of the whole table.
pub(super) fn note(plan: &Arc<dyn ExecutionPlan>, files_of: u64, bytes_of: u64, pruned: PrunedBy) {
    let metrics = match (plan.downcast_ref::<DataSourceExec>(), plan.downcast_ref::<BucketScanExec>()) {
        (Some(scan), _) => scan.data_source().metrics(),
        (None, Some(scan)) => scan.counters(),
        (None, None) => return,
    };
    let counts = [(FILES, files_of), (BYTES, bytes_of)];
    let PrunedBy { cell, year, bounds, index } = pruned;
    let reasons = [(BY_CELL, cell), (BY_YEAR, year), (BY_BOUNDS, bounds), (BY_INDEX, index)];
    for (name, count) in counts.into_iter().chain(reasons) {
        MetricBuilder::new(&metrics).global_counter(name).add(count as usize);
    }
}

/// The scans of tables of a warehouse in `plan`, in the order of the plan's text.
pub fn scan_metrics(plan: &Arc<dyn ExecutionPlan>) -> Vec<ScanMetrics> {
    let of_files = plan.downcast_ref::<DataSourceExec>().map(|scan| scan.data_source().metrics().clone_inner());
    let of_buckets = plan.downcast_ref::<BucketScanExec>().and_then(ExecutionPlan::metrics);
    let mut scans: Vec<_> = of_files.or(of_buckets).and_then(|metrics| of_scan(&metrics)).into_iter().collect();
    scans.extend(plan.children().into_iter().flat_map(scan_metrics));
    scans
}

fn of_scan(metrics: &MetricsSet) -> Option<ScanMetrics> {
    let sum = |name: &str| metrics.sum_by_name(name).map(|value| value.as_usize() as u64);
    let files_of = sum(FILES)?;
    let count = |name| sum(name).unwrap_or_default();
    let mut found = ScanMetrics {
        files_of,
        bytes_of: count(BYTES),
        pruned: PrunedBy {
            cell: count(BY_CELL),
            year: count(BY_YEAR),
            bounds: count(BY_BOUNDS),
            index: count(BY_INDEX),
        },
        bytes: count("bytes_scanned") + count("bytes_read"),
        rows: metrics.output_rows().unwrap_or_default() as u64,
        ..ScanMetrics::default()
    };
    // Each of these looks at what the one before it has left.
    for (i, name) in ["row_groups_pruned_statistics", "row_groups_pruned_bloom_filter", "limit_pruned_row_groups"]
        .into_iter()
        .enumerate()
    {
        if let Some(MetricValue::PruningMetrics { pruning_metrics, .. }) = metrics.sum_by_name(name) {
            let (pruned, matched) = (pruning_metrics.pruned() as u64, pruning_metrics.matched() as u64);
            if i == 0 {
                (found.row_groups_of, found.row_groups) = (pruned + matched, pruned + matched);
            }
            found.row_groups -= pruned.min(found.row_groups);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::table::WarehouseTable;
    use crate::table::testing::{Row, warehouse, write_part};
    use crate::table::{Change, Committer};

    #[tokio::test]
    async fn a_question_of_one_cell_reads_one_file_of_two() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let row = [Row::new("a", Some((2020, 1, 1)))];
        let add = vec![write_part(&warehouse, "81a", "1", &row), write_part(&warehouse, "81b", "2", &row)];
        Committer::new(warehouse.clone()).commit(Change { add, ..Change::default() }).await.unwrap();
        let session = crate::session::session(2).unwrap();
        session.register_table("items", Arc::new(WarehouseTable::new(warehouse))).unwrap();

        let frame = session.sql("SELECT id FROM items WHERE grid_partition = '81b'").await.unwrap();
        let context = Arc::new(frame.task_ctx());
        let plan = frame.create_physical_plan().await.unwrap();
        datafusion::physical_plan::collect(Arc::clone(&plan), context).await.unwrap();

        let [scan] = scan_metrics(&plan)[..] else { panic!("one scan") };
        assert_eq!((scan.files(), scan.files_of, scan.pruned.cell, scan.rows), (1, 2, 1, 1));
        assert_eq!((scan.row_groups, scan.row_groups_of), (1, 1));
        assert!(scan.bytes > 0 && scan.bytes < scan.bytes_of, "{scan:?}");
    }
}
