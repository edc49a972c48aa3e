//! Rows that a newer version of their Item has left behind in another bucket.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::provider_as_source;
use datafusion::functions::datetime::expr_fn::date_part;
use datafusion::functions_aggregate::expr_fn::{bool_or, count};
use datafusion::functions_window::expr_fn::first_value;
use datafusion::logical_expr::{ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, cast, ident, lit, not, when};
use datafusion::physical_plan::collect;

use super::table::YEAR;
use crate::bucket::Bucket;
use crate::items::GRID_PARTITION;
use crate::known_ids::{Repeated, is_repeated};
use crate::versions::{DIGEST, digest, newest_first};
use crate::warehouse::WarehouseTable;

const NEWEST: &str = "earthcatalog:newest";
const ROWS: &str = "earthcatalog:rows";

/// What is left to do for the ids that may have more than one version.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LeftBehind {
    /// Buckets with more than one row of an Item, or with rows that are superseded.
    pub buckets: BTreeSet<Bucket>,
    /// By bucket, the ids of the Items of which a newer version is in another bucket, and none as new in this one.
    pub superseded: Superseded,
}

pub(super) type Superseded = BTreeMap<Bucket, BTreeSet<String>>;

impl LeftBehind {
    /// Looks up all versions of the ids in `repeated`, or of all ids if those are too many to be named. `versions` has
    /// the sequence number of each row, and `id` is read of every file.
    pub async fn find(
        session: &dyn Session,
        versions: WarehouseTable,
        repeated: Option<Arc<Repeated>>,
    ) -> Result<Self> {
        let plan = session.create_physical_plan(&rows_left_behind(versions, repeated)?).await?;
        let mut found = Self::default();
        for batch in collect(plan, session.task_ctx()).await? {
            let [cells, ids] = [0, 2].map(|i| batch.column(i).as_string::<i32>());
            let years = batch.column(1).as_primitive::<Int32Type>();
            for i in 0..batch.num_rows() {
                let year = years.is_valid(i).then(|| years.value(i));
                let bucket = Bucket { cell: cells.value(i).to_owned(), year };
                if ids.is_valid(i) {
                    found.superseded.entry(bucket.clone()).or_default().insert(ids.value(i).to_owned());
                }
                found.buckets.insert(bucket);
            }
        }
        Ok(found)
    }
}

/// The buckets with something to do, one row each, without an id; and one more for each Item that has left rows behind.
///
/// ```sql
/// SELECT DISTINCT grid_partition, year, CASE WHEN NOT newest THEN id END AS id
/// FROM (SELECT id, grid_partition, year, count(*) AS rows, bool_or(is_newest) AS newest FROM … GROUP BY 1, 2, 3)
/// WHERE rows > 1 OR NOT newest
/// ```
fn rows_left_behind(versions: WarehouseTable, repeated: Option<Arc<Repeated>>) -> Result<LogicalPlan> {
    let items = Arc::clone(versions.warehouse().items().item_schema());
    let all = versions.schema();
    let mut versions = LogicalPlanBuilder::scan("item_versions", provider_as_source(Arc::new(versions)), None)?;
    if let Some(repeated) = repeated {
        versions = versions.filter(is_repeated(repeated).call(vec![ident("id")]))?;
    }
    // Texts on their own: a sort that counts its memory would count the whole buffers of views for each batch.
    let of_its_own = |name: &String| match ["id", GRID_PARTITION].contains(&name.as_str()) {
        true => cast(ident(name), DataType::Utf8).alias(name),
        false => ident(name),
    };
    let columns = all.fields().iter().map(|field| of_its_own(field.name())).chain([digest(&items)]);
    let newest = first_value(ident(DIGEST)).partition_by(vec![ident("id")]).order_by(newest_first()).build()?;
    let year = cast(date_part(lit("year"), ident("datetime")), DataType::Int32);
    let is_newest = ident(DIGEST).eq(ident(NEWEST));
    let item_in_bucket = [ident("id"), ident(GRID_PARTITION), ident(YEAR)];
    let moved = when(not(ident(NEWEST)), ident("id")).end()?;
    versions
        .project(columns)?
        .window([newest.alias(NEWEST)])?
        .project([ident("id"), ident(GRID_PARTITION), year.alias(YEAR), is_newest.alias(NEWEST)])?
        .aggregate(item_in_bucket, [count(lit(1)).alias(ROWS), bool_or(ident(NEWEST)).alias(NEWEST)])?
        .filter(ident(ROWS).gt(lit(1)).or(not(ident(NEWEST))))?
        .project([ident(GRID_PARTITION), ident(YEAR), moved.alias("id")])?
        .distinct()?
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known_ids::IdHash;
    use crate::warehouse::testing::{Row, warehouse, write_part};
    use crate::warehouse::{Change, Committer};

    #[tokio::test]
    async fn what_a_newer_version_elsewhere_left_behind_is_found_and_so_are_buckets_with_two_rows_of_an_item() {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = warehouse(&folder).await;
        let row = |id: &str, updated: Option<i64>, platform: &str| Row {
            updated,
            platform: Some(platform.to_owned()),
            ..Row::new(id, Some((2020, 1, 1)))
        };
        // Has moved; is in two cells; has moved within the same times, a commit later; is twice in one file.
        let first = [row("moved", Some(1), "old"), row("wide", None, "x"), row("tied", None, "z")];
        let wide = [row("wide", None, "x"), row("twice", None, "x"), row("twice", None, "x")];
        let later = [row("moved", Some(2), "new"), row("tied", None, "a")];
        for (cell, rows) in [("81a", &first[..]), ("81b", &wide[..]), ("81c", &later[..])] {
            let change = Change { add: vec![write_part(&warehouse, cell, cell, rows)], ..Change::default() };
            Committer::new(warehouse.clone()).commit(change).await.unwrap();
        }
        let session = crate::session::session(2).unwrap();
        let found = async |repeated| {
            let versions = WarehouseTable::with_sequence(warehouse.clone());
            LeftBehind::find(&session.state(), versions, repeated).await.unwrap()
        };
        let bucket = |cell: &str| Bucket { cell: cell.to_owned(), year: Some(2020) };
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        let all = found(None).await;
        assert_eq!(all.buckets, [bucket("81a"), bucket("81b")].into());
        assert_eq!(all.superseded, [(bucket("81a"), ids(&["moved", "tied"]))].into());
        let one = found(Some(Arc::new([IdHash::of("moved")].into()))).await;
        assert_eq!(one.superseded, [(bucket("81a"), ids(&["moved"]))].into());
        assert_eq!(found(Some(Arc::new([IdHash::of("wide")].into()))).await, LeftBehind::default());
    }
}
