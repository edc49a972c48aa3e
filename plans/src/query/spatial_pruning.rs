//! [`SpatialPruning`]: a predicate on `geometry` also says something of `xmin … ymax`.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection, TableScan, TableScanBuilder};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::bounds::implied;
use super::warehouse_scan::{is_on, warehouse_scan};

/// Adds to a predicate on the rows of a warehouse what it implies for `xmin … ymax`, the original predicate staying:
///
/// | predicate | implies |
/// |---|---|
/// | `ST_Intersects(geometry, constant)`, in either order; `ST_Within`, `ST_Contains`, `ST_Covers`, `ST_CoveredBy`, `ST_Equals`, `ST_Touches`, `ST_Crosses`, `ST_Overlaps`, `NOT ST_Disjoint` | the bounds of both share a position |
/// | `ST_DWithin(geometry, constant, d)`, `ST_Distance(geometry, constant) < d` | the same, with a margin |
/// | `bbox['xmin'] < n` | `xmin < n` |
///
/// also within AND, and within OR where both sides imply something. The columns hold the least and the greatest of a
/// footprint's coordinates as written, and the ST_ functions take them so as well: what crosses the antimeridian is as
/// wide for the one as for the other, and no answer changes. The rule believes the columns: rows that were inserted with
/// other bounds than their geometry has are not found.
///
/// Off with `SET earthcatalog.spatial_pruning = false`.
#[derive(Debug)]
pub struct SpatialPruning;

impl OptimizerRule for SpatialPruning {
    fn name(&self) -> &str {
        "spatial_pruning"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        match warehouse_scan(&filter.input) {
            Some(scan) if is_on(config) => match with_bounds(&filter.predicate) {
                Some(predicate) => Ok(Transformed::yes(filtered(scan, predicate)?)),
                None => Ok(Transformed::no(plan)),
            },
            _ => Ok(Transformed::no(plan)),
        }
    }
}

/// The predicate with what it implies in front, where that costs least; `None` if nothing new follows.
fn with_bounds(predicate: &Expr) -> Option<Expr> {
    let known = split_conjunction(predicate);
    let implied = known.iter().filter_map(|part| implied(part)).flat_map(split_conjunction_owned);
    let mut new: Vec<Expr> = vec![];
    for part in implied {
        if !known.contains(&&part) && !new.contains(&part) {
            new.push(part);
        }
    }
    (!new.is_empty()).then(|| conjunction(new.into_iter().chain(known.into_iter().cloned())))?
}

/// The scan, filtered, with the columns that it has, whatever others the predicate reads.
fn filtered(scan: &TableScan, predicate: Expr) -> Result<LogicalPlan> {
    let filter = |scan: TableScan| Filter::try_new(predicate.clone(), Arc::new(LogicalPlan::TableScan(scan)));
    let lacks = |column: &&Column| !scan.projected_schema.has_column(column);
    if !predicate.column_refs().into_iter().any(|column| lacks(&column)) {
        return Ok(LogicalPlan::Filter(filter(scan.clone())?));
    }
    let TableScan { table_name, source, filters, .. } = scan.clone();
    let whole = TableScanBuilder::new(table_name, source).with_filters(filters).build()?;
    let columns = scan.projected_schema.columns().into_iter().map(Expr::Column).collect();
    let filtered = LogicalPlan::Filter(filter(whole)?);
    Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(filtered))?))
}
