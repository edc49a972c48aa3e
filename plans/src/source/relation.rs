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
use super::format::Format;
use super::inventory::batch::{ListedBatch, columns_of};
use super::inventory_table::{InventoryTable, Selection};
use super::keys::KeyBase;
use super::options::StacOptions;
use super::planner::Planner;
use crate::model::chunk::ChunkCounts;
use crate::runtime::named_table;
use crate::stores::folder_url;

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
        return plan_err!("option 'objects': table {relation} lists no objects: it has no column key");
    };
    let name = [columns.bucket, Some(columns.key)].into_iter().flatten();
    let name = name.map(|i| ident(schema.field(i).name()).sort(true, true)).collect::<Vec<_>>();
    let plan = LogicalPlanBuilder::scan(relation, provider_as_source(provider), None)?.sort(name)?.build()?;
    let physical = state.create_physical_plan(&plan).await?;

    // Keys of a folder are relative to it, and its files may be ItemCollections.
    let is_folder = Format::detect(location).await? == Format::Folder;
    let location = if is_folder { folder_url(location.as_str())? } else { location.clone() };
    let keys = Arc::new(KeyBase::try_new(&location, planner.options.base.as_ref())?);
    planner.start_file(&location, keys, is_folder);
    let mut batches = execute_stream(physical, state.task_ctx())?;
    let mut listed = 0;
    while let Some(batch) = batches.try_next().await? {
        listed += batch.num_rows() as u64;
        ListedBatch::try_new(&batch)?.push(planner)?;
    }
    planner.end_file();
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
