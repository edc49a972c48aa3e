//! [`search_plan`]: a search as a plan over a table of Items.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::functions::string::expr_fn::lower;
use datafusion::functions::unicode::expr_fn::strpos;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, ident, lit};

use super::condition::{Conditions, intersects};
use super::names::{Kind, Names};
use super::{Fields, Search, SearchError, SortKey};
use crate::model::item_key::ItemKey;
use crate::model::items::{BOUNDS_COLUMNS, PROPERTY_KEY};
use crate::query::{after_sorting, for_sorting};

/// The rows of `table` that a search asks for, in its order: a scan, a filter, a sort, a limit and a projection.
///
/// The table has the columns of Items; what it lacks of them is null. With `fields`, columns of which nothing is
/// returned are left out; JSON texts are whole. Rows that are equal by all of `sortby` go by `collection` and `id`;
/// nulls come last.
///
/// Errors: a filter that puts together what does not fit.
pub fn search_plan(name: &TableReference, table: Arc<dyn TableProvider>, search: &Search) -> Result<LogicalPlan> {
    let schema = table.schema();
    let mut plan = found(name, table, search, [])?;
    if !search.sortby.is_empty() {
        let sort = |plan: LogicalPlanBuilder| {
            plan.sort(order(&search.sortby, Names { schema: &schema }).iter().map(Key::sort))
        };
        plan = match search.limit {
            Some(_) => sort(plan)?,
            // A text that is a view keeps the buffer of a whole batch in memory, and in a merge of sorted runs many do.
            None => sort(plan.project(for_sorting(schema.fields()))?)?.project(after_sorting(schema.fields()))?,
        };
    }
    if search.limit.is_some() {
        plan = plan.limit(0, search.limit)?;
    }
    if search.fields.is_some() {
        plan = plan.project(columns(&schema, search.fields.as_ref()))?;
    }
    plan.build()
}

/// The rows that meet what a search asks for, and `more`.
pub(super) fn found(
    name: &TableReference,
    table: Arc<dyn TableProvider>,
    search: &Search,
    more: impl IntoIterator<Item = Expr>,
) -> Result<LogicalPlanBuilder> {
    let schema = table.schema();
    let plan = LogicalPlanBuilder::scan(name.clone(), provider_as_source(table), None)?;
    let conditions = conditions(search, Names { schema: &schema })?;
    match conjunction(more.into_iter().chain(conditions)) {
        Some(condition) => plan.filter(condition),
        None => Ok(plan),
    }
}

/// The columns of a table of which something is returned.
pub(super) fn columns(schema: &Schema, fields: Option<&Fields>) -> Vec<Expr> {
    let is_returned = |field: &&FieldRef| {
        let property = field.metadata().get(PROPERTY_KEY).map_or(field.name(), |property| property);
        fields.is_none_or(|fields| returns_column(fields, field.name(), property))
    };
    schema.fields().iter().filter(is_returned).map(|field| ident(field.name())).collect()
}

/// What the rows of a search meet, that which is cheap to check first.
fn conditions(search: &Search, names: Names) -> Result<Vec<Expr>, SearchError> {
    let failed = |parameter| move |reason: String| SearchError::new(parameter, reason);
    let one_of = |column: &str, values: &[String]| match values {
        [] => lit(false),
        values => ident(column).in_list(values.iter().map(|value| lit(value.as_str())).collect(), false),
    };
    let collections = search.collections.iter().map(|collections| one_of("collection", collections));
    let ids = search.ids.iter().map(|ids| one_of("id", ids));
    let has_one = |parts: &Vec<String>| {
        let id = lower(ident("id"));
        let has = |part: &String| strpos(id.clone(), lit(part.as_str())).gt(lit(0_i32));
        disjunction(parts.iter().map(has)).unwrap_or_else(|| lit(false))
    };
    let parts = search.q.iter().map(has_one);
    let times = search.datetime.iter().map(|interval| interval.condition());
    let mut conditions: Vec<Expr> = collections.chain(ids).chain(times).chain(parts).collect();
    for filter in &search.filters {
        conditions.push(Conditions { names }.condition(filter).map_err(failed("filter"))?);
    }
    if let Some(place) = &search.place {
        conditions.push(intersects(place).map_err(failed("intersects"))?);
    }
    Ok(conditions)
}

/// What rows are sorted by; nulls come last.
pub(super) struct Key {
    pub value: Expr,
    pub kind: Kind,
    pub descending: bool,
}

impl Key {
    pub fn sort(&self) -> SortExpr {
        self.value.clone().sort(!self.descending, false)
    }
}

/// The keys, and behind them what tells an Item from others.
pub(super) fn order(keys: &[SortKey], names: Names) -> Vec<Key> {
    let mut order = vec![];
    for SortKey { property, descending } in keys {
        let kinds = match names.column(property).map(|column| column.kind) {
            Some(kind) => vec![kind],
            // Numbers before texts.
            None => vec![Kind::Number, Kind::Text],
        };
        let key = |kind| Key { value: names.value(property, kind), kind, descending: *descending };
        order.extend(kinds.into_iter().map(key));
    }
    order.extend(ItemKey::COLUMNS.map(|column| Key { value: ident(column), kind: Kind::Text, descending: false }));
    order
}

/// Whether anything of a column, which holds `property`, is returned.
fn returns_column(fields: &Fields, column: &str, property: &str) -> bool {
    match column {
        // What the other columns cannot give back of the Item.
        "extra" => fields.has_all(),
        bounds if BOUNDS_COLUMNS.contains(&bounds) => fields.has("bbox"),
        _ => fields.has(property),
    }
}
