//! `changes(items, since)`: what has become of Items between two states of a table.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::functions_window::expr_fn::{lead, row_number};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, ident, lit, when,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::prelude::SessionContext;
use earthcatalog_udfs::SessionTables;
use iceberg::spec::{Operation, SnapshotRef, TableMetadata};

use super::ItemsTable;
use super::items_table::{after_sorting, for_sorting};
use super::warehouse_of::warehouse_of;
use crate::model::item_key::ItemKey;
use crate::model::versions::{DIGEST, digest};
use crate::runtime::{exact_about, plan_part};
use crate::scan::as_of_function::as_of;
use crate::scan::{Candidates, TablePart, WarehouseTable};
use crate::table::known_ids::{Repeated, are_repeated};
use crate::table::{AsOf, TableState};

/// What became of an Item: `added`, `changed` or `removed`.
pub const CHANGE: &str = "change";

/// Column that is greater of the later state.
const STATE: &str = "earthcatalog:state";
const AGE_RANK: &str = "earthcatalog:age_rank";
const DIGEST_BEFORE: &str = "earthcatalog:digest_before";

/// From which state on.
#[derive(Debug, Clone)]
enum Since {
    /// Before the first one.
    Nothing,
    /// Before the last one that was more than a compaction.
    Last,
    State(AsOf),
}

/// Table of the Items (`collection`, `id`) that one state of a table has and the other has not, or has in another version:
/// [`CHANGE`] (Utf8), then the columns of `items`, as they are in the later state, or were, if the Item is removed.
///
/// Files that both states have are read only for Items that are known to have come more than once: of the others, all rows
/// are in files that one of the states alone has, or in files that both have. So the costs are those of what has changed. A
/// compaction changes no Item: its files are read, and found to hold the same.
///
/// With `SET earthcatalog.spatial_pruning = false` all Items of both states are compared.
#[derive(Debug)]
struct ChangesTable {
    items: ItemsTable,
    since: Since,
    /// `None` is the newest state.
    to: Option<AsOf>,
    schema: SchemaRef,
}

impl ChangesTable {
    fn try_new(items: ItemsTable, since: Since, to: Option<AsOf>) -> Result<Self> {
        let schema = items.schema();
        if schema.column_with_name(CHANGE).is_some() {
            return plan_err!(
                "changes: the table has a column {CHANGE} of its own; compare items_at(…) and items in SQL"
            );
        }
        let change = Arc::new(Field::new(CHANGE, DataType::Utf8, false));
        let schema =
            Arc::new(Schema::new(std::iter::once(change).chain(schema.fields().iter().cloned()).collect::<Vec<_>>()));
        Ok(Self { items, since, to, schema })
    }

    /// The Items of two states that have a row in a file that the other state has not.
    async fn apart(&self, session: &dyn Session, [from, to]: [ItemsTable; 2]) -> Result<[ItemsTable; 2]> {
        let parts = from.versions().parts_apart(to.versions(), session).await?;
        let repeated = [from.versions().repeated_ids(session).await?, to.versions().repeated_ids(session).await?];
        let compared = Arc::new(match repeated {
            [Some(before), Some(after)] if before.is_empty() && after.is_empty() => Candidates::new(Repeated::new()),
            repeated => {
                // An Item has one version in a state of which it is not repeated. So, where it is in neither, what it has in
                // files of both states is what it has in those of one, or it has nothing there.
                let repeated = repeated.into_iter().collect::<Option<Vec<_>>>();
                let rows = |items: &ItemsTable, part: &TablePart| {
                    let part: Arc<dyn TableProvider> = Arc::new(items.versions().part(part.clone()));
                    LogicalPlanBuilder::scan("versions", provider_as_source(part), None)?
                        .project(ItemKey::COLUMNS.map(ident))
                };
                let mut rows = rows(&from, &parts[0])?.union(rows(&to, &parts[1])?.build()?)?;
                if let Some(repeated) = repeated {
                    let of_any = repeated.into_iter().map(are_repeated).reduce(Expr::or);
                    rows = rows.filter(of_any.unwrap_or(lit(false)))?;
                }
                Candidates::find(session, rows).await?
            }
        });
        let [before, after] = parts;
        Ok([from.some(before, Arc::clone(&compared)), to.some(after, compared)])
    }

    /// ```sql
    /// SELECT CASE WHEN digest_before IS NOT NULL THEN 'changed' WHEN state = 1 THEN 'added' ELSE 'removed' END AS change, …
    /// FROM (SELECT *, row_number() OVER states AS age_rank, lead(digest) OVER states AS digest_before
    ///       FROM (SELECT *, item_digest(*) AS digest
    ///             FROM (SELECT *, 0 AS state FROM before UNION ALL SELECT *, 1 AS state FROM after))
    ///       WINDOW states AS (PARTITION BY collection, id ORDER BY state DESC))
    /// WHERE age_rank = 1 AND (digest_before IS NULL OR digest_before <> digest)
    /// ```
    fn plan(&self, states: Vec<(i64, ItemsTable)>, filters: &[Expr]) -> Result<Option<LogicalPlan>> {
        let items = self.items.schema();
        let rows = |(state, items): (i64, ItemsTable)| {
            let schema = items.schema();
            let mut rows = LogicalPlanBuilder::scan("items", provider_as_source(Arc::new(items)), None)?;
            if let Some(filter) = conjunction(filters.iter().cloned()) {
                rows = rows.filter(filter)?;
            }
            rows.project(for_sorting(schema.fields()).into_iter().chain([digest(&schema), lit(state).alias(STATE)]))
        };
        let mut states = states.into_iter().map(rows);
        let Some(first) = states.next() else { return Ok(None) };
        let rows = states.try_fold(first?, |rows, state| rows.union(state?.build()?))?;
        let of_states = |function: Expr| {
            let key = ItemKey::COLUMNS.map(ident).to_vec();
            function.partition_by(key).order_by(vec![ident(STATE).sort(false, false)]).build()
        };
        let change = when(ident(DIGEST_BEFORE).is_not_null(), lit("changed"))
            .when(ident(STATE).eq(lit(1_i64)), lit("added"))
            .otherwise(lit("removed"))?
            .alias(CHANGE);
        let is_other = ident(DIGEST_BEFORE).is_null().or(ident(DIGEST_BEFORE).not_eq(ident(DIGEST)));
        let rows = rows
            .window([
                of_states(row_number())?.alias(AGE_RANK),
                of_states(lead(ident(DIGEST), Some(1), None))?.alias(DIGEST_BEFORE),
            ])?
            .filter(ident(AGE_RANK).eq(lit(1_u64)).and(is_other))?
            .project(std::iter::once(change).chain(after_sorting(items.fields())))?;
        rows.build().map(Some)
    }

    /// The snapshots of both states; `None` is one without rows.
    fn snapshots(&self, state: &TableState) -> Result<[Option<i64>; 2]> {
        let metadata = &state.metadata;
        let to = match &self.to {
            Some(to) => Some(to.find(metadata)?),
            None => metadata.current_snapshot(),
        };
        let from = match &self.since {
            Since::Nothing => None,
            Since::State(from) => Some(from.find(metadata)?.snapshot_id()),
            Since::Last => match to.map(|to| before_last(metadata, to)).transpose()?.flatten() {
                Some(parent) => Some(AsOf::Snapshot(parent).find(metadata)?.snapshot_id()),
                None => None,
            },
        };
        Ok([from, to.map(|to| to.snapshot_id())])
    }
}

/// The parent of the last snapshot before `to`, or of `to` itself, that is more than a compaction.
fn before_last(metadata: &TableMetadata, to: &SnapshotRef) -> Result<Option<i64>> {
    let mut last = to;
    while last.summary().operation == Operation::Replace {
        let Some(parent) = last.parent_snapshot_id() else { return Ok(None) };
        last = AsOf::Snapshot(parent).find(metadata)?;
    }
    Ok(last.parent_snapshot_id())
}

#[async_trait]
impl TableProvider for ChangesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    /// What is said of the identity holds in both states.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(exact_about(filters, &ItemKey::COLUMNS))
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let state = self.items.warehouse().load_for(session).await?;
        let [from, to] = self.snapshots(&state)?;
        let in_state = |snapshot: i64| self.items.in_state(Arc::clone(&state), Some(snapshot));
        let states = match (from, to) {
            (Some(from), Some(to)) if from == to => vec![],
            (Some(from), Some(to)) => {
                let [before, after] = self.apart(session, [in_state(from), in_state(to)]).await?;
                vec![(0, before), (1, after)]
            }
            (None, Some(to)) => vec![(1, in_state(to))],
            (_, None) => vec![],
        };
        let fields = self.schema.fields();
        let columns: Vec<usize> = projection.map_or_else(|| (0..fields.len()).collect(), Clone::clone);
        let Some(plan) = self.plan(states, filters)? else {
            return Ok(Arc::new(EmptyExec::new(Arc::new(self.schema.project(&columns)?))));
        };
        let columns = columns.into_iter().map(|i| ident(fields[i].name()));
        plan_part(session, &LogicalPlanBuilder::from(plan).project(columns)?.build()?).await
    }
}

/// `changes(items, since)`: what has become of Items since a state of the table; `changes(items, from, to)`: between two.
///
/// A state is a time, the id of a snapshot, or the name of a tag or branch, as in `items_at(…)`. `since` may also be `'last'`
/// (before the last commit that was more than a compaction), or NULL (before the first one). `items` is a table of a
/// warehouse, bare or as text. The columns are `change` (`added`, `changed` or `removed`), then those of `items`: as they are
/// in the later state, or were, if the Item is removed.
///
/// Errors: no table of a warehouse, no such state, or no longer.
pub struct ChangesFunction {
    tables: SessionTables,
}

impl fmt::Debug for ChangesFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangesFunction").finish_non_exhaustive()
    }
}

impl ChangesFunction {
    pub const NAME: &str = "changes";

    /// Finds tables where SQL in this session finds them.
    pub fn new(session: &SessionContext) -> Self {
        Self { tables: SessionTables::new(session) }
    }
}

impl TableFunctionImpl for ChangesFunction {
    fn call(&self, args: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let (table, since, to) = match args {
            [table, since] => (table, since, None),
            [table, since, to] => (table, since, Some(to)),
            _ => {
                return plan_err!(
                    "changes takes a table and a state, or two, as in changes(items, '2025-01-31') and changes(items, '2025-01', '2025-02')"
                );
            }
        };
        let (name, table) = self.tables.argument(Self::NAME, table)?;
        let since = match state(since)? {
            None => Since::Nothing,
            Some(AsOf::Reference(name)) if name.eq_ignore_ascii_case("last") => Since::Last,
            Some(state) => Since::State(state),
        };
        let items = match (table.downcast_ref::<ItemsTable>(), table.downcast_ref::<WarehouseTable>()) {
            (Some(items), _) => items.clone(),
            (None, Some(table)) => ItemsTable::new(table.warehouse().clone()),
            (None, None) => {
                let way_out = match warehouse_of(&table) {
                    Some(_) => "give the table behind it",
                    None => "make it with CREATE EXTERNAL TABLE … STORED AS ICEBERG",
                };
                return plan_err!("changes: table {name} is no warehouse; {way_out}");
            }
        };
        Ok(Arc::new(ChangesTable::try_new(items, since, to.map(state).transpose()?.flatten())?))
    }
}

/// The state that an argument means; `None` of NULL.
fn state(argument: &Expr) -> Result<Option<AsOf>> {
    let meant = match argument {
        Expr::Literal(value, _) if value.is_null() => return Ok(None),
        Expr::Literal(value, _) => as_of(value)?,
        _ => None,
    };
    match meant {
        Some(meant) => Ok(Some(meant)),
        None => plan_err!(
            "changes: {argument} is neither a snapshot, nor a time, nor the name of a tag; give an id of \"items$snapshots\", a date ('2025-01-31'), a time ('2025-01-31T12:00:00Z'), a name of \"items$refs\", or 'last'"
        ),
    }
}
