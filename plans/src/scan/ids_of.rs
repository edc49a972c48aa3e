//! [`ids_of`]: the ids that conditions ask for.

use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// The ids of which each row has one for which all `filters` are true; `None` where they do not say.
pub(super) fn ids_of(filters: &[Expr]) -> Option<Vec<&str>> {
    // The fewest: the others hold as well.
    filters.iter().flat_map(split_conjunction).filter_map(ids_in).min_by_key(Vec::len)
}

fn ids_in(condition: &Expr) -> Option<Vec<&str>> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (left.as_ref(), right.as_ref()) {
            (column, id) | (id, column) if is_id(column) => Some(vec![text(id)?]),
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut ids = ids_in(left)?;
            ids.extend(ids_in(right)?);
            Some(ids)
        }
        Expr::InList(list) if !list.negated && is_id(&list.expr) => list.list.iter().map(text).collect(),
        _ => None,
    }
}

fn is_id(expression: &Expr) -> bool {
    matches!(expression, Expr::Column(column) if column.name == "id")
}

fn text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Literal(value, _) => value.try_as_str()?,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{ident, lit};

    use super::*;

    #[test]
    fn conditions_say_of_which_ids_rows_are() {
        let id = || ident("id");
        let list = id().in_list(vec![lit("a"), lit("b"), lit("c")], false);
        for (condition, ids) in [
            (id().eq(lit("a")), Some(vec!["a"])),
            (lit("a").eq(id()), Some(vec!["a"])),
            (list.clone(), Some(vec!["a", "b", "c"])),
            (list.clone().and(id().eq(lit("b"))), Some(vec!["b"])),
            (id().eq(lit("a")).or(id().eq(lit("b"))), Some(vec!["a", "b"])),
            (id().eq(lit("a")).or(ident("platform").eq(lit("b"))), None),
            (id().in_list(vec![lit("a")], true), None),
            (id().gt(lit("a")), None),
            (id().eq(ident("platform")), None),
            (ident("platform").eq(lit("a")), None),
        ] {
            assert_eq!(ids_of(std::slice::from_ref(&condition)), ids, "{condition}");
        }
    }
}
