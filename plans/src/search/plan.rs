//! [`search_plan`]: a search as a plan over a table of Items.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::{Result, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, ident, lit};

use super::condition::{Conditions, intersects};
use super::names::{Kind, Names};
use super::{Fields, Search, SearchError, SortKey};
use crate::model::item_key::ItemKey;
use crate::model::items::{BOUNDS_COLUMNS, PROPERTY_KEY};

/// The rows of `table` that a search asks for, in its order: a scan, a filter, a sort, a limit and a projection.
///
/// The table has the columns of Items; what it lacks of them is null. With `fields`, columns of which nothing is
/// returned are left out; JSON texts are whole. Rows that are equal by all of `sortby` go by `collection` and `id`;
/// nulls come last.
///
/// Errors: a filter that puts together what does not fit.
pub fn search_plan(name: &TableReference, table: Arc<dyn TableProvider>, search: &Search) -> Result<LogicalPlan> {
    let schema = table.schema();
    let names = Names { schema: &schema };
    let mut plan = LogicalPlanBuilder::scan(name.clone(), provider_as_source(table), None)?;
    if let Some(condition) = conjunction(conditions(search, names)?) {
        plan = plan.filter(condition)?;
    }
    if !search.sortby.is_empty() {
        plan = plan.sort(order(&search.sortby, names))?;
    }
    if search.limit.is_some() {
        plan = plan.limit(0, search.limit)?;
    }
    if let Some(fields) = &search.fields {
        let columns = schema.fields().iter().filter(|field| {
            let property = field.metadata().get(PROPERTY_KEY).map_or(field.name(), |property| property);
            returns_column(fields, field.name(), property)
        });
        plan = plan.project(columns.map(|field| ident(field.name())).collect::<Vec<_>>())?;
    }
    plan.build()
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
    let times = search.datetime.iter().map(|interval| interval.condition());
    let mut conditions: Vec<Expr> = collections.chain(ids).chain(times).collect();
    for filter in &search.filters {
        conditions.push(Conditions { names }.condition(filter).map_err(failed("filter"))?);
    }
    if let Some(place) = &search.place {
        conditions.push(intersects(place).map_err(failed("intersects"))?);
    }
    Ok(conditions)
}

fn order(keys: &[SortKey], names: Names) -> Vec<SortExpr> {
    let mut order = vec![];
    for SortKey { property, descending } in keys {
        let values = match names.column(property).map(|column| column.kind) {
            Some(kind) => vec![names.value(property, kind)],
            // Numbers before texts.
            None => [Kind::Number, Kind::Text].map(|kind| names.value(property, kind)).into(),
        };
        order.extend(values.into_iter().map(|value| value.sort(!descending, false)));
    }
    order.extend(ItemKey::COLUMNS.map(|column| ident(column).sort(true, false)));
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
