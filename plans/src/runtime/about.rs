//! [`is_about`]: what filters speak of; [`exact_about`]: those that a table applies by it.

use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};

/// Whether a filter says something of these columns alone, and the same each time.
pub(crate) fn is_about(filter: &Expr, columns: &[&str]) -> bool {
    !filter.is_volatile() && filter.column_refs().iter().all(|column| columns.contains(&column.name.as_str()))
}

/// What a table makes of `filters` that applies those about these columns, and no others.
pub(crate) fn exact_about(filters: &[&Expr], columns: &[&str]) -> Vec<TableProviderFilterPushDown> {
    let pushdown = |filter: &&Expr| match is_about(filter, columns) {
        true => TableProviderFilterPushDown::Exact,
        false => TableProviderFilterPushDown::Unsupported,
    };
    filters.iter().map(pushdown).collect()
}
