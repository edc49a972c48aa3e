//! [`keeps_newest`]: whether a query over buckets leaves of each Item the newest version, and nothing else changed.

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, SortExpr};

use crate::model::item_key::ItemKey;
use crate::model::items::GRID_PARTITION;
use crate::model::versions::{DIGEST, SEQUENCE, newest_first};
use crate::scan::bucket_files::YEAR;
use crate::scan::buckets::BucketsTable;

/// Whether `query` is a compaction, as `sql/compact.sql` writes it: what the buckets hold, as it is, of each Item in each
/// bucket the newest version. Then a commit of it removes no Item, changes none, and may say that each has one version.
pub(super) fn keeps_newest(query: &LogicalPlan) -> bool {
    let Some(Rows { columns, is_newest: true }) = rows(query) else { return false };
    query
        .schema()
        .fields()
        .iter()
        .all(|field| columns.get(field.name()).is_some_and(|of| matches!(of, Of::Bucket(name) if name == field.name())))
}

/// What is known of the rows of a plan.
struct Rows {
    columns: HashMap<String, Of>,
    /// Whether other versions than the newest are left out.
    is_newest: bool,
}

/// What a column holds.
#[derive(Clone, PartialEq)]
enum Of {
    /// A column of the buckets, as it is.
    Bucket(String),
    /// The digest of the row.
    Digest,
    /// Which of the versions of an Item in a bucket the row is, the newest being 1.
    Age,
}

fn rows(plan: &LogicalPlan) -> Option<Rows> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let is_buckets = source_as_provider(&scan.source).ok()?.downcast_ref::<BucketsTable>().is_some();
            let fields = scan.projected_schema.fields().iter();
            let columns = fields.map(|field| (field.name().clone(), Of::Bucket(field.name().clone())));
            is_buckets.then(|| Rows { columns: columns.collect(), is_newest: false })
        }
        LogicalPlan::SubqueryAlias(alias) => rows(&alias.input),
        LogicalPlan::Projection(projection) => {
            let input = rows(&projection.input)?;
            // Under the names that the projection gives them.
            let fields = projection.schema.fields().iter().zip(&projection.expr);
            let columns = fields.filter_map(|(field, expr)| Some((field.name().clone(), input.of(expr)?)));
            Some(Rows { columns: columns.collect(), is_newest: input.is_newest })
        }
        LogicalPlan::Filter(filter) => {
            let mut input = rows(&filter.input)?;
            for part in split_conjunction(&filter.predicate) {
                if input.is_first(part) {
                    input.is_newest = true;
                } else if !input.chooses_buckets(part) || input.is_newest {
                    return None;
                }
            }
            Some(input)
        }
        LogicalPlan::Window(window) => {
            let mut input = rows(&window.input)?;
            let [expr] = &window.window_expr[..] else { return None };
            let expr = if let Expr::Alias(alias) = expr { alias.expr.as_ref() } else { expr };
            let Expr::WindowFunction(function) = expr else { return None };
            if input.is_age(function) {
                let name = window.schema.fields().last()?.name().clone();
                input.columns.insert(name, Of::Age);
            }
            Some(input)
        }
        _ => None,
    }
}

impl Rows {
    /// What an expression holds, whatever the type of text or number that it is cast to.
    fn of(&self, expr: &Expr) -> Option<Of> {
        match expr {
            Expr::Column(column) => self.columns.get(&column.name).cloned(),
            Expr::Alias(alias) => self.of(&alias.expr),
            Expr::Cast(cast) if !cast.field.data_type().is_temporal() => self.of(&cast.expr),
            Expr::ScalarFunction(function) if function.name() == "item_digest" => {
                // The star is still to be expanded.
                #[expect(deprecated, reason = "it has no successor in arguments of functions")]
                let is_column =
                    |arg: &Expr| matches!(arg, Expr::Wildcard { .. }) || matches!(self.of(arg), Some(Of::Bucket(_)));
                function.args.iter().all(is_column).then_some(Of::Digest)
            }
            _ => None,
        }
    }

    /// Whether `predicate` is true of the newest version alone.
    fn is_first(&self, predicate: &Expr) -> bool {
        let Expr::BinaryExpr(equal) = predicate else { return false };
        equal.op == Operator::Eq && self.of(&equal.left) == Some(Of::Age) && is_one(&equal.right)
    }

    /// Whether `predicate` is about buckets alone, and so leaves out whole ones.
    fn chooses_buckets(&self, predicate: &Expr) -> bool {
        let of_bucket =
            |of: Option<&Of>| matches!(of, Some(Of::Bucket(name)) if [GRID_PARTITION, YEAR].contains(&name.as_str()));
        !predicate.is_volatile()
            && predicate.column_refs().iter().all(|column| of_bucket(self.columns.get(&column.name)))
    }

    fn is_age(&self, function: &WindowFunction) -> bool {
        let (of, params) = (function.fun.name(), &function.params);
        let mut key: Vec<_> = params.partition_by.iter().map(|expr| self.of(expr)).collect();
        let bucket = |name: &str| Some(Of::Bucket(name.to_owned()));
        let mut is_keyed = true;
        for name in [GRID_PARTITION, YEAR].into_iter().chain(ItemKey::COLUMNS) {
            let before = key.len();
            key.retain(|of| *of != bucket(name));
            is_keyed &= key.len() + 1 == before;
        }
        let newest = newest_first();
        let is_wanted = |(by, wanted): (&SortExpr, &SortExpr)| {
            let Expr::Column(column) = &wanted.expr else { return false };
            // Of a sequence number and a digest there is no null.
            let (of, has_nulls) = match column.name.as_str() {
                DIGEST => (Some(Of::Digest), false),
                name => (bucket(name), name != SEQUENCE),
            };
            let is_in_order = by.asc == wanted.asc && (!has_nulls || by.nulls_first == wanted.nulls_first);
            self.of(&by.expr) == of && is_in_order
        };
        let order = &params.order_by;
        let is_ordered = order.len() == newest.len() && order.iter().zip(&newest).all(is_wanted);
        let is_plain = params.filter.is_none() && !params.distinct;
        of == "row_number" && is_plain && is_keyed && key.is_empty() && is_ordered
    }
}

/// Whether it is the number 1, of whatever type.
fn is_one(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(cast) => is_one(&cast.expr),
        Expr::Literal(value, _) => value.cast_to(&DataType::Int64).is_ok_and(|v| v == ScalarValue::Int64(Some(1))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use crate::query::register_views;
    use crate::session::testing::over_new_table;
    use crate::table::Warehouse;
    use crate::table::known_ids::KnownIds;

    const COMPACTION: &str = include_str!("../../../sql/compact.sql");

    /// The query of `sql/compact.sql`.
    fn compaction() -> String {
        let query = COMPACTION.split("INSERT OVERWRITE items").nth(1).expect("an overwrite").replace("$threshold", "2");
        let query = query.replace("$bucket", "CAST(NULL AS VARCHAR)").replace("$since", "CAST(NULL AS INT)");
        format!("INSERT OVERWRITE items {}", query.trim().trim_end_matches(';'))
    }

    /// Two Items in one bucket, in files of two commits; the second has a newer version of the first Item.
    async fn session(folder: &tempfile::TempDir) -> SessionContext {
        let insert = "INSERT INTO items (id, grid_partition, updated, platform) SELECT * FROM versions WHERE column4";
        let statements = [
            "CREATE TABLE versions AS VALUES ('a', '811efffffffffff', TIMESTAMP '2021-01-01T00:00:00Z', 'old'),
             ('b', '811efffffffffff', TIMESTAMP '2021-01-01T00:00:00Z', 'of b'),
             ('a', '811efffffffffff', TIMESTAMP '2022-01-01T00:00:00Z', 'new')"
                .to_owned(),
            format!("{insert} <> 'new'"),
            format!("{insert} = 'new'"),
        ];
        over_new_table(folder, &statements).await
    }

    /// What the last snapshot says: its operation, and how many ids may have several versions.
    async fn said(folder: &tempfile::TempDir) -> (String, Option<String>) {
        let warehouse = Warehouse::open(&format!("{}/catalog.db", folder.path().display())).await.unwrap();
        let state = warehouse.load().await.unwrap();
        let summary = state.metadata.current_snapshot().unwrap().summary();
        (summary.operation.as_str().to_owned(), summary.additional_properties.get(KnownIds::REPEATED).cloned())
    }

    async fn platforms(folder: &tempfile::TempDir) -> String {
        let context = crate::session::session(2).unwrap();
        let f = folder.path().display();
        register_views(&context, &format!("{f}/catalog.db"), None).await.unwrap();
        let sql = "SELECT string_agg(platform, ', ' ORDER BY id) FROM items";
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        arrow::util::display::array_value_to_string(batches[0].column(0), 0).unwrap()
    }

    #[tokio::test]
    async fn an_overwrite_says_that_rows_are_the_same_and_versions_settled_only_where_that_is_so() {
        let all = "SELECT * EXCEPT (year, sequence) FROM buckets(items, 2)";
        let compaction = compaction();
        let unknown = None;
        let none_repeated = Some("0".to_owned());
        for (overwrite, repeated, found) in [
            // The compaction: an older version goes, and then there is one of each.
            (compaction.clone(), none_repeated, "new, of b"),
            // All rows as they are: two versions stay.
            (format!("INSERT OVERWRITE items {all}"), unknown.clone(), "new, of b"),
            (
                compaction.replace("WHERE age_rank = 1", "WHERE age_rank <= 2"),
                unknown.clone(),
                "new, of b",
            ),
            // The oldest is not the newest.
            (compaction.replace("updated DESC", "updated ASC"), unknown.clone(), "old, of b"),
            // Of each cell and year alone, one Item.
            (compaction.replace("year, collection, id", "year"), unknown.clone(), "new"),
            // Other values.
            (
                "INSERT OVERWRITE items SELECT * EXCEPT (year, sequence) REPLACE ('x' AS platform) FROM buckets(items, 2)".to_owned(),
                unknown.clone(),
                "x, x",
            ),
            (compaction.replace("item_digest(*)", "id"), unknown.clone(), "new, of b"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let context = session(&folder).await;
            context.sql(&overwrite).await.unwrap().collect().await.unwrap();
            assert_eq!(said(&folder).await, ("overwrite".to_owned(), repeated), "{overwrite}");
            assert_eq!(platforms(&folder).await, found, "{overwrite}");
        }
    }

    #[tokio::test]
    async fn a_compaction_that_leaves_out_no_row_is_a_replacement() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&folder).await;
        for sql in [
            compaction(),
            "INSERT INTO items (id, grid_partition) VALUES ('c', '811efffffffffff')".to_owned(),
            compaction(),
        ] {
            context.sql(&sql).await.unwrap().collect().await.unwrap();
        }
        assert_eq!(said(&folder).await, ("replace".to_owned(), Some("0".to_owned())));
    }

    #[tokio::test]
    async fn a_condition_that_is_never_true_reads_no_bucket_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let context = session(&folder).await;
        let never = "INSERT OVERWRITE items SELECT * EXCEPT (year, sequence) FROM buckets(items, 2) WHERE false";
        let error = context.sql(never).await.unwrap().collect().await.unwrap_err().to_string();
        assert!(error.contains("never true") && !error.contains("bug"), "{error}");
        assert_eq!(platforms(&folder).await, "new, of b");
    }
}
