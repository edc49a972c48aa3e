//! [`rows_to_read`]: how much a plan has to read.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, StatisticsArgs, StatisticsContext};

use super::bucket_files::BucketScanExec;

/// The rows of the files that a plan reads, as manifests tell; `None` where they do not.
pub fn rows_to_read(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<u64>> {
    if plan.downcast_ref::<DataSourceExec>().is_some() {
        let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new())?;
        return Ok(statistics.num_rows.get_value().map(|rows| *rows as u64));
    }
    if let Some(scan) = plan.downcast_ref::<BucketScanExec>() {
        return Ok(Some(scan.chosen().rows));
    }
    let mut sum = Some(0);
    for child in plan.children() {
        sum = sum.zip(rows_to_read(child)?).map(|(sum, rows)| sum + rows);
    }
    Ok(sum)
}
