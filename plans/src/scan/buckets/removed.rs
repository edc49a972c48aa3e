//! The rows of Items that are to be removed.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{JoinType, NullEquality, Result};
use datafusion::datasource::provider_as_source;
use datafusion::functions::datetime::expr_fn::date_part;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, ident, lit};
use datafusion::physical_plan::collect;

use super::superseded::Superseded;
use crate::model::bucket::Bucket;
use crate::model::item_key::ItemKey;
use crate::model::items::GRID_PARTITION;
use crate::runtime::plan_look_up;
use crate::scan::bucket_files::YEAR;

const OF_REMOVED: [&str; 2] = ["earthcatalog:removed_collection", "earthcatalog:removed_id"];

/// By bucket, the Items of `items` (`collection`, `id`) that have rows there, of whatever version. `rows` are all rows of
/// the table.
pub(super) async fn find(
    session: &dyn Session,
    items: &LogicalPlan,
    rows: Arc<dyn TableProvider>,
) -> Result<Superseded> {
    let plan = plan_look_up(session, &places(items, rows)?).await?;
    let mut found = Superseded::new();
    for batch in collect(plan, session.task_ctx()).await? {
        let [collections, ids, cells] = [0, 1, 2].map(|i| batch.column(i).as_string::<i32>());
        let years = batch.column(3).as_primitive::<Int32Type>();
        for i in 0..batch.num_rows() {
            let collection = collections.is_valid(i).then(|| collections.value(i));
            let year = years.is_valid(i).then(|| years.value(i));
            let bucket = Bucket { cell: cells.value(i).to_owned(), year };
            found.entry(bucket).or_default().insert(ItemKey::new(collection, ids.value(i)));
        }
    }
    Ok(found)
}

/// ```sql
/// SELECT DISTINCT collection, id, grid_partition, date_part('year', datetime) AS year
/// FROM item_cells NATURAL JOIN items    -- no collection is one, too
/// ```
fn places(items: &LogicalPlan, rows: Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let key = ItemKey::COLUMNS.into_iter().zip(OF_REMOVED);
    let items = LogicalPlanBuilder::from(items.clone())
        .project(key.map(|(name, removed)| ident(name).alias(removed)))?
        .distinct()?;
    let year = cast(date_part(lit("year"), ident("datetime")), DataType::Int32).alias(YEAR);
    let rows = LogicalPlanBuilder::scan("item_cells", provider_as_source(rows), None)?
        .project(["collection", "id", GRID_PARTITION].map(ident).into_iter().chain([year]))?
        .build()?;
    let on = (OF_REMOVED.to_vec(), ItemKey::COLUMNS.to_vec());
    items
        .join_detailed(rows, JoinType::Inner, on, None, NullEquality::NullEqualsNull)?
        .aggregate(["collection", "id", GRID_PARTITION, YEAR].map(ident), Vec::<Expr>::new())?
        .project(
            ["collection", "id", GRID_PARTITION]
                .map(|name| cast(ident(name), DataType::Utf8).alias(name))
                .into_iter()
                .chain([ident(YEAR)]),
        )?
        .build()
}
