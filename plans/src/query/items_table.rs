//! [`ItemsTable`]: each Item once, in its newest version.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{JoinType, NullEquality, Result};
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, cast, ident, lit, not,
};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};

use super::bounds::implied_cells;
use super::once_per_item::OncePerItemExec;
use crate::model::item_key::ItemKey;
use crate::model::versions::{digest, newest_first};
use crate::runtime::{RunOptions, is_about, plan_part, runs_on_cluster};
use crate::scan::{Candidates, TablePart, WarehouseTable};
use crate::table::known_ids::are_repeated;
use crate::table::{AsOf, TableState, Warehouse};

/// What a scan of the versions is called in plans.
const VERSIONS: &str = "item_versions";
const AGE_RANK: &str = "earthcatalog:age_rank";
const CANDIDATE: [&str; 2] = ["earthcatalog:candidate_collection", "earthcatalog:candidate_id"];

/// Table `items`: the newest version of each Item (`collection`, `id`), without its cell.
///
/// Newest is the latest `updated`, then the latest `created`, null being older than any; then the version of the latest
/// commit; then the one with the greater digest. A compaction keeps the same one (`sql/compact.sql`).
///
/// Where [`known_ids`](crate::table::known_ids) says that an id has one version, any of its rows answers for it: filters go all
/// the way down, those on `geometry` choose cells as well, and [`OncePerItemExec`] leaves out the rows of other cells.
/// All versions are looked up of the other Items alone: `collection` and `id` are read of every file, and the rest of the rows of those Items
/// of which some version passes the filters. So a filter never lets an older version through.
///
/// With `SET earthcatalog.spatial_pruning = false` all versions of all ids are compared.
#[derive(Debug, Clone)]
pub struct ItemsTable {
    /// Each with its sequence number.
    versions: Arc<WarehouseTable>,
    schema: SchemaRef,
    /// `None` has all Items.
    some: Option<SomeItems>,
}

/// Some Items of a table: those of which a row is in a part of its files.
#[derive(Debug, Clone)]
struct SomeItems {
    part: Arc<WarehouseTable>,
    /// The Items of which all versions are compared, wherever they are. The others have one.
    compared: Arc<Candidates>,
}

impl ItemsTable {
    pub fn new(warehouse: Warehouse) -> Self {
        let schema = Arc::clone(warehouse.items().item_schema());
        Self { versions: Arc::new(WarehouseTable::with_sequence(warehouse)), schema, some: None }
    }

    pub fn warehouse(&self) -> &Warehouse {
        self.versions.warehouse()
    }

    /// The table as it was.
    pub fn as_of(&self, as_of: AsOf) -> Self {
        Self { versions: Arc::new(self.versions.as_of(as_of)), schema: Arc::clone(&self.schema), some: None }
    }

    /// The table in a state of it that was loaded, as of `snapshot`, or the newest then: nobody asks the catalog again, and what
    /// was read of manifests is shared.
    pub fn in_state(&self, state: Arc<TableState>, snapshot: Option<i64>) -> Self {
        let versions = Arc::new(self.versions.in_state(state, snapshot));
        Self { versions, schema: Arc::clone(&self.schema), some: None }
    }

    /// The Items that have a row in a part of the files, and those of `compared`, wherever their rows are. The newest version
    /// of those of `compared` is found among all rows; the others have one version.
    pub(crate) fn some(&self, part: TablePart, compared: Arc<Candidates>) -> Self {
        let part = Arc::new(self.versions.part(part));
        Self { some: Some(SomeItems { part, compared }), ..self.clone() }
    }

    /// The table of `warehouse`, which is this one opened again: what was read of manifests is shared, where it means the same.
    pub fn opened_again(&self, warehouse: Warehouse) -> Self {
        let schema = Arc::clone(warehouse.items().item_schema());
        Self { versions: Arc::new(self.versions.opened_again(warehouse)), schema, some: None }
    }

    /// The rows behind the Items, one for each version and cell.
    pub fn versions(&self) -> &Arc<WarehouseTable> {
        &self.versions
    }

    fn scan_versions(&self) -> Result<LogicalPlanBuilder> {
        scan(&self.versions)
    }

    /// Rows for which `filters` are true, at least one of each Item with one version.
    fn rows(&self, filters: &[Expr], columns: &[&str]) -> Result<LogicalPlan> {
        let resolution = self.versions.warehouse().h3_resolution();
        let cells = implied_cells(filters, resolution);
        let mut rows = scan(self.some.as_ref().map_or(&self.versions, |some| &some.part))?;
        if let Some(filter) = conjunction(cells.into_iter().chain(filters.iter().cloned())) {
            rows = rows.filter(filter)?;
        }
        rows.project(columns.iter().map(|name| ident(*name)))?.build()
    }

    /// The newest of all versions of each Item, where `filters` are true of it.
    fn newest(&self, filters: &[Expr], columns: &[&str], candidates: bool) -> Result<LogicalPlan> {
        // What is said of the identity alone is said of all versions.
        let is_of_key = |filter: &&Expr| is_about(filter, &ItemKey::COLUMNS);
        let (of_key, of_version): (Vec<&Expr>, Vec<&Expr>) = filters.iter().partition(is_of_key);
        let key = || ItemKey::COLUMNS.map(ident).to_vec();
        let filtered = |plan: LogicalPlanBuilder, filters: &[&Expr]| match conjunction(filters.iter().copied().cloned())
        {
            Some(filter) => plan.filter(filter),
            None => Ok(plan),
        };
        let mut versions = filtered(self.scan_versions()?, &of_key)?;
        if candidates && !of_version.is_empty() {
            let found = filtered(filtered(self.scan_versions()?, &of_key)?, &of_version)?;
            let found = found.aggregate(key(), Vec::<Expr>::new())?;
            let found =
                found.project(ItemKey::COLUMNS.into_iter().zip(CANDIDATE).map(|(name, of)| ident(name).alias(of)))?;
            let of_candidates = (CANDIDATE.to_vec(), ItemKey::COLUMNS.to_vec());
            // No collection is a collection.
            let nulls = NullEquality::NullEqualsNull;
            versions = found.join_detailed(versions.build()?, JoinType::Inner, of_candidates, None, nulls)?;
        }
        let all = for_sorting(self.versions.schema().fields());
        let rank = row_number().partition_by(key()).order_by(newest_first()).build()?.alias(AGE_RANK);
        let newest = versions.project(all.into_iter().chain([digest(&self.schema)]))?.window([rank])?;
        let newest = newest.filter(ident(AGE_RANK).eq(lit(1_u64)))?;
        let newest = newest.project(after_sorting(self.schema.fields()))?;
        filtered(newest, &of_version)?.project(columns.iter().map(|name| ident(*name)))?.build()
    }
}

/// The type of a column of `data_type` while rows are sorted: texts of its own to each batch, where views would hold on to
/// those of all batches.
fn while_sorted(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::LargeUtf8,
        DataType::BinaryView => DataType::LargeBinary,
        DataType::List(element) => {
            let data_type = while_sorted(element.data_type());
            DataType::List(Arc::new(element.as_ref().clone().with_data_type(data_type)))
        }
        other => other.clone(),
    }
}

/// Columns as they are while rows are sorted.
pub(crate) fn for_sorting(columns: &Fields) -> Vec<Expr> {
    let column = |field: &FieldRef| as_type(field, field.data_type(), &while_sorted(field.data_type()));
    columns.iter().map(column).collect()
}

/// Columns that were made [`for_sorting`], as they were before.
pub(crate) fn after_sorting(columns: &Fields) -> Vec<Expr> {
    let column = |field: &FieldRef| as_type(field, &while_sorted(field.data_type()), field.data_type());
    columns.iter().map(column).collect()
}

/// A column that is of one type as one of another type, of which all else is the same.
fn as_type(column: &Field, from: &DataType, to: &DataType) -> Expr {
    let (name, of) = (column.name(), ident(column.name()));
    if from == to { of } else { cast(of, to.clone()).alias_with_metadata(name, Some(column.metadata().into())) }
}

#[async_trait]
impl TableProvider for ItemsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let fields = self.schema.fields();
        let columns: Vec<&str> = match projection {
            Some(projection) => projection.iter().map(|i| fields[*i].name().as_str()).collect(),
            None => fields.iter().map(|field| field.name().as_str()).collect(),
        };
        let options = session.config_options().extensions.get::<RunOptions>();
        if options.is_some_and(|options| !options.spatial_pruning) {
            return plan_part(session, &self.newest(filters, &columns, false)?).await;
        }
        if let Some(some) = &self.some {
            return match some.compared.is_empty() {
                true => self.once(session, filters, &columns).await,
                false => self.once_or_newest(session, filters, &columns, &some.compared.are()).await,
            };
        }
        let Some(repeated) = self.versions.repeated_ids(session).await? else {
            return plan_part(session, &self.newest(filters, &columns, true)?).await;
        };
        if repeated.is_empty() {
            return self.once(session, filters, &columns).await;
        }
        self.once_or_newest(session, filters, &columns, &are_repeated(repeated)).await
    }
}

fn scan(versions: &Arc<WarehouseTable>) -> Result<LogicalPlanBuilder> {
    let versions = Arc::clone(versions) as Arc<dyn TableProvider>;
    LogicalPlanBuilder::scan(VERSIONS, provider_as_source(versions), None)
}

impl ItemsTable {
    /// The Items for which `filters` are true: of those that are `repeated`, the newest of all versions.
    async fn once_or_newest(
        &self,
        session: &dyn Session,
        filters: &[Expr],
        columns: &[&str],
        repeated: &Expr,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let with = |filter: Expr| [filters, &[filter]].concat();
        let once = self.once(session, &with(not(repeated.clone())), columns).await?;
        let newest = self.newest(&with(repeated.clone()), columns, true)?;
        let newest = plan_part(session, &newest).await?;
        UnionExec::try_new(vec![once, newest])
    }

    /// One row of each Item for which `filters` are true, all of its versions being the same.
    async fn once(&self, session: &dyn Session, filters: &[Expr], columns: &[&str]) -> Result<Arc<dyn ExecutionPlan>> {
        let mut read = columns.to_vec();
        let key = ItemKey::COLUMNS.into_iter().filter(|name| !columns.contains(name));
        read.extend(key);
        let rows = plan_part(session, &self.rows(filters, &read)?).await?;
        let once = Arc::new(OncePerItemExec::try_new(rows)?.with_partitions_apart(runs_on_cluster(session)));
        if read.len() == columns.len() {
            return Ok(once);
        }
        let column = |(i, name): (usize, &&str)| -> (Arc<dyn PhysicalExpr>, String) {
            (Arc::new(Column::new(name, i)), (*name).to_owned())
        };
        Ok(Arc::new(ProjectionExec::try_new(columns.iter().enumerate().map(column), once)?))
    }
}
