//! [`sliced`]: a plan in the form in which it travels.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};
use futures::future::BoxFuture;
use url::Url;

use crate::runtime::Slices;
use crate::scan::bucket_files::BucketScanExec;
use crate::source::StacExec;

/// `plan` in the form in which it travels, its leaves cut into [`Slices`], and the objects that hold them. Those are new, in
/// `folder` (whose URL ends in `/`); without one, all must fit into the plan.
pub async fn sliced(plan: &Arc<dyn ExecutionPlan>, folder: Option<&Url>) -> Result<(Arc<dyn ExecutionPlan>, Vec<Url>)> {
    let mut objects = vec![];
    let plan = slice(Arc::clone(plan), folder, &mut objects).await?;
    Ok((plan, objects))
}

fn slice<'a>(
    plan: Arc<dyn ExecutionPlan>,
    folder: Option<&'a Url>,
    objects: &'a mut Vec<Url>,
) -> BoxFuture<'a, Result<Arc<dyn ExecutionPlan>>> {
    Box::pin(async move {
        let operator = plan.as_ref();
        if let Some(stac) = operator.downcast_ref::<StacExec>() {
            let stac = stac.sliced(folder).await?;
            objects.extend(stac.slices().and_then(Slices::object).cloned());
            return Ok(Arc::new(stac) as _);
        }
        if let Some(scan) = operator.downcast_ref::<BucketScanExec>() {
            let scan = scan.sliced(folder).await?;
            objects.extend(scan.slices().and_then(Slices::object).cloned());
            return Ok(Arc::new(scan) as _);
        }
        if let Some(scan) = operator.downcast_ref::<DataSourceExec>() {
            return Ok(without_file_statistics(scan).unwrap_or(plan));
        }
        let mut children = vec![];
        for child in plan.children() {
            children.push(slice(Arc::clone(child), folder, objects).await?);
        }
        replace_children_if_necessary(plan, children)
    })
}

/// A scan of files without the statistics of each, which have done their work in planning: each task would get those of all
/// files. By them, too, literals take the place of columns, and functions that tell columns by their names, such as
/// `stac_item`, keep the names of those in a field that does not travel.
fn without_file_statistics(scan: &DataSourceExec) -> Option<Arc<dyn ExecutionPlan>> {
    let config = scan.data_source().downcast_ref::<FileScanConfig>()?;
    let files = |group: &FileGroup| {
        let files = group.iter().map(|file| PartitionedFile { statistics: None, ..file.clone() });
        FileGroup::new(files.collect())
    };
    let groups = config.file_groups.iter().map(files).collect();
    let config = FileScanConfigBuilder::from(config.clone()).with_file_groups(groups).build();
    Some(DataSourceExec::from_data_source(config))
}
