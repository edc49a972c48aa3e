//! `->` and `->>` bind tighter than comparisons, as in PostgreSQL: the parser has them bind weaker, and reads
//! `properties ->> 'platform' = 'S2A'` as `properties ->> ('platform' = 'S2A')`.

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};

use super::precedence::{for_each_expression, taken};

/// Binds the operators of a statement as PostgreSQL does. What stands in parentheses stays.
pub(super) fn bind_json_operators(statement: &mut Statement) {
    for_each_expression(statement, &mut bind);
}

/// Moves an operator of JSON into the comparison that is one of its sides. Whatever is below is bound already.
fn bind(expr: &mut Expr) {
    let Expr::BinaryOp { left, op: BinaryOperator::Arrow | BinaryOperator::LongArrow, right } = expr else { return };
    if is_looser(left) && last_operand(left).is_some() {
        // (a = b) -> c is a = (b -> c).
        let mut comparison = taken(left);
        if let Some(operand) = last_operand(&mut comparison) {
            **left = taken(operand);
            *operand = taken(expr);
            bind(operand);
        }
        *expr = comparison;
    } else if is_looser(right) {
        // a -> (b = c) is (a -> b) = c.
        let mut comparison = taken(right);
        let operand = first_operand(&mut comparison);
        **right = taken(operand);
        *operand = taken(expr);
        *expr = comparison;
    }
}

/// Whether an operator binds weaker than those of JSON do in PostgreSQL, or as they do and comes later.
fn is_looser(expr: &Expr) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq, StringConcat};
    match expr {
        Expr::BinaryOp { op, .. } => matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | StringConcat),
        Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::SimilarTo { .. }
        | Expr::RLike { .. }
        | Expr::AnyOp { .. }
        | Expr::AllOp { .. } => true,
        _ => false,
    }
}

/// The operand on the far left of comparisons.
fn first_operand(expr: &mut Expr) -> &mut Expr {
    if !is_looser(expr) {
        return expr;
    }
    match expr {
        Expr::BinaryOp { left, .. } | Expr::AnyOp { left, .. } | Expr::AllOp { left, .. } => first_operand(left),
        Expr::IsNull(operand)
        | Expr::IsNotNull(operand)
        | Expr::IsTrue(operand)
        | Expr::IsNotTrue(operand)
        | Expr::IsFalse(operand)
        | Expr::IsNotFalse(operand)
        | Expr::IsDistinctFrom(operand, _)
        | Expr::IsNotDistinctFrom(operand, _)
        | Expr::InList { expr: operand, .. }
        | Expr::InSubquery { expr: operand, .. }
        | Expr::Between { expr: operand, .. }
        | Expr::Like { expr: operand, .. }
        | Expr::ILike { expr: operand, .. }
        | Expr::SimilarTo { expr: operand, .. }
        | Expr::RLike { expr: operand, .. } => first_operand(operand),
        other => other,
    }
}

/// The last operand of a comparison, if it ends with one.
fn last_operand(expr: &mut Expr) -> Option<&mut Expr> {
    match expr {
        Expr::BinaryOp { right: operand, .. }
        | Expr::IsDistinctFrom(_, operand)
        | Expr::IsNotDistinctFrom(_, operand)
        | Expr::Between { high: operand, .. }
        | Expr::Like { pattern: operand, .. }
        | Expr::ILike { pattern: operand, .. }
        | Expr::SimilarTo { pattern: operand, .. }
        | Expr::RLike { pattern: operand, .. } => Some(operand),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;

    use super::*;

    /// The statement with parentheses around each operator.
    fn bound(sql: &str) -> String {
        let mut ast = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
        bind_json_operators(&mut ast);
        for_each_expression(&mut ast, &mut |expr| {
            if !matches!(expr, Expr::Identifier(_) | Expr::Value(_) | Expr::Nested(_)) {
                *expr = Expr::Nested(Box::new(taken(expr)));
            }
        });
        ast.to_string().trim_start_matches("SELECT ").to_owned()
    }

    #[test]
    fn they_bind_as_in_postgresql() {
        for (sql, expected) in [
            ("p ->> 'x' = 'y'", "((p ->> 'x') = 'y')"),
            ("'y' = p ->> 'x'", "('y' = (p ->> 'x'))"),
            ("p ->> 'x' = q ->> 'y'", "((p ->> 'x') = (q ->> 'y'))"),
            ("p -> 'x' ->> 'y' <> 'z'", "(((p -> 'x') ->> 'y') <> 'z')"),
            ("p ->> 'x' IS NOT NULL", "((p ->> 'x') IS NOT NULL)"),
            ("p ->> 'x' IN ('y', 'z')", "((p ->> 'x') IN ('y', 'z'))"),
            ("p ->> 'x' LIKE 'y%'", "((p ->> 'x') LIKE 'y%')"),
            ("p ->> 'x' BETWEEN 1 AND q ->> 'y'", "((p ->> 'x') BETWEEN 1 AND (q ->> 'y'))"),
            ("NOT p ->> 'x' = 'y' AND a", "((NOT ((p ->> 'x') = 'y')) AND a)"),
            ("p ->> 'x' || 'y'", "((p ->> 'x') || 'y')"),
            ("p -> 1 + 1 = q", "((p -> (1 + 1)) = q)"),
            ("p ->> ('x' = 'y')", "(p ->> (('x' = 'y')))"),
            ("p ->> 'x' = 'y' = a", "(((p ->> 'x') = 'y') = a)"),
        ] {
            assert_eq!(bound(&format!("SELECT {sql}")), expected, "{sql}");
        }
    }
}
