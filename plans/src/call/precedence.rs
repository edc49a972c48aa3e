//! [`regroup`]: operators bind as in SQL, also behind IS DISTINCT FROM.

use std::mem::replace;
use std::ops::ControlFlow;

use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value, visit_expressions_mut};

/// Makes `(a IS DISTINCT FROM b) AND c` of `a IS DISTINCT FROM (b AND c)`, as which sqlparser 0.62 reads it without
/// parentheses; those that were written stay. Sent upstream: `docs/design/upstream.md`.
pub(super) fn regroup(statement: &mut Statement) {
    for_each_expression(statement, &mut regroup_one);
}

/// Calls `change` with each expression of a statement, and before it with what that consists of.
pub(super) fn for_each_expression(statement: &mut Statement, change: &mut impl FnMut(&mut Expr)) {
    let mut each = |expr: &mut Expr| {
        change(expr);
        ControlFlow::<()>::Continue(())
    };
    // It is never left early.
    let _ = match statement {
        Statement::Statement(statement) => visit_expressions_mut(statement.as_mut(), &mut each),
        Statement::CopyTo(copy) => match &mut copy.source {
            CopyToSource::Query(query) => visit_expressions_mut(query.as_mut(), &mut each),
            CopyToSource::Relation(_) => ControlFlow::Continue(()),
        },
        Statement::Explain(explain) => {
            for_each_expression(&mut explain.statement, change);
            ControlFlow::Continue(())
        }
        Statement::CreateExternalTable(_) | Statement::Reset(_) => ControlFlow::Continue(()),
    };
}

fn regroup_one(expr: &mut Expr) {
    if !swallows(expr) {
        return;
    }
    *expr = match taken(expr) {
        Expr::IsDistinctFrom(left, right) => {
            around_first(*right, IS, |first| Expr::IsDistinctFrom(left, Box::new(first)))
        }
        Expr::IsNotDistinctFrom(left, right) => {
            around_first(*right, IS, |first| Expr::IsNotDistinctFrom(left, Box::new(first)))
        }
        Expr::UnaryOp { op, expr } => around_first(*expr, NOT, |first| Expr::UnaryOp { op, expr: Box::new(first) }),
        Expr::BinaryOp { left, op, right } => {
            around_first(*right, AND, |first| Expr::BinaryOp { left, op, right: Box::new(first) })
        }
        other => other,
    };
}

/// How closely operators bind; the order is that of SQL.
type Closeness = u8;
const OR: Closeness = 0;
const AND: Closeness = 1;
const NOT: Closeness = 2;
const IS: Closeness = 3;

/// Of an operator that joins two conditions.
fn closeness(expr: &Expr) -> Option<Closeness> {
    match expr {
        Expr::BinaryOp { op: BinaryOperator::And, .. } => Some(AND),
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => Some(OR),
        _ => None,
    }
}

/// Whether the last operand of an operator has an operator that binds less closely. In parentheses it would be `Nested`.
fn swallows(expr: &Expr) -> bool {
    let (of, last) = match expr {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => (IS, right),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => (NOT, expr),
        Expr::BinaryOp { op: BinaryOperator::And, right, .. } => (AND, right),
        _ => return false,
    };
    closeness(last).is_some_and(|last| last < of)
}

/// `expr` with `wrap` around its first operand: the one that nothing in it that binds less closely than `of` divides.
fn around_first(mut expr: Expr, of: Closeness, wrap: impl FnOnce(Expr) -> Expr) -> Expr {
    let mut first = &mut expr;
    while closeness(first).is_some_and(|closeness| closeness < of) {
        let Expr::BinaryOp { left, .. } = first else { break };
        first = left;
    }
    *first = wrap(taken(first));
    expr
}

/// An expression that leaves null in its place, while the parts of a tree change theirs.
pub(super) fn taken(expr: &mut Expr) -> Expr {
    replace(expr, Expr::value(Value::Null))
}

#[cfg(test)]
mod tests {
    use crate::call::sql;
    use crate::session::session;

    #[tokio::test]
    async fn operators_behind_is_distinct_from_bind_as_those_before_it() {
        let context = session(2).unwrap();
        let run = async |text: &str| sql(&context, text).await.unwrap().collect().await.unwrap();
        let value = "(VALUES (true), (false), (NULL))";
        let rows = ["a", "b", "c", "d", "z"].map(|name| format!("{value} AS of_{name}({name})")).join(" CROSS JOIN ");
        run(&format!("CREATE TABLE truths AS SELECT * FROM {rows}")).await;
        let count = async |condition: &str| {
            let rows = run(&format!("SELECT a FROM truths WHERE {condition}")).await;
            rows.iter().map(|batch| batch.num_rows()).sum::<usize>()
        };
        for (written, read) in [
            ("a IS DISTINCT FROM b AND c", "(a IS DISTINCT FROM b) AND c"),
            ("a IS NOT DISTINCT FROM b OR c", "(a IS NOT DISTINCT FROM b) OR c"),
            ("a IS DISTINCT FROM (b AND c)", "a IS DISTINCT FROM ((b AND c))"),
            ("a IS DISTINCT FROM b = c AND d", "(a IS DISTINCT FROM (b = c)) AND d"),
            ("NOT a IS DISTINCT FROM b AND c", "(NOT (a IS DISTINCT FROM b)) AND c"),
            ("NOT a IS DISTINCT FROM b OR c AND d", "(NOT (a IS DISTINCT FROM b)) OR (c AND d)"),
            ("z AND a IS DISTINCT FROM b OR c", "(z AND (a IS DISTINCT FROM b)) OR c"),
            ("z AND a IS DISTINCT FROM b AND c OR d", "((z AND (a IS DISTINCT FROM b)) AND c) OR d"),
            (
                "a IS DISTINCT FROM b AND c IS NOT DISTINCT FROM d OR a AND z",
                "((a IS DISTINCT FROM b) AND (c IS NOT DISTINCT FROM d)) OR (a AND z)",
            ),
            ("z OR NOT a IS DISTINCT FROM b AND c", "z OR ((NOT (a IS DISTINCT FROM b)) AND c)"),
            (
                "CASE WHEN a IS DISTINCT FROM b AND c THEN z ELSE d IS DISTINCT FROM z OR a END",
                "CASE WHEN (a IS DISTINCT FROM b) AND c THEN z ELSE (d IS DISTINCT FROM z) OR a END",
            ),
            (
                "EXISTS (SELECT 1 FROM truths AS t WHERE t.a = truths.a AND t.b IS DISTINCT FROM t.c AND t.d)",
                "EXISTS (SELECT 1 FROM truths AS t WHERE t.a = truths.a AND (t.b IS DISTINCT FROM t.c) AND t.d)",
            ),
        ] {
            assert_eq!(count(&format!("({written}) IS DISTINCT FROM ({read})")).await, 0, "{written}");
        }
        let all = 3 * 3 * 3 * 3 * 3;
        assert_eq!(count("a IS NOT DISTINCT FROM a OR false").await, all);
        assert_eq!(count("a IS DISTINCT FROM a AND false").await, 0);
        let view = "CREATE VIEW some AS SELECT * FROM truths WHERE a IS DISTINCT FROM a OR b";
        run(view).await;
        let rows = run("EXPLAIN SELECT * FROM some WHERE z IS NOT DISTINCT FROM z AND false").await;
        let plan = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
        assert!(plan.contains("EmptyRelation"), "{plan}");
        let counted = run("SELECT * FROM some").await.iter().map(|batch| batch.num_rows()).sum::<usize>();
        assert_eq!(counted, all / 3);
    }
}
