//! [`commit`]: the logical plan of a run.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, SchemaExt};
use datafusion::logical_expr::{Extension, LogicalPlan, UserDefinedLogicalNode};
use uuid::Uuid;

use super::commit_node::{Commit, CommitTarget, Outcome};
use super::keeps_newest::keeps_newest;
use crate::runtime::RunOptions;
use crate::sink::{WriteGeoParquet, WriteTarget};
use crate::table::Warehouse;

/// A write of the rows of `input`, and a commit of it.
///
/// Errors: a table that cannot be written; other columns than it has.
pub(super) fn commit(
    warehouse: &Warehouse,
    outcome: Outcome,
    input: Arc<LogicalPlan>,
    config: &ConfigOptions,
) -> Result<LogicalPlan> {
    warehouse.check_writable()?;
    let schema = warehouse.items().table_schema();
    schema.logically_equivalent_names_and_types(input.schema().as_arrow())?;

    let options = RunOptions::of(config);
    let run = options.run.map_or_else(|| Uuid::now_v7().to_string(), String::from);
    // What is written again has no other ids than before.
    let lists_ids = matches!(outcome, Outcome::Append | Outcome::Stage(_));
    let keeps_newest = keeps_newest(&input);
    // Items are changed at once or not at all.
    let at_once = matches!(outcome, Outcome::RemoveItems { .. } | Outcome::UpdateItems);
    let commit_every = options.commit_every.filter(|_| !at_once);
    // New values come with a join, behind which the rows of a bucket may be anywhere.
    let by_cell = matches!(outcome, Outcome::UpdateItems);
    let target = WriteTarget { lists_ids, by_cell, ..warehouse.write_target(&run) };
    let write = WriteGeoParquet { input, target: Arc::new(target) };
    let target = CommitTarget {
        warehouse: warehouse.clone(),
        run,
        kind: options.kind.filter(|_| matches!(outcome, Outcome::Append)),
        max_rejects: options.max_rejects,
        outcome,
        keeps_newest,
        identity: None,
        commit_every,
    };
    let commit = Commit { input: Arc::new(extension(Arc::new(write))), target: Arc::new(target) };
    Ok(extension(Arc::new(commit)))
}

fn extension(node: Arc<dyn UserDefinedLogicalNode>) -> LogicalPlan {
    LogicalPlan::Extension(Extension { node })
}
