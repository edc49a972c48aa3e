//! Statements about Items, as what they mean for the rows of buckets: `DELETE` and `UPDATE`.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, cast, ident, lit};

use crate::model::item_key::ItemKey;
use crate::model::items::GRID_PARTITION;
use crate::model::versions::{digest, newest_first};
use crate::query::ItemsTable;
use crate::scan::WarehouseTable;
use crate::scan::bucket_files::YEAR;
use crate::scan::buckets::{BucketSource, BucketsTable};
use crate::table::Warehouse;

const AGE_RANK: &str = "earthcatalog:age_rank";

/// The buckets of a table that can be written.
pub(super) fn buckets_of(table: &Arc<dyn TableProvider>) -> Result<BucketSource> {
    match BucketSource::of(table) {
        Some(source @ BucketSource::Table(..)) => Ok(source),
        _ => plan_err!("Items are changed in a table made with CREATE EXTERNAL TABLE … STORED AS ICEBERG"),
    }
}

/// The rows of buckets, of each Item the newest, as a compaction of these buckets leaves them.
pub(super) fn newest_rows(buckets: BucketsTable) -> Result<LogicalPlanBuilder> {
    let items = buckets.source().warehouse().items().clone();
    let buckets = Arc::new(buckets);
    let columns: Vec<_> = buckets.schema().fields().iter().map(|field| ident(field.name())).collect();
    let of_bucket = [GRID_PARTITION, YEAR].into_iter().chain(ItemKey::COLUMNS).map(ident);
    let rank = row_number().partition_by(of_bucket.collect()).order_by(newest_first()).build()?.alias(AGE_RANK);
    LogicalPlanBuilder::scan("buckets", provider_as_source(buckets), None)?
        .project(columns.into_iter().chain([digest(items.item_schema())]))?
        .window([rank])?
        .filter(ident(AGE_RANK).eq(lit(1_u64)))
}

/// The columns of rows of buckets with the types that a table has them in: buckets have their texts on their own, where
/// tables have views.
pub(super) fn as_written(warehouse: &Warehouse, rows: &LogicalPlanBuilder) -> Vec<Expr> {
    let read = rows.schema();
    let written = |field: &FieldRef| match read.field_with_unqualified_name(field.name()) {
        Ok(same) if same.data_type() == field.data_type() => ident(field.name()),
        _ => cast(ident(field.name()), field.data_type().clone()).alias(field.name()),
    };
    warehouse.items().table_schema().fields().iter().map(written).collect()
}

/// Errors if what `statement` says of Items is of the cell of a row.
pub(super) fn refuse_cells(statement: &str, said: &[Expr]) -> Result<()> {
    let is_of_row = |said: &Expr| said.column_refs().iter().any(|column| column.name == GRID_PARTITION);
    match said.iter().any(is_of_row) {
        true => plan_err!(
            "{statement}: an Item has no column {GRID_PARTITION}, and is meant in all its cells; write id IN (SELECT id FROM items WHERE {GRID_PARTITION} = …)"
        ),
        false => Ok(()),
    }
}

/// An error where a condition or a value is about several Items at once, which DataFusion notices when it is too late to say so.
fn refuse_groups(statement: &str, plan: &LogicalPlan) -> Result<()> {
    let is_of_several = |said: &Expr| matches!(said, Expr::AggregateFunction(_) | Expr::WindowFunction(_));
    let said = match plan {
        LogicalPlan::Filter(_) | LogicalPlan::Projection(_) => plan.expressions(),
        _ => vec![],
    };
    match said.iter().find(|said| said.exists(|part| Ok(is_of_several(part))).unwrap_or(false)) {
        Some(said) => plan_err!(
            "{statement}: {said} is about several Items at once, and a condition is about one; write id IN (SELECT id FROM items …)"
        ),
        None => Ok(()),
    }
}

/// `input`, which `statement` asks of the stored rows, asked of Items.
///
/// Errors: a condition on the cell of a row, or on several Items at once.
pub(super) fn asked_of_items(statement: &str, input: &LogicalPlan, warehouse: &Warehouse) -> Result<LogicalPlan> {
    input.apply(|plan| {
        refuse_cells(statement, &plan.expressions())?;
        refuse_groups(statement, plan).map(|()| TreeNodeRecursion::Continue)
    })?;
    let asked = input.clone().transform_down(|plan| {
        let LogicalPlan::TableScan(scan) = &plan else { return Ok(Transformed::no(plan)) };
        if !source_as_provider(&scan.source).is_ok_and(|table| table.is::<WarehouseTable>()) {
            return Ok(Transformed::no(plan));
        }
        let items = provider_as_source(Arc::new(ItemsTable::new(warehouse.clone())));
        let items = LogicalPlanBuilder::scan(scan.table_name.clone(), items, None)?.build()?;
        Ok(Transformed::new(items, true, TreeNodeRecursion::Jump))
    })?;
    asked.data.recompute_schema()
}
