//! [`with_parquet_sources`]: the scans of Parquet files in a plan, changed.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

/// The same plan, in which scans of Parquet files read another source; those stay for which `changed` gives `None`.
pub(super) fn with_parquet_sources(
    plan: Arc<dyn ExecutionPlan>,
    changed: impl Fn(FileScanConfigBuilder, &FileScanConfig, &ParquetSource) -> Result<Option<FileScanConfigBuilder>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_down(|plan| {
        let scan = plan.downcast_ref::<DataSourceExec>();
        let Some((config, source)) = scan.and_then(|scan| scan.downcast_to_file_source::<ParquetSource>()) else {
            return Ok(Transformed::no(plan));
        };
        Ok(match changed(FileScanConfigBuilder::from(config.clone()), config, source)? {
            Some(changed) => Transformed::yes(DataSourceExec::from_data_source(changed.build())),
            None => Transformed::no(plan),
        })
    })
    .data()
}
