//! [`RefuseWrongAnswers`]: questions to which DataFusion gives another answer than SQL does.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinConstraint, JoinType, NullEquality, Result, plan_err};
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Join, LogicalPlan, Operator, SkipType, Subquery};
use datafusion::optimizer::AnalyzerRule;

/// Refuses what has no right answer on DataFusion 55.2, with another way to write it (`docs/design/upstream.md`):
///
/// | question | answer |
/// |---|---|
/// | `x = ANY (SELECT …)`, `x > ALL (SELECT …)` | all rows, or none |
/// | `x NOT IN (SELECT … WHERE … outer …)` | none |
/// | `NOT (x IN (SELECT …) AND …)`, `x NOT IN (SELECT …) OR …`, where one side may be null | as if null were another value |
/// | `EXISTS (SELECT count(*) … WHERE … outer …)`, `0 IN (SELECT count(*) … WHERE … outer …)` | as if there were no row for a count of 0 |
/// | `EXISTS (SELECT … WHERE … outer … OFFSET 3)` | as if there were no OFFSET |
/// | `… INTERSECT ALL …`, `… EXCEPT ALL …` | rows are not counted |
/// | `a FULL JOIN b USING (x)`, `a RIGHT JOIN b USING (x)` | `x` is that of `a` |
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
                LogicalPlan::Filter(filter) => check(&filter.predicate, filter.input.schema())?,
                LogicalPlan::Join(join) => {
                    check_join(join)?;
                    let mut schema = join.left.schema().as_ref().clone();
                    schema.merge(join.right.schema());
                    join.on.iter().try_for_each(|(a, b)| nested(a, false, &schema).and(nested(b, false, &schema)))?;
                    join.filter.iter().try_for_each(|condition| check(condition, &schema))?;
                }
                other => {
                    let mut schema = DFSchema::empty();
                    other.inputs().into_iter().for_each(|input| schema.merge(input.schema()));
                    other
                        .apply_expressions(|expr| nested(expr, false, &schema).map(|()| TreeNodeRecursion::Continue))?;
                }
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(plan)
    }
}

fn check_join(join: &Join) -> Result<()> {
    if join.join_constraint == JoinConstraint::Using && matches!(join.join_type, JoinType::Right | JoinType::Full) {
        return plan_err!(
            "a {} JOIN with USING, or NATURAL, has no right answer yet: write ON a.x = b.x, and coalesce(a.x, b.x) for the column of both",
            join.join_type.to_string().to_uppercase()
        );
    }
    // What the planner of SQL makes of INTERSECT and EXCEPT; that without ALL makes rows distinct first.
    let mut left = join.left.as_ref();
    while let LogicalPlan::SubqueryAlias(alias) = left {
        left = alias.input.as_ref();
    }
    let is_of_all_columns = [&join.left, &join.right].iter().all(|side| side.schema().fields().len() == join.on.len());
    let is_set_operation = join.null_equality == NullEquality::NullEqualsNull && is_of_all_columns;
    let name = match join.join_type {
        JoinType::LeftSemi if is_set_operation => "INTERSECT",
        JoinType::LeftAnti if is_set_operation => "EXCEPT",
        _ => return Ok(()),
    };
    if matches!(left, LogicalPlan::Distinct(_)) {
        return Ok(());
    }
    plan_err!(
        "{name} ALL has no right answer yet: write {name}, and to count equal rows, number them on both sides by row_number() OVER (PARTITION BY all the columns)"
    )
}

/// Of a condition that rows must meet.
fn check(condition: &Expr, schema: &DFSchema) -> Result<()> {
    split_conjunction(condition).into_iter().try_for_each(|condition| match condition {
        Expr::InSubquery(of) if !of.negated => nested(&of.expr, false, schema).and(check_rows(&of.subquery)),
        // Without other conditions around it, and of one table alone, NOT IN heeds nulls.
        Expr::InSubquery(of) if !is_correlated(&of.subquery) => nested(&of.expr, false, schema),
        Expr::Not(of) => match of.as_ref() {
            Expr::InSubquery(of) if !of.negated && !is_correlated(&of.subquery) => nested(&of.expr, false, schema),
            _ => nested(condition, true, schema),
        },
        other => nested(other, true, schema),
    })
}

/// Of an expression anywhere else; `null_is_false` where it makes no difference whether it is null or false.
fn nested(expr: &Expr, null_is_false: bool, schema: &DFSchema) -> Result<()> {
    match expr {
        Expr::SetComparison(of) => plan_err!(
            "{} {} (SELECT …) has no right answer yet: write x IN (SELECT …) for = ANY, x NOT IN (SELECT …) for <> ALL, and compare with (SELECT min(…) …) or (SELECT max(…) …) otherwise",
            of.op,
            of.quantifier
        ),
        Expr::InSubquery(of) if is_correlated(&of.subquery) => plan_err!(
            "NOT IN (SELECT …), or IN within another expression, has no right answer yet where the subquery refers to the outer query: write NOT EXISTS (SELECT 1 … WHERE … AND column = x)"
        ),
        Expr::InSubquery(of) if (of.negated || !null_is_false) && may_be_null(of, schema) => plan_err!(
            "IN (SELECT …) within another expression, or NOT IN beside OR, has no right answer yet where there may be a null on either side: write EXISTS (SELECT 1 … WHERE column = x), or NOT EXISTS"
        ),
        Expr::Exists(of) => check_rows(&of.subquery),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
            nested(left, null_is_false, schema).and_then(|()| nested(right, null_is_false, schema))
        }
        Expr::Alias(of) => nested(&of.expr, null_is_false, schema),
        Expr::IsTrue(of) => nested(of, true, schema),
        other => {
            other.apply_children(|part| nested(part, false, schema).map(|()| TreeNodeRecursion::Continue)).map(drop)
        }
    }
}

/// Of a subquery that is asked for its rows.
fn check_rows(subquery: &Subquery) -> Result<()> {
    if is_correlated(subquery) && has_one_row(&subquery.subquery) {
        return plan_err!(
            "EXISTS or IN with an aggregate of all rows, such as (SELECT count(*) … WHERE column = outer column), has no right answer yet: compare with the subquery, as in (SELECT count(*) …) = x; EXISTS is always true of it"
        );
    }
    if is_correlated(subquery) && skips_rows(&subquery.subquery) {
        return plan_err!(
            "EXISTS or IN with OFFSET has no right answer yet where the subquery refers to the outer query: count with (SELECT count(*) …) > n, or number the rows by row_number() in a subquery"
        );
    }
    Ok(())
}

fn is_correlated(subquery: &Subquery) -> bool {
    !subquery.outer_ref_columns.is_empty()
}

/// Whether rows are those of an aggregate without groups.
fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::SubqueryAlias(_) => plan.inputs().into_iter().all(has_one_row),
        _ => false,
    }
}

/// Whether some of the rows at the beginning are left out.
fn skips_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Limit(limit) => !matches!(limit.get_skip_type(), Ok(SkipType::Literal(0))),
        LogicalPlan::Projection(_) | LogicalPlan::Sort(_) | LogicalPlan::SubqueryAlias(_) => {
            plan.inputs().into_iter().all(skips_rows)
        }
        _ => false,
    }
}

fn may_be_null(of: &InSubquery, schema: &DFSchema) -> bool {
    let is_found_null = of.subquery.subquery.schema().fields().iter().any(|field| field.is_nullable());
    is_found_null || of.expr.nullable(schema).unwrap_or(true)
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
            ("NOT (column3 IN (SELECT column3 FROM t) AND column2 = 'S1')", "NOT EXISTS"),
            ("column3 NOT IN (SELECT column3 FROM t) OR column2 = 'S1'", "NOT EXISTS"),
            ("(column3 IN (SELECT column3 FROM t)) IS NULL", "NOT EXISTS"),
            ("CASE WHEN column3 IN (SELECT column3 FROM t) THEN false ELSE true END", "NOT EXISTS"),
            ("EXISTS (SELECT count(*) FROM t AS b WHERE b.column1 = a.column2)", "(SELECT count(*) …) = x"),
            ("NOT EXISTS (SELECT max(b.column3) FROM t AS b WHERE b.column1 = a.column2)", "(SELECT count(*) …) = x"),
            ("0 IN (SELECT count(*) FROM t AS b WHERE b.column1 = a.column2 HAVING true)", "(SELECT count(*) …) = x"),
            ("EXISTS (SELECT 1 FROM t AS b WHERE b.column2 = a.column2 OFFSET 1)", "row_number()"),
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
            ("NOT (column3 IN (SELECT column3 FROM t WHERE column3 > 2))", "a,b"),
            ("EXISTS (SELECT 1 FROM t AS b WHERE b.column2 = a.column2 AND b.column1 > a.column1 LIMIT 1)", "a,f"),
            ("column3 IN (SELECT column3 FROM t WHERE column3 IS NULL OR column3 > 2) OR column2 = 'S2'", "b,c,d"),
            ("NOT EXISTS (SELECT 1 FROM t AS b WHERE b.column3 = a.column3) OR column2 = 'L8'", "c,e,f,g"),
            ("(SELECT count(*) FROM t AS b WHERE b.column2 = a.column2) IN (0, 2)", "a,d,e,f,g"),
        ] {
            let sql = format!("SELECT string_agg(column1, ',' ORDER BY column1) FROM t AS a WHERE {condition}");
            let batches = session.sql(&sql).await.unwrap().collect().await.unwrap();
            let found = arrow::util::display::array_value_to_string(batches[0].column(0), 0).unwrap();
            assert_eq!(found, expected, "{condition}");
        }
    }

    #[tokio::test]
    async fn joins_and_set_operations_that_lose_values_are_refused() {
        let session = session().await;
        for (question, way_out) in [
            ("SELECT * FROM t AS a FULL JOIN t AS b USING (column1)", "coalesce(a.x, b.x)"),
            ("SELECT * FROM t AS a NATURAL RIGHT JOIN t AS b", "coalesce(a.x, b.x)"),
            ("SELECT column2 FROM t INTERSECT ALL SELECT column2 FROM t", "row_number()"),
            ("SELECT column2, column3 FROM t EXCEPT ALL SELECT column2, 1.5 FROM t", "row_number()"),
        ] {
            let answer = async { session.sql(question).await?.collect().await };
            let error = answer.await.unwrap_err().to_string();
            assert!(error.contains(way_out), "{question}: {error}");
        }
        for question in [
            "SELECT * FROM t AS a LEFT JOIN t AS b USING (column1)",
            "SELECT * FROM t AS a FULL JOIN t AS b ON a.column1 = b.column1",
            "SELECT column2 FROM t INTERSECT SELECT column2 FROM t",
            "SELECT column2, column3 FROM t EXCEPT SELECT column2, 1.5 FROM t",
            "SELECT DISTINCT column2 FROM t INTERSECT ALL SELECT column1 FROM t",
        ] {
            session.sql(question).await.unwrap().collect().await.unwrap();
        }
    }
}
