//! `CALL remove_objects(items, gone, max_removed => '1%')`: removes the Items whose objects are gone.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::{JoinType, NullEquality, Result, TableReference, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, cast, ident};
use datafusion::physical_plan::{collect, execute_stream};
use datafusion::sql::sqlparser::ast::Function;
use futures::TryStreamExt;

use super::signature::{Signature, TABLE, evaluate};
use crate::model::item_key::ItemKey;
use crate::run::remove_items;
use crate::runtime::{MaxRejects, find_table, plan_look_up};
use crate::scan::records::IngestedTable;
use crate::table::Warehouse;
use crate::table::ingest_record::RecordList;

const OBJECTS: &str = "objects";
const FILES: &str = "files";
const MAX_REMOVED: &str = "max_removed";

/// `remove_objects(table, objects, max_removed, files)`: `objects` is a table or a view with a column `object`, named as
/// `ingested(table)` names them. The Items of these objects go in all versions and cells, unless another ingested object has them,
/// too; and the record of ingested objects forgets the objects, so that they are ingested again when they come back. All of it is one
/// snapshot.
///
/// Nothing is removed, with an error, where there are more of them than `max_removed`: a number, or a share of the record
/// (`'1%'`). Which Items an object has is written down when it is ingested; of files of many Items, and of objects ingested
/// before it was, nothing is known, and they stay.
///
/// `files` is a table or a view with a column `object`, too: those files of many Items that are there. As any Item may be in one of them,
/// nothing is removed while there are some, with an error.
pub(super) const SIGNATURE: Signature = Signature {
    name: "remove_objects",
    parameters: &[
        (TABLE, "items"),
        (OBJECTS, "gone"),
        (MAX_REMOVED, "max_removed => '1%'"),
        (FILES, "files => files_of_items"),
    ],
};

/// The share of the record that may go where nothing is said.
const DEFAULT_MOST: MaxRejects = MaxRejects::Percent(1.0);

/// The plan of a call. The objects are looked up now; the Items when it is made a physical plan.
pub(super) async fn plan(state: &SessionState, function: Function) -> Result<LogicalPlan> {
    let name = SIGNATURE.name;
    let (mut table, mut objects, mut most) = (TableReference::bare(""), TableReference::bare(""), DEFAULT_MOST);
    let mut files = None;
    for (parameter, value) in SIGNATURE.arguments(function, &[(TABLE, "a table"), (OBJECTS, "a table of objects")])? {
        match parameter {
            TABLE => table = SIGNATURE.table(value)?,
            OBJECTS => objects = SIGNATURE.table(value)?,
            FILES => files = Some(SIGNATURE.table(value)?),
            _ => {
                let written = value.to_string();
                let value = evaluate(state, value)?;
                let text = value.try_as_str().flatten().map_or_else(|| value.to_string(), str::to_owned);
                most = match text.parse() {
                    Ok(most) => most,
                    Err(_) => {
                        return plan_err!(
                            "{name}: max_removed is {written}, neither a number nor a share such as '1%'"
                        );
                    }
                };
            }
        }
    }
    let (found, warehouse) = SIGNATURE.warehouse(state, &table).await?;
    let of_objects = objects_in(state, &objects, &table).await?;
    let listed = listed(state, of_objects, most_of(&warehouse, most).await?).await?;
    let known: Arc<dyn TableProvider> = Arc::new(IngestedTable::new(warehouse, None));
    let gone = recorded(state, &listed, Arc::clone(&known)).await?;
    if let Some(files) = files.filter(|_| !gone.is_empty()) {
        refuse(state, objects_in(state, &files, &table).await?).await?;
    }
    let items = items_of(&gone, known)?;
    remove_items(&found, items, gone, state.config_options())
}

/// A table or a view with objects, which an argument names.
async fn objects_in(state: &SessionState, name: &TableReference, table: &TableReference) -> Result<LogicalPlan> {
    let called = SIGNATURE.name;
    let Some(found) = find_table(state, name).await? else {
        return plan_err!("{called}: there is no table {name} with objects");
    };
    if found.schema().column_with_name("object").is_none() {
        return plan_err!("{called}: {name} has no column object, which names objects as ingested({table}) does");
    }
    LogicalPlanBuilder::scan("objects", provider_as_source(found), None)?
        .project([cast(ident("object"), DataType::Utf8View)])?
        .build()
}

/// An error if there are `files` of many Items.
async fn refuse(state: &SessionState, files: LogicalPlan) -> Result<()> {
    let files = state.create_physical_plan(&LogicalPlanBuilder::from(files).limit(0, Some(1))?.build()?).await?;
    let rows = collect(files, state.task_ctx()).await?;
    match rows.iter().find(|rows| rows.num_rows() > 0) {
        Some(rows) => plan_err!(
            "objects are gone, and nothing was removed: their Items may be in a file of many Items, too, of which it is not written down which it has, such as {}; list objects of one Item alone (--suffix .json), or remove the Items with DELETE",
            rows.column(0).as_string_view().value(0)
        ),
        None => Ok(()),
    }
}

/// How many objects may go, of how many, and how that is said.
struct Most {
    limit: MaxRejects,
    recorded: u64,
}

async fn most_of(warehouse: &Warehouse, limit: MaxRejects) -> Result<Most> {
    let table = warehouse.load().await?;
    let record = RecordList::of(warehouse, &table).await?;
    Ok(Most { limit, recorded: record.files.iter().map(|file| file.rows).sum() })
}

/// The objects of a table.
///
/// Errors: more than may go; those are not all read.
async fn listed(state: &SessionState, objects: LogicalPlan, most: Most) -> Result<HashSet<String>> {
    let plan = state.create_physical_plan(&objects).await?;
    let mut rows = execute_stream(plan, state.task_ctx())?;
    let mut found = HashSet::new();
    while let Some(batch) = rows.try_next().await? {
        found.extend(batch.column(0).as_string_view().iter().flatten().map(str::to_owned));
        if most.limit.is_exceeded(found.len() as u64, most.recorded, true) {
            return plan_err!(
                "more than {} of the {} ingested objects are gone, and nothing was removed; the list of objects may be incomplete: if it is not, raise max_removed",
                most.limit,
                most.recorded
            );
        }
    }
    Ok(found)
}

/// Those of `objects` of which the record has an Item.
async fn recorded(
    state: &SessionState,
    objects: &HashSet<String>,
    known: Arc<dyn TableProvider>,
) -> Result<HashSet<String>> {
    let plan = with_items(known)?
        .join(table_of(objects)?, JoinType::LeftSemi, on_object(), None)?
        .project([ident("object")])?
        .distinct()?
        .build()?;
    let plan = plan_look_up(state, &plan).await?;
    let mut found = HashSet::new();
    for batch in collect(plan, state.task_ctx()).await? {
        found.extend(batch.column(0).as_string_view().iter().flatten().map(str::to_owned));
    }
    Ok(found)
}

/// What the record says of objects with an Item.
fn with_items(known: Arc<dyn TableProvider>) -> Result<LogicalPlanBuilder> {
    LogicalPlanBuilder::scan("known", provider_as_source(known), None)?
        .filter(ident("id").is_not_null())?
        .project(["object", "collection", "id"].map(ident))
}

/// A table of objects, in column `gone`.
fn table_of(objects: &HashSet<String>) -> Result<LogicalPlan> {
    let objects: ArrayRef = Arc::new(objects.iter().map(|object| Some(object.as_str())).collect::<StringViewArray>());
    let objects = RecordBatch::try_from_iter_with_nullable([("gone", objects, true)])?;
    let objects = MemTable::try_new(objects.schema(), vec![vec![objects]])?;
    LogicalPlanBuilder::scan("gone", provider_as_source(Arc::new(objects)), None)?.build()
}

fn on_object() -> (Vec<&'static str>, Vec<&'static str>) {
    (vec!["object"], vec!["gone"])
}

/// `collection` and `id` of the Items of `gone` that no other object in the record has.
fn items_of(gone: &HashSet<String>, known: Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let kept = ["kept_collection", "kept_id"];
    let of_others = with_items(Arc::clone(&known))?
        .join(table_of(gone)?, JoinType::LeftAnti, on_object(), None)?
        .project(ItemKey::COLUMNS.into_iter().zip(kept).map(|(column, kept)| ident(column).alias(kept)))?
        .build()?;
    let on_key = (ItemKey::COLUMNS.to_vec(), kept.to_vec());
    with_items(known)?
        .join(table_of(gone)?, JoinType::LeftSemi, on_object(), None)?
        .project(ItemKey::COLUMNS.map(ident))?
        .distinct()?
        .join_detailed(of_others, JoinType::LeftAnti, on_key, None, NullEquality::NullEqualsNull)?
        .build()
}
