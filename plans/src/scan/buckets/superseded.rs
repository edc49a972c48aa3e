//! Rows that a newer version of their Item has left behind in another bucket.
//!
//! Buckets that are written again must do without them, also where they are only some of a table: files that are merged have
//! the sequence number of the newest, and with it an older version would be taken for the newest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::provider_as_source;
use datafusion::functions::datetime::expr_fn::date_part;
use datafusion::functions_aggregate::expr_fn::{bool_or, count};
use datafusion::functions_window::expr_fn::{first_value, rank};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, TableType, cast, ident, lit, not,
};
use datafusion::physical_plan::{ExecutionPlan, collect};
use earthcatalog_udfs::item_digest_udf;

use crate::checkpoint::Totals;
use crate::model::bucket::Bucket;
use crate::model::item_key::ItemKey;
use crate::model::items::GRID_PARTITION;
use crate::model::versions::{DIGEST, SEQUENCE, digest, newest_first, newest_first_of_commits};
use crate::runtime::plan_here;
use crate::scan::bucket_files::{BucketFiles, BucketScanExec, YEAR, groups};
use crate::scan::{Candidates, WarehouseTable};
use crate::table::Warehouse;
use crate::table::known_ids::{IdHash, Repeated, is_repeated};

/// The plan of a question has the files that it reads: where there are more, a cluster is not asked.
const MOST_FILES_OF_A_QUESTION: usize = 50_000;

const PLACE: &str = "earthcatalog:place";
const FIRST_PLACE: &str = "earthcatalog:first_place";
const RANK: &str = "earthcatalog:rank";
const NEWEST_DIGEST: &str = "earthcatalog:newest_digest";
const NEWEST: &str = "earthcatalog:newest";
const ELSEWHERE: &str = "earthcatalog:elsewhere";
const THERE: &str = "earthcatalog:there";
const UNCLEAR: &str = "earthcatalog:unclear";
const ROWS: &str = "earthcatalog:rows";

/// What is left to do for the ids that may have more than one version.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LeftBehind {
    /// Buckets with more than one row of an Item, or with rows that are superseded.
    pub buckets: BTreeSet<Bucket>,
    /// By bucket, the Items of which a newer version is in another bucket, and none as new in this one.
    pub superseded: Superseded,
}

pub(super) type Superseded = BTreeMap<Bucket, BTreeSet<ItemKey>>;

impl LeftBehind {
    /// Looks up all versions of the ids in `repeated`, or of all ids if those are too many to be named.
    ///
    /// Of `buckets`, which are all of the table, it reads the columns that order versions and decide where they lie. All
    /// columns are read only of the Items of which that does not tell enough, of `versions`, which has the sequence number
    /// of each row.
    pub async fn find(
        session: &dyn Session,
        buckets: BucketRows,
        versions: WarehouseTable,
        repeated: Option<Arc<Repeated>>,
    ) -> Result<Self> {
        let mut found = Self::default();
        let files = buckets.buckets.iter().map(|bucket| bucket.files.len()).sum::<usize>();
        let of_buckets = rows_left_behind(buckets, repeated)?;
        let of_buckets = match files > MOST_FILES_OF_A_QUESTION {
            true => plan_here(session, &of_buckets).await?,
            false => session.create_physical_plan(&of_buckets).await?,
        };
        let unclear = found.add(of_buckets, session).await?;
        if !unclear.is_empty() {
            let unclear = Candidates::new(unclear);
            let of_all_columns = plan_here(session, &rows_left_behind_by_digest(versions, &unclear)?).await?;
            found.add(of_all_columns, session).await?;
        }
        Ok(found)
    }

    /// The same of `buckets` that are some of a table: looks up all versions of the Items that have rows there and are in
    /// `repeated`, if those are known.
    pub async fn find_in(
        session: &dyn Session,
        buckets: BucketRows,
        versions: WarehouseTable,
        repeated: Option<Arc<Repeated>>,
    ) -> Result<Self> {
        let candidates = Candidates::find(session, rows_of(buckets, repeated)?).await?;
        let mut found = Self::default();
        if !candidates.is_empty() {
            let plan = plan_here(session, &rows_left_behind_by_digest(versions, &candidates)?).await?;
            found.add(plan, session).await?;
        }
        Ok(found)
    }

    /// Adds what the rows of `plan` say; the hashes of the ids for which that is not all.
    async fn add(&mut self, plan: Arc<dyn ExecutionPlan>, session: &dyn Session) -> Result<Repeated> {
        let mut unclear = Repeated::new();
        for batch in collect(plan, session.task_ctx()).await? {
            let [collections, ids, cells] = [0, 1, 2].map(|i| batch.column(i).as_string::<i32>());
            let years = batch.column(3).as_primitive::<Int32Type>();
            let [has_newest, is_unclear] = [4, 6].map(|i| batch.column(i).as_boolean());
            for i in 0..batch.num_rows() {
                let collection = collections.is_valid(i).then(|| collections.value(i));
                if is_unclear.value(i) {
                    unclear.insert(IdHash::new(collection, ids.value(i)));
                    continue;
                }
                let year = years.is_valid(i).then(|| years.value(i));
                let bucket = Bucket { cell: cells.value(i).to_owned(), year };
                if !has_newest.value(i) {
                    self.superseded.entry(bucket.clone()).or_default().insert(ItemKey::new(collection, ids.value(i)));
                }
                self.buckets.insert(bucket);
            }
        }
        Ok(unclear)
    }
}

/// The rows of buckets; of `repeated` alone, if those are known.
fn rows_of(buckets: BucketRows, repeated: Option<Arc<Repeated>>) -> Result<LogicalPlanBuilder> {
    let rows = LogicalPlanBuilder::scan("buckets", provider_as_source(Arc::new(buckets)), None)?;
    // Buckets have their texts on their own.
    let key = ItemKey::COLUMNS.map(|name| cast(ident(name), DataType::Utf8View));
    match repeated {
        Some(repeated) => rows.filter(is_repeated(repeated).call(key.to_vec())),
        None => Ok(rows),
    }
}

/// The Items that have something to do in a bucket, by bucket: `collection`, `id`, `grid_partition`, `year`, whether a row there is of the
/// newest version, how many rows there are, and whether it takes all columns to tell which version is the newest, because
/// one of another commit lies in the same place, or one as new in another.
///
/// ```sql
/// SELECT *, elsewhere OR (there AND NOT newest) AS unclear
/// FROM (SELECT collection, id, grid_partition, year, count(*) AS rows, bool_or(rank = 1) AS newest,
///              bool_or(rank = 1 AND place <> first_place) AS elsewhere, bool_or(place = first_place) AS there
///       FROM (SELECT *, rank() OVER newest AS rank, first_value(place) OVER newest AS first_place
///             FROM (SELECT *, item_digest(geometry, datetime) AS place FROM …)
///             WINDOW newest AS (PARTITION BY collection, id ORDER BY updated DESC, created DESC, sequence DESC))
///       GROUP BY 1, 2, 3, 4)
/// WHERE rows > 1 OR NOT newest OR unclear
/// ```
fn rows_left_behind(buckets: BucketRows, repeated: Option<Arc<Repeated>>) -> Result<LogicalPlan> {
    let rows = rows_of(buckets, repeated)?;
    // Versions in different buckets differ in these.
    let place = item_digest_udf().call(vec![ident("geometry"), ident("datetime")]).alias(PLACE);
    let columns = ["collection", "id", GRID_PARTITION, YEAR, "updated", "created", SEQUENCE].map(ident);
    let newest_first = newest_first_of_commits();
    let of_item = |function: Expr| {
        function.partition_by(ItemKey::COLUMNS.map(ident).to_vec()).order_by(newest_first.clone()).build()
    };
    let is_newest = || ident(RANK).eq(lit(1_u64));
    let is_there = || ident(PLACE).eq(ident(FIRST_PLACE));
    rows.project(columns.into_iter().chain([place]))?
        .window([of_item(rank())?.alias(RANK), of_item(first_value(ident(PLACE)))?.alias(FIRST_PLACE)])?
        .aggregate(
            ["collection", "id", GRID_PARTITION, YEAR].map(ident),
            [
                count(lit(1)).alias(ROWS),
                bool_or(is_newest()).alias(NEWEST),
                bool_or(is_newest().and(not(is_there()))).alias(ELSEWHERE),
                bool_or(is_there()).alias(THERE),
            ],
        )?
        .project(of_bucket(ident(ELSEWHERE).or(ident(THERE).and(not(ident(NEWEST))))))?
        .filter(ident(ROWS).gt(lit(1)).or(not(ident(NEWEST))).or(ident(UNCLEAR)))?
        .build()
}

/// The same of other Items, whose newest version the digest of all columns tells, too. What equals it is of it.
fn rows_left_behind_by_digest(versions: WarehouseTable, of: &Candidates) -> Result<LogicalPlan> {
    let items = Arc::clone(versions.warehouse().items().item_schema());
    let all = versions.schema();
    let versions = LogicalPlanBuilder::scan("item_versions", provider_as_source(Arc::new(versions)), None)?;
    // Texts on their own: a sort that counts its memory would count the whole buffers of views for each batch.
    let of_its_own = |name: &String| match ["collection", "id", GRID_PARTITION].contains(&name.as_str()) {
        true => cast(ident(name), DataType::Utf8).alias(name),
        false => ident(name),
    };
    let columns = all.fields().iter().map(|field| of_its_own(field.name())).chain([digest(&items)]);
    let newest = first_value(ident(DIGEST))
        .partition_by(ItemKey::COLUMNS.map(ident).to_vec())
        .order_by(newest_first())
        .build()?;
    let year = cast(date_part(lit("year"), ident("datetime")), DataType::Int32).alias(YEAR);
    versions
        .filter(of.are())?
        .project(columns.chain([year]))?
        .window([newest.alias(NEWEST_DIGEST)])?
        .aggregate(
            ["collection", "id", GRID_PARTITION, YEAR].map(ident),
            [count(lit(1)).alias(ROWS), bool_or(ident(DIGEST).eq(ident(NEWEST_DIGEST))).alias(NEWEST)],
        )?
        .project(of_bucket(lit(false)))?
        .filter(ident(ROWS).gt(lit(1)).or(not(ident(NEWEST))))?
        .build()
}

fn of_bucket(unclear: Expr) -> Vec<Expr> {
    let columns = ["collection", "id", GRID_PARTITION, YEAR, NEWEST, ROWS].map(ident);
    columns.into_iter().chain([unclear.alias(UNCLEAR)]).collect()
}

/// Table of the rows of some buckets as they lie there: the columns of [`BucketsTable`](super::BucketsTable).
#[derive(Debug)]
pub(super) struct BucketRows {
    pub warehouse: Warehouse,
    pub schema: SchemaRef,
    pub buckets: Vec<BucketFiles>,
}

#[async_trait]
impl TableProvider for BucketRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let totals = Totals::of(&self.buckets);
        let groups = groups(self.buckets.clone(), session.config().target_partitions());
        Ok(Arc::new(BucketScanExec::try_new(&self.warehouse, &self.schema, projection, groups, Some(totals))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::bucket_files::buckets;
    use crate::scan::buckets::{BucketSource, BucketsTable};
    use crate::table::testing::{Row, warehouse, write_part};
    use crate::table::{Change, Committer};

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
            let state = session.state();
            let table = Arc::new(WarehouseTable::new(warehouse.clone()));
            let files = table.live_files(&state).await.unwrap();
            let source = BucketSource::Table(table, Box::new(warehouse.clone()));
            let schema = BucketsTable::try_new(source, 1).unwrap().schema();
            let rows = BucketRows { warehouse: warehouse.clone(), schema, buckets: buckets(files) };
            let versions = WarehouseTable::with_sequence(warehouse.clone());
            LeftBehind::find(&state, rows, versions, repeated).await.unwrap()
        };
        let bucket = |cell: &str| Bucket { cell: cell.to_owned(), year: Some(2020) };
        let ids = |ids: &[&str]| ids.iter().map(|id| ItemKey::new(None, id)).collect::<BTreeSet<_>>();
        let all = found(None).await;
        assert_eq!(all.buckets, [bucket("81a"), bucket("81b")].into());
        assert_eq!(all.superseded, [(bucket("81a"), ids(&["moved", "tied"]))].into());
        let one = found(Some(Arc::new([IdHash::new(None, "moved")].into()))).await;
        assert_eq!(one.superseded, [(bucket("81a"), ids(&["moved"]))].into());
        assert_eq!(found(Some(Arc::new([IdHash::new(None, "wide")].into()))).await, LeftBehind::default());
    }
}
