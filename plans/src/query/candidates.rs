//! [`CandidateItems`]: before one row of each Item is chosen, the Items in question are found.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, HashMap, JoinType, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::warehouse_scan::{is_on, warehouse_scan};

/// Column with the ids of candidates; no column of Items has a colon.
const CANDIDATE: &str = "earthcatalog:candidate";

/// View `items` chooses the newest of all versions of an Item, and a predicate holds for what is chosen: applied before
/// the choice, it would let an older version through. So all versions of an Item must come to the choice, but only of
/// Items of which some version makes the predicate true. This rule turns
///
/// ```text
/// Filter: newest = 1 AND predicate          Filter: newest = 1 AND predicate
///   Window: PARTITION BY id …         into    Window: PARTITION BY id …
///     TableScan                                 Join: the ids of (Filter: predicate, TableScan) with TableScan
/// ```
///
/// where every window between is over rows of one id. The first scan is pruned by the predicate as any other; the second
/// reads `id` alone of every file, and the other columns only of the rows that the join keeps.
///
/// The candidates are looked for by all that is said of a row but its cell: a row in one of the constant's cells need
/// not be left of each version, because a compaction keeps only the newest of a bucket.
#[derive(Debug)]
pub struct CandidateItems;

impl OptimizerRule for CandidateItems {
    fn name(&self) -> &str {
        "candidate_items"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if !is_on(config) || !matches!(plan, LogicalPlan::Filter(_)) {
            return Ok(Transformed::no(plan));
        }
        let Some((scan, predicate)) = candidates(&plan)? else { return Ok(Transformed::no(plan)) };
        let versions = versions_of_candidates(&scan, predicate)?;
        plan.transform_down(|node| {
            Ok(match node {
                LogicalPlan::TableScan(_) => Transformed::new(versions.clone(), true, TreeNodeRecursion::Stop),
                other => Transformed::no(other),
            })
        })
    }
}

/// The scan below a choice by id, and what must be true of a row of it that comes out; `None` if there is no choice, or
/// nothing to prune by.
fn candidates(plan: &LogicalPlan) -> Result<Option<(TableScan, Expr)>> {
    let mut predicates: Vec<Expr> = vec![];
    // Of each window function, by what its rows are taken together.
    let mut windows: Vec<Vec<Expr>> = vec![];
    let mut node = plan;
    let scan = loop {
        node = match node {
            LogicalPlan::Filter(filter) => {
                predicates.extend(split_conjunction_owned(filter.predicate.clone()));
                &filter.input
            }
            LogicalPlan::Projection(projection) => {
                let columns = projection.schema.columns().into_iter();
                let of = columns.zip(projection.expr.iter().map(|e| e.clone().unalias())).collect();
                substitute(&mut predicates, &mut windows, &of)?;
                &projection.input
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let inner = alias.input.schema().columns().into_iter().map(Expr::Column);
                let of = alias.schema.columns().into_iter().zip(inner).collect();
                substitute(&mut predicates, &mut windows, &of)?;
                &alias.input
            }
            LogicalPlan::Window(window) => {
                for function in &window.window_expr {
                    let Expr::WindowFunction(function) = function.clone().unalias() else { return Ok(None) };
                    windows.push(function.params.partition_by);
                }
                let input = window.input.schema();
                predicates.retain(|p| p.column_refs().iter().all(|column| input.has_column(column)));
                &window.input
            }
            other => match warehouse_scan(other) {
                Some(scan) => break scan,
                None => return Ok(None),
            },
        };
    };
    let id = Expr::Column(Column::new(Some(scan.table_name.clone()), "id"));
    if windows.is_empty() || !windows.iter().all(|by| by.contains(&id)) {
        return Ok(None);
    }
    predicates.retain(|p| !p.is_volatile() && !p.contains_outer() && !has_subquery(p));
    let says_more = predicates.iter().any(|p| p.column_refs().iter().any(|column| column.name != "id"));
    Ok(conjunction(predicates).filter(|_| says_more).map(|predicate| (scan.clone(), predicate)))
}

/// Columns of a node become what they are in terms of its input.
fn substitute(predicates: &mut [Expr], windows: &mut [Vec<Expr>], of: &HashMap<Column, Expr>) -> Result<()> {
    let windows = windows.iter_mut().flatten();
    for expr in predicates.iter_mut().chain(windows) {
        let replaced = expr.clone().transform_up(|e| {
            Ok(match &e {
                Expr::Column(column) => match of.get(column) {
                    Some(input) => Transformed::yes(input.clone()),
                    None => Transformed::no(e),
                },
                _ => Transformed::no(e),
            })
        });
        *expr = replaced?.data;
    }
    Ok(())
}

fn has_subquery(expr: &Expr) -> bool {
    let is_subquery = |e: &Expr| Ok(matches!(e, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_)));
    expr.exists(is_subquery).unwrap_or(true)
}

/// The rows of `scan` whose id some row has for which `predicate` is true.
fn versions_of_candidates(scan: &TableScan, predicate: Expr) -> Result<LogicalPlan> {
    let id = Column::new(Some(scan.table_name.clone()), "id");
    let whole = |filters| {
        LogicalPlanBuilder::scan_with_filters(scan.table_name.clone(), Arc::clone(&scan.source), None, filters)
    };
    let candidates = whole(vec![])?
        .filter(predicate)?
        .aggregate(vec![Expr::Column(id.clone())], Vec::<Expr>::new())?
        .project(vec![Expr::Column(id.clone()).alias(CANDIDATE)])?;
    let versions = whole(scan.filters.clone())?.build()?;
    let columns = scan.projected_schema.columns().into_iter().map(Expr::Column);
    candidates
        .join(versions, JoinType::Inner, (vec![Column::from_name(CANDIDATE)], vec![id]), None)?
        .project(columns)?
        .build()
}
