//! Objects that a table or view of the session lists, in place of an inventory.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, plan_err};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, ident};
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;
use url::Url;

use super::chunk::ChunkList;
use super::direct::files::FilesOfItems;
use super::format::Format;
use super::inventory::batch::{ListedBatch, columns_of};
use super::inventory::no_key;
use super::inventory_table::{InventoryTable, Selection};
use super::keys::KeyBase;
use super::options::StacOptions;
use super::planner::Planner;
use super::wildcards::folder_at;
use crate::model::chunk::ChunkCounts;
use crate::runtime::named_table;

/// Reason for which an object of the inventory that `relation` does not list is skipped.
const INGESTED: &str = "ingested";

/// Cuts the objects that a table of the session lists into chunks; `location` is what their keys are relative to.
pub(super) async fn plan_objects(
    relation: &str,
    location: &Url,
    options: &StacOptions,
    session: &dyn Session,
) -> Result<ChunkList> {
    let mut planner = Planner::try_new(options, &session.runtime_env().disk_manager)?;
    plan(relation, location, session, &mut planner).await?;
    planner.finish(location)
}

/// Plans the objects that table or view `relation` lists, ordered by name, so that the same ones make the same chunks. Its
/// columns are those of an inventory, of which `key` is required.
///
/// Where it selects from a table STORED AS INVENTORY, what it leaves out of that counts as skipped.
async fn plan(relation: &str, location: &Url, state: &dyn Session, planner: &mut Planner<'_>) -> Result<()> {
    let provider = named_table(state, "objects", relation).await?;
    let schema = provider.schema();
    let Some(columns) = columns_of(&schema) else {
        let names = schema.fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>();
        return plan_err!("option 'objects': table {relation} lists no objects: {}", no_key(&names));
    };
    let name = [columns.bucket, Some(columns.key)].into_iter().flatten();
    let name = name.map(|i| ident(schema.field(i).name()).sort(true, true)).collect::<Vec<_>>();
    let plan = LogicalPlanBuilder::scan(relation, provider_as_source(provider), None)?.sort(name)?.build()?;
    let physical = state.create_physical_plan(&plan).await?;

    // Keys of a folder are relative to it, and its files may have many Items. A file of Items is in a folder, too.
    let format = Format::detect(location).await?;
    let location = if format == Format::Folder { folder_at(location)? } else { location.clone() };
    let has_files = format != Format::Inventory;
    let base = planner.options.base.as_ref().filter(|_| !has_files);
    let keys = Arc::new(KeyBase::try_new(&location, base)?);
    planner.start_file(&location, Arc::clone(&keys), has_files);
    let mut files = FilesOfItems::default();
    // The one file that there is may be of any size, and is read as a stream.
    let size = (format != Format::Folder).then_some(u64::MAX);
    let mut batches = execute_stream(physical, state.task_ctx())?;
    let mut listed = 0;
    while let Some(batch) = batches.try_next().await? {
        listed += batch.num_rows() as u64;
        let batch = ListedBatch::try_new(&batch, &columns)?;
        batch.push_unless(planner, |planner, listed| has_files && files.take(planner, listed, size))?;
    }
    planner.end_file();
    files.take_listed(planner);
    files.plan(&keys, planner).await?;
    planner.count_unread(&left_out(&plan, listed)?);
    Ok(())
}

/// The rows of inventories below `plan` of which it has `listed`: all the others.
fn left_out(plan: &LogicalPlan, listed: u64) -> Result<ChunkCounts> {
    let mut all = Selection::default();
    add_inventories(plan, &mut all)?;
    let Selection { mut left_out, objects } = all;
    // Another query than a selection may even list more than the inventory.
    let known = objects.saturating_sub(listed);
    if known > 0 {
        left_out.listed += known;
        left_out.skipped.insert(INGESTED.to_owned(), known);
    }
    Ok(left_out)
}

/// Adds up what the inventories below `plan` list, through views.
fn add_inventories(plan: &LogicalPlan, sum: &mut Selection) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            if let Some(inventory) = provider.downcast_ref::<InventoryTable>() {
                sum.add(&inventory.selection());
            } else if let Some(view) = provider.get_logical_plan() {
                add_inventories(&view, sum)?;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}
