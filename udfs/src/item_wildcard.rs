//! Expands the star of `stac_item(*)` and `item_digest(*)`.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, TableReference};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use crate::{item_digest, stac_item};

/// Rewrites `stac_item(*)` and `stac_item(t.*)`, and likewise `item_digest`, to name the columns of the input that an
/// Item is made from.
///
/// SQL allows a star as an argument; DataFusion itself resolves it for aggregates only.
#[derive(Debug, Default)]
pub struct ItemWildcard;

impl AnalyzerRule for ItemWildcard {
    fn name(&self) -> &str {
        "item_wildcard"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(expand).map(|t| t.data)
    }
}

fn expand(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if plan.inputs().is_empty() {
        return Ok(Transformed::no(plan));
    }
    let mut schema = DFSchema::empty();
    for input in plan.inputs() {
        schema.merge(input.schema());
    }
    let names = NamePreserver::new(&plan);
    let rewritten = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let expanded = expr.transform_up(|e| Ok(expand_call(e, &schema)))?;
        Ok(expanded.update_data(|e| name.restore(e)))
    })?;
    rewritten.map_data(|plan| plan.recompute_schema())
}

fn expand_call(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args })
            if [stac_item::NAME, item_digest::NAME].contains(&func.name())
                && args.iter().any(|a| star(a).is_some()) =>
        {
            let args = args.into_iter().flat_map(|arg| match star(&arg) {
                Some(qualifier) => columns(schema, qualifier),
                None => vec![arg],
            });
            Transformed::yes(Expr::ScalarFunction(ScalarFunction { args: args.collect(), func }))
        }
        other => Transformed::no(other),
    }
}

/// The qualifier of a star, if the argument is one.
fn star(arg: &Expr) -> Option<Option<&TableReference>> {
    #[expect(deprecated, reason = "still what the SQL planner makes of a star in a function's arguments")]
    match arg {
        Expr::Wildcard { qualifier, .. } => Some(qualifier.as_ref()),
        _ => None,
    }
}

fn columns(schema: &DFSchema, qualifier: Option<&TableReference>) -> Vec<Expr> {
    let fields = schema.iter().filter(|(table, field)| {
        qualifier.is_none_or(|q| table.is_some_and(|t| t.resolved_eq(q))) && !stac_item::is_ignored(field)
    });
    fields.map(|field| Expr::Column(Column::from(field))).collect()
}
