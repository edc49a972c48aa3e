//! [`RefuseWrongAnswers`]: questions to which DataFusion gives another answer than SQL does.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

/// Refuses what has no right answer on DataFusion 55.2, with another way to write it (`docs/design/upstream.md`):
///
/// | question | answer |
/// |---|---|
/// | `x = ANY (SELECT …)`, `x > ALL (SELECT …)` | all rows, or none |
/// | `x NOT IN (SELECT … WHERE … outer …)` | none |
#[derive(Debug, Default)]
pub struct RefuseWrongAnswers;

impl AnalyzerRule for RefuseWrongAnswers {
    fn name(&self) -> &str {
        "refuse_wrong_answers"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.apply_with_subqueries(|node| {
            match node {
                // What is true of a row that passes is answered rightly.
                LogicalPlan::Filter(filter) => split_conjunction(&filter.predicate).into_iter().try_for_each(check)?,
                other => _ = other.apply_expressions(|expr| nested(expr).map(|()| TreeNodeRecursion::Continue))?,
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(plan)
    }
}

/// Of a condition that rows must meet.
fn check(condition: &Expr) -> Result<()> {
    match condition {
        Expr::InSubquery(InSubquery { negated: false, expr, .. }) => nested(expr),
        other => nested(other),
    }
}

/// Of an expression anywhere else.
fn nested(expr: &Expr) -> Result<()> {
    expr.apply(|part| match part {
        Expr::SetComparison(of) => plan_err!(
            "{} {} (SELECT …) has no right answer yet: write x IN (SELECT …) for = ANY, x NOT IN (SELECT …) for <> ALL, and compare with (SELECT min(…) …) or (SELECT max(…) …) otherwise",
            of.op,
            of.quantifier
        ),
        Expr::InSubquery(of) if !of.subquery.outer_ref_columns.is_empty() => plan_err!(
            "NOT IN (SELECT …), or IN within another expression, has no right answer yet where the subquery refers to the outer query: write NOT EXISTS (SELECT 1 … WHERE … AND column = x)"
        ),
        _ => Ok(TreeNodeRecursion::Continue),
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    async fn session() -> SessionContext {
        let session = crate::session::session(2).unwrap();
        let table = "CREATE TABLE t AS VALUES ('a', 'S1', 1), ('b', 'S2', 2), ('c', 'L8', 3), ('d', NULL, 4), \
                     ('e', 'S1', NULL), ('f', 'N1', NULL), ('g', 'N1', NULL)";
        session.sql(table).await.unwrap().collect().await.unwrap();
        session
    }

    #[tokio::test]
    async fn what_has_no_right_answer_is_refused_with_another_way_to_write_it() {
        let session = session().await;
        for (condition, way_out) in [
            ("column2 = ANY (SELECT column2 FROM t WHERE column1 = 'a')", "IN (SELECT"),
            ("column3 > ALL (SELECT column3 FROM t WHERE column1 = 'a')", "max("),
            ("column3 NOT IN (SELECT b.column3 FROM t AS b WHERE b.column3 > a.column3)", "NOT EXISTS"),
            ("NOT (column3 IN (SELECT b.column3 FROM t AS b WHERE b.column3 > a.column3))", "NOT EXISTS"),
            ("column3 IN (SELECT b.column3 FROM t AS b WHERE b.column3 > a.column3) OR column3 = 1", "NOT EXISTS"),
            ("EXISTS (SELECT 1 FROM t AS b WHERE b.column3 <> ALL (SELECT 1))", "NOT IN"),
        ] {
            let question = format!("SELECT column1 FROM t AS a WHERE {condition}");
            let answer = async { session.sql(&question).await?.collect().await };
            let error = answer.await.unwrap_err().to_string();
            assert!(error.contains(way_out), "{question}: {error}");
        }
    }

    /// As DuckDB 1.5 answers.
    #[tokio::test]
    async fn the_other_way_has_the_right_answer() {
        let session = session().await;
        for (condition, expected) in [
            ("column2 IN (SELECT column2 FROM t WHERE column1 = 'a')", "a,e"),
            ("column3 > (SELECT min(column3) FROM t WHERE column1 <> 'a')", "c,d"),
            (
                "NOT EXISTS (SELECT 1 FROM t AS b WHERE b.column3 > a.column3 AND b.column3 = a.column3)",
                "a,b,c,d,e,f,g",
            ),
            ("column3 NOT IN (SELECT column3 FROM t WHERE column3 > 2)", "a,b"),
            ("column3 IN (SELECT b.column3 FROM t AS b WHERE b.column3 >= a.column3)", "a,b,c,d"),
            ("column2 IN (SELECT b.column2 FROM t AS b WHERE b.column1 > a.column1)", "a,f"),
        ] {
            let sql = format!("SELECT string_agg(column1, ',' ORDER BY column1) FROM t AS a WHERE {condition}");
            let batches = session.sql(&sql).await.unwrap().collect().await.unwrap();
            let found = arrow::util::display::array_value_to_string(batches[0].column(0), 0).unwrap();
            assert_eq!(found, expected, "{condition}");
        }
    }
}
