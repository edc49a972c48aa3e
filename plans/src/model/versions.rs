//! Which version of an Item is the newest.

use arrow::datatypes::Schema;
use datafusion::logical_expr::{Expr, SortExpr, ident};
use earthcatalog_udfs::item_digest_udf;

/// Column with the data sequence number of a row's file: a later commit's rows have a greater one.
pub const SEQUENCE: &str = "sequence";

/// Column with the [`digest`]; no column of Items has a colon.
pub(crate) const DIGEST: &str = "earthcatalog:digest";

/// The order of versions: the latest `updated`, then the latest `created`, null being older than any; then that of the
/// latest commit; then the one with the greater [`digest`]. As in `sql/compact.sql`.
pub(crate) fn newest_first() -> Vec<SortExpr> {
    ["updated", "created", SEQUENCE, DIGEST].map(|name| ident(name).sort(false, false)).to_vec()
}

/// The order of versions as far as times and commits tell.
pub(crate) fn newest_first_of_commits() -> Vec<SortExpr> {
    let mut order = newest_first();
    order.retain(|by| by.expr != ident(DIGEST));
    order
}

/// `item_digest(*)` of rows with these columns of Items, as [`DIGEST`].
pub(crate) fn digest(items: &Schema) -> Expr {
    let told_by = items.fields().iter().filter(|field| field.name() != "bbox");
    item_digest_udf().call(told_by.map(|field| ident(field.name())).collect()).alias(DIGEST)
}
