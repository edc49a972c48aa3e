//! Expands the star of `stac_item(*)` and `item_digest(*)`.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType, Result, TableReference, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use crate::{item_digest, stac_item};

/// Rewrites `stac_item(*)` and `stac_item(t.*)`, and likewise `item_digest`, to name the columns of the input that an
/// Item is made from.
///
/// SQL allows a star as an argument; DataFusion itself resolves it for aggregates only.
///
/// Errors: a bare star over several tables, whose columns together are no Item.
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
    let sources: usize = plan.inputs().into_iter().map(sources).sum();
    let names = NamePreserver::new(&plan);
    let rewritten = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let expanded = expr.transform_up(|e| expand_call(e, &schema, sources))?;
        Ok(expanded.update_data(|e| name.restore(e)))
    })?;
    rewritten.map_data(|plan| plan.recompute_schema())
}

/// How many tables and subqueries the columns of a plan come from.
fn sources(plan: &LogicalPlan) -> usize {
    match plan {
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => sources(&join.left),
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => sources(&join.right),
            _ => sources(&join.left) + sources(&join.right),
        },
        LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Limit(_) | LogicalPlan::Window(_) => {
            plan.inputs().into_iter().map(sources).sum()
        }
        // A table, or the rows of a query, whatever that reads.
        _ => 1,
    }
}

fn expand_call(expr: Expr, schema: &DFSchema, sources: usize) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::ScalarFunction(ScalarFunction { func, args })
            if [stac_item::NAME, item_digest::NAME].contains(&func.name())
                && args.iter().any(|a| star(a).is_some()) =>
        {
            if sources > 1 && args.iter().any(|arg| star(arg) == Some(None)) {
                return plan_err!(
                    "{0}(*) would take columns of all {sources} tables in FROM; name the one with the Items, as in {0}(items.*)",
                    func.name()
                );
            }
            let args = args.into_iter().flat_map(|arg| match star(&arg) {
                Some(qualifier) => columns(schema, qualifier),
                None => vec![arg],
            });
            Transformed::yes(Expr::ScalarFunction(ScalarFunction { args: args.collect(), func }))
        }
        other => Transformed::no(other),
    })
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

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    #[tokio::test]
    async fn a_bare_star_is_of_one_table() {
        let context = SessionContext::new();
        crate::register(&context).unwrap();
        let table = "CREATE TABLE items AS SELECT 'a' AS id, 'c' AS collection";
        context.sql(table).await.unwrap().collect().await.unwrap();
        let evil = "(SELECT TIMESTAMP '2020-01-01' AS seen, 'EVIL' AS extra)";
        for (from, item) in [
            ("stac_item(*) FROM items", true),
            ("stac_item(*) FROM items WHERE id = 'a' ORDER BY id LIMIT 1", true),
            ("stac_item(*) FROM (SELECT i.* FROM items AS i JOIN items AS j USING (id))", true),
            ("stac_item(*) FROM (SELECT * FROM items UNION ALL SELECT * FROM items LIMIT 1) AS x", true),
            ("stac_item(*) FROM items LEFT SEMI JOIN items AS j ON items.id = j.id", true),
            ("stac_item(items.*) FROM items, EVIL", true),
            ("item_digest(items.*) FROM items CROSS JOIN EVIL", true),
            ("stac_item(*) FROM items, EVIL", false),
            ("stac_item(*) FROM EVIL AS e, items WHERE id > ''", false),
            ("item_digest(*) FROM items CROSS JOIN EVIL", false),
            ("stac_item(*) FROM items JOIN items AS j USING (id)", false),
            (
                "count(*) FROM items WHERE EXISTS (SELECT stac_item(*) FROM items AS j, EVIL AS e WHERE j.id = items.id)",
                false,
            ),
        ] {
            let sql = format!("SELECT {}", from.replace("EVIL", evil));
            let answer = async { context.sql(&sql).await?.collect().await }.await;
            match item {
                true => assert_eq!(answer.unwrap()[0].num_rows(), 1, "{sql}"),
                false => {
                    let error = answer.unwrap_err().to_string();
                    assert!(error.contains("name the one with the Items, as in"), "{sql}: {error}");
                }
            }
        }
    }
}
