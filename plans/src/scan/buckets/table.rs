//! [`BucketsTable`]: the rows of a warehouse by bucket, as a table.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result, internal_err, plan_err};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::removed;
use super::superseded::{BucketRows, LeftBehind};
use crate::checkpoint::Totals;
use crate::model::items::GRID_PARTITION;
use crate::model::versions::SEQUENCE;
use crate::runtime::exact_about;
use crate::scan::bucket_files::{BucketFiles, BucketScanExec, YEAR, buckets, groups, without_views};
use crate::scan::settles::Settles;
use crate::scan::{StagedTable, Staging, WarehouseTable};
use crate::table::{AsOf, LiveFile, Warehouse};

/// The rows of the buckets that have at least so many part files: the columns of the table (texts as Utf8), then `year`
/// (Int32, null where `datetime` is) and `sequence` (Int64), which is greater in a later commit.
///
/// Rows of an Item that has moved are left out: those in a bucket where none is of its newest version. With a threshold up to
/// 2 and without filters, buckets with such rows are read however few files they have, and so are those with several rows of
/// one Item, so that each Item has one version when all of them are compacted.
///
/// A scan has one partition per group of buckets, and no bucket is in two of them. Filters on `grid_partition` and
/// `year` alone choose buckets; the others are not pushed down.
#[derive(Debug)]
pub struct BucketsTable {
    source: BucketSource,
    threshold: usize,
    some: Option<SomeItems>,
    schema: SchemaRef,
}

/// Items (`collection`, `id`); the buckets that have rows of them are those that are read.
#[derive(Debug)]
struct SomeItems {
    items: LogicalPlan,
    /// Whether their rows are left out.
    left_out: bool,
}

/// Whose buckets are read.
#[derive(Debug, Clone)]
pub enum BucketSource {
    /// A [`WarehouseTable`], and its warehouse.
    Table(Arc<dyn TableProvider>, Box<Warehouse>),
    /// The run that was staged last.
    Staged(Arc<Staging>),
}

impl BucketSource {
    /// `None` where a table has no buckets.
    pub fn of(table: &Arc<dyn TableProvider>) -> Option<Self> {
        if let Some(staged) = table.downcast_ref::<StagedTable>() {
            return Some(Self::Staged(Arc::clone(staged.staging())));
        }
        let warehouse = table.downcast_ref::<WarehouseTable>()?.warehouse();
        Some(Self::Table(Arc::clone(table), Box::new(warehouse.clone())))
    }

    /// The warehouse with the files.
    pub fn warehouse(&self) -> &Warehouse {
        match self {
            Self::Table(_, warehouse) => warehouse,
            Self::Staged(staging) => staging.warehouse(),
        }
    }

    fn schema(&self) -> SchemaRef {
        match self {
            Self::Table(table, _) => table.schema(),
            Self::Staged(staging) => Arc::clone(staging.warehouse().items().table_schema()),
        }
    }

    async fn files(&self, session: &dyn Session) -> Result<Vec<LiveFile>> {
        match self {
            Self::Table(table, _) => match table.downcast_ref::<WarehouseTable>() {
                Some(table) => table.live_files(session).await,
                None => internal_err!("buckets of a table that is no warehouse"),
            },
            Self::Staged(staging) => Ok(staging.run().map(|run| run.files.clone()).unwrap_or_default()),
        }
    }

    /// The buckets of these files, which another engine may have deleted rows of.
    async fn buckets(&self, session: &dyn Session, files: Vec<LiveFile>) -> Result<Vec<BucketFiles>> {
        match self {
            Self::Table(table, _) => match table.downcast_ref::<WarehouseTable>() {
                Some(table) => table.without_deleted(session, buckets(files)).await,
                None => internal_err!("buckets of a table that is no warehouse"),
            },
            Self::Staged(_) => Ok(buckets(files)),
        }
    }
}

impl BucketsTable {
    /// Errors: the table promotes a property under the name of one of the columns added here, or has a column that would be
    /// lost when its buckets are written again.
    pub fn try_new(source: BucketSource, threshold: usize) -> Result<Self> {
        if let (BucketSource::Table(..), [_, ..]) = (&source, source.warehouse().unkept_columns()) {
            return plan_err!(
                "buckets: files of earthcatalog cannot hold all columns that another engine has added, and their values would be lost: {}; rename or drop them, or give them a type of VARCHAR, BOOLEAN, INT, BIGINT, FLOAT, DOUBLE or TIMESTAMP",
                source.warehouse().unkept_columns().join(", ")
            );
        }
        let schema = source.schema();
        if let Some((_, field)) = [YEAR, SEQUENCE].iter().find_map(|name| schema.column_with_name(name)) {
            return plan_err!(
                "buckets: the table has a column {} of its own, and so cannot be read by bucket",
                field.name()
            );
        }
        let own = [Field::new(YEAR, DataType::Int32, true), Field::new(SEQUENCE, DataType::Int64, false)];
        let fields: Vec<_> = without_views(&schema).chain(own.map(Arc::new)).collect();
        Ok(Self { source, threshold, some: None, schema: Arc::new(Schema::new(fields)) })
    }

    /// The buckets of a table that have rows of `items` (columns `collection` and `id`), without these rows.
    ///
    /// Errors: as [`Self::try_new`].
    pub fn without_items(source: BucketSource, items: LogicalPlan) -> Result<Self> {
        Ok(Self { some: Some(SomeItems { items, left_out: true }), ..Self::try_new(source, usize::MAX)? })
    }

    /// The buckets of a table that have rows of `items` (columns `collection` and `id`).
    ///
    /// Errors: as [`Self::try_new`].
    pub fn of_items(source: BucketSource, items: LogicalPlan) -> Result<Self> {
        Ok(Self { some: Some(SomeItems { items, left_out: false }), ..Self::try_new(source, usize::MAX)? })
    }

    /// The buckets that have rows of `items`, and which.
    async fn rows_of(&self, session: &dyn Session, items: &LogicalPlan, files: &[LiveFile]) -> Result<LeftBehind> {
        let BucketSource::Table(table, _) = &self.source else {
            return internal_err!("Items are removed or updated in a table alone");
        };
        let of_no_bucket = files.iter().filter(|file| file.cell.is_none()).count();
        if of_no_bucket > 0 {
            return plan_err!(
                "Items cannot be removed or updated in {of_no_bucket} files of the table, which another engine has written under another partitioning; change them with that engine, or have it write those files again under the table's own"
            );
        }
        let superseded = removed::find(session, items, Arc::clone(table)).await?;
        Ok(LeftBehind { buckets: superseded.keys().cloned().collect(), superseded })
    }

    /// Whose buckets are read.
    pub fn source(&self) -> &BucketSource {
        &self.source
    }

    /// What newer versions, wherever they are, have left behind in `buckets`. Of `every` bucket of a table also which of them
    /// have several rows of an Item, and of which state of the table that is so. Where it is not known which ids may have
    /// several versions, all are looked up.
    async fn left_behind(
        &self,
        session: &dyn Session,
        buckets: &[BucketFiles],
        every: bool,
    ) -> Result<(LeftBehind, Option<Settles>)> {
        let BucketSource::Table(table, warehouse) = &self.source else { return Ok(Default::default()) };
        let Some(table) = table.downcast_ref::<WarehouseTable>() else { return Ok(Default::default()) };
        let Some((snapshot, settles)) = table.settles(session).await? else { return Ok(Default::default()) };
        let repeated = table.repeated_ids(session).await?;
        if buckets.is_empty() || repeated.as_ref().is_some_and(|repeated| repeated.is_empty()) {
            return Ok(Default::default());
        }
        let versions = WarehouseTable::with_sequence(warehouse.as_ref().clone()).as_of(AsOf::Snapshot(snapshot));
        let schema = Arc::clone(&self.schema);
        let rows = BucketRows { warehouse: warehouse.as_ref().clone(), schema, buckets: buckets.to_vec() };
        Ok(match every {
            true => (LeftBehind::find(session, rows, versions, repeated).await?, Some(settles)),
            false => (LeftBehind::find_in(session, rows, versions, repeated).await?, None),
        })
    }
}

#[async_trait]
impl TableProvider for BucketsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(exact_about(filters, &[GRID_PARTITION, YEAR]))
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.source.files(session).await?;
        // A file of another partitioning is in no bucket.
        let every = self.some.is_none()
            && self.threshold <= 2
            && filters.is_empty()
            && files.iter().all(|file| file.cell.is_some());
        let mut of_items = match &self.some {
            Some(some) => self.rows_of(session, &some.items, &files).await?,
            None => LeftBehind::default(),
        };
        let all = self.source.buckets(session, files).await?;
        let (mut left_behind, settles) =
            if every { self.left_behind(session, &all, true).await? } else { Default::default() };
        let mut buckets = choose(session, all, filters)?;
        let scanned = Totals::of(&buckets);
        let is_read = |of: &BucketFiles| {
            // What another engine has deleted is in the way of every question, until its bucket is written again.
            left_behind.buckets.contains(&of.bucket)
                || of_items.buckets.contains(&of.bucket)
                || (self.some.is_none() && !of.deletes.is_empty())
        };
        buckets.retain(|bucket| bucket.parts() >= self.threshold || is_read(bucket));
        if !every {
            (left_behind, _) = self.left_behind(session, &buckets, false).await?;
        }
        let items = of_items.superseded.values().flatten();
        let items = self.some.as_ref().map(|_| Arc::new(items.cloned().collect::<BTreeSet<_>>()));
        if self.some.as_ref().is_some_and(|some| !some.left_out) {
            of_items.superseded.clear();
        }
        let mut superseded = [of_items.superseded, left_behind.superseded];
        for bucket in &mut buckets {
            let of_bucket = superseded.iter_mut().filter_map(|of| of.remove(&bucket.bucket));
            bucket.superseded = of_bucket.flatten().collect();
        }
        let groups = groups(buckets, session.config().target_partitions());
        let scan = BucketScanExec::try_new(self.source.warehouse(), &self.schema, projection, groups, Some(scanned))?;
        Ok(Arc::new(scan.settling(settles).of_items(items)))
    }
}

/// The buckets for which all filters are true.
fn choose(session: &dyn Session, mut buckets: Vec<BucketFiles>, filters: &[Expr]) -> Result<Vec<BucketFiles>> {
    let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(buckets) };
    let schema = Arc::new(Schema::new(vec![
        Field::new(GRID_PARTITION, DataType::Utf8, false),
        Field::new(YEAR, DataType::Int32, true),
    ]));
    let filter = session.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(&schema))?)?;
    let cells = buckets.iter().map(|b| Some(b.bucket.cell.as_str())).collect::<StringArray>();
    let years = buckets.iter().map(|b| b.bucket.year).collect::<Int32Array>();
    let columns: Vec<ArrayRef> = vec![Arc::new(cells), Arc::new(years)];
    let chosen = filter.evaluate(&RecordBatch::try_new(schema, columns)?)?.into_array(buckets.len())?;
    let mut chosen = chosen.as_boolean().iter();
    buckets.retain(|_| chosen.next().flatten() == Some(true));
    Ok(buckets)
}
