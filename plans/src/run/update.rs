//! `UPDATE items SET … WHERE …`: the rows with their new values.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::catalog::TableProvider;
use datafusion::common::{JoinType, NullEquality, Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion::functions::core::expr_fn::nullif;
use datafusion::logical_expr::{
    DmlStatement, Expr, LogicalPlan, LogicalPlanBuilder, Projection, cast, ident, lit, when,
};
use earthcatalog_udfs::{json_set_udf, member_column_udf};

use super::newest_rows::{as_written, asked_of_items, buckets_of, newest_rows, refuse_cells};
use crate::model::item_key::ItemKey;
use crate::model::items::{ItemSchema, OTHER_KEY, PROPERTY_KEY, TIME_COLUMNS};
use crate::scan::buckets::BucketsTable;
use crate::table::Warehouse;

const OF_UPDATED: [&str; 2] = ["earthcatalog:updated_collection", "earthcatalog:updated_id"];

/// Columns with JSON text of Items.
const PROPERTIES: &str = "properties";
const EXTRA: &str = "extra";
/// Members of Items that can be set; what their columns cannot hold is in `extra`, and wins.
const MEMBERS: [&str; 4] = ["stac_version", "stac_extensions", "assets", "links"];

/// The rows of the buckets in which an UPDATE changes Items: of the Items for which its condition is true with their new
/// values, in all their cells, and of the others as they are; of each the newest, as a compaction of these buckets leaves them.
///
/// The condition and the new values are those of an Item's newest version, computed once per Item. What has a value of its
/// own beside a column that is set, because the column could not hold it, goes: the value that is set holds.
///
/// Errors: a column that decides where a row lies, or is part of an identity; a condition on the cell of a row; functions
/// that may answer differently each time; as [`BucketsTable::try_new`].
pub(super) fn rows_with_values(update: &DmlStatement, table: &Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let source = buckets_of(table)?;
    let warehouse = source.warehouse().clone();
    let (values, set) = values(update, &warehouse)?;
    let key = ItemKey::COLUMNS.into_iter().zip(OF_UPDATED);
    let items = LogicalPlanBuilder::from(values.clone()).project(key.map(|(name, of)| ident(of).alias(name)))?;
    let rows = newest_rows(BucketsTable::of_items(source, items.build()?)?)?;
    let of_updated = (ItemKey::COLUMNS.to_vec(), OF_UPDATED.to_vec());
    // No collection is a collection.
    let rows = rows.join_detailed(values, JoinType::Left, of_updated, None, NullEquality::NullEqualsNull)?;
    let written = as_written(&warehouse, &rows).into_iter().zip(warehouse.items().table_schema().fields());
    let written = written.map(|(old, field)| match set.contains(field.name()) {
        true => {
            let is_updated = ident(OF_UPDATED[1]).is_not_null();
            Ok(when(is_updated, ident(new(field.name()))).otherwise(old.unalias())?.alias(field.name()))
        }
        false => Ok(old),
    });
    let written = written.collect::<Result<Vec<_>>>()?;
    rows.project(written)?.build()
}

/// The Items that an UPDATE changes: [`OF_UPDATED`], and the [`new`] values of the columns that are returned beside.
fn values(update: &DmlStatement, warehouse: &Warehouse) -> Result<(LogicalPlan, Vec<String>)> {
    let LogicalPlan::Projection(projection) = update.input.as_ref() else {
        return plan_err!("UPDATE: {} sets nothing", update.input.display());
    };
    check_condition(projection)?;
    let fields = warehouse.items().table_schema().fields();
    let assigned = fields.iter().zip(&projection.expr).filter_map(|(field, expr)| {
        let value = expr.clone().unalias();
        let is_same = matches!(&value, Expr::Column(column) if column.name == *field.name());
        (!is_same).then_some((field, value))
    });
    let mut new_values: Vec<(FieldRef, Expr)> = vec![];
    for (field, value) in assigned {
        check_column(field)?;
        refuse_cells("UPDATE", std::slice::from_ref(&value))?;
        new_values.push((Arc::clone(field), value));
    }
    add_texts(&mut new_values, warehouse.items())?;
    // Buckets have their texts on their own.
    let key = ItemKey::COLUMNS.into_iter().zip(OF_UPDATED);
    let key = key.map(|(name, of)| cast(ident(name), DataType::Utf8).alias(of));
    let of_items =
        new_values.iter().map(|(field, value)| cast(value.clone(), field.data_type().clone()).alias(new(field.name())));
    let asked = asked_of_items("UPDATE", &projection.input, warehouse)?;
    let values = LogicalPlanBuilder::from(asked).project(key.chain(of_items).collect::<Vec<_>>())?.build()?;
    Ok((values, new_values.iter().map(|(field, _)| field.name().clone()).collect()))
}

/// The name of the column with the new value of a column.
fn new(column: &str) -> String {
    format!("earthcatalog:new_{column}")
}

/// Errors: a condition that is true of other Items each time it is asked.
fn check_condition(projection: &Projection) -> Result<()> {
    let mut input = projection.input.as_ref();
    while let LogicalPlan::Filter(filter) = input {
        if filter.predicate.is_volatile() {
            return plan_err!("UPDATE: {} is true of other Items each time it is asked", filter.predicate);
        }
        input = filter.input.as_ref();
    }
    Ok(())
}

fn check_column(field: &Field) -> Result<()> {
    let name = field.name().as_str();
    let can_be_set = property_of(field).is_some_and(|property| property != "datetime")
        || field.metadata().contains_key(OTHER_KEY)
        || MEMBERS.contains(&name)
        || name == PROPERTIES;
    match can_be_set {
        true => Ok(()),
        false => plan_err!(
            "UPDATE: column {name} cannot be set: what an Item is, and where its rows lie, changes when another version of it is ingested"
        ),
    }
}

/// The property that a column has.
fn property_of(field: &Field) -> Option<&str> {
    let promoted = field.metadata().get(PROPERTY_KEY).map(String::as_str);
    promoted.or_else(|| TIME_COLUMNS.into_iter().find(|name| name == field.name()))
}

/// A text of the type of the columns: types are no longer brought together here.
fn text(text: &str) -> Expr {
    lit(ScalarValue::Utf8View(Some(text.to_owned())))
}

/// Checks the JSON that is set, and takes from `properties` and `extra` what would win over the columns that are set.
fn add_texts(new_values: &mut Vec<(FieldRef, Expr)>, items: &ItemSchema) -> Result<()> {
    let table = items.table_schema();
    let names: Vec<&str> = table.fields().iter().filter_map(|field| property_of(field)).collect();
    let names = serde_json::to_string(&names).map_err(|e| plan_datafusion_err!("{e}"))?;
    let is_text = |name: &str| [PROPERTIES, "assets", "links"].contains(&name);
    for (field, value) in new_values.iter_mut().filter(|(field, _)| is_text(field.name())) {
        let name = field.name();
        let of_properties = if name == PROPERTIES { names.as_str() } else { "[]" };
        *value = member_column_udf().call(vec![text(name), value.clone(), ident(name), text(of_properties)]);
    }
    let set = |of: &dyn Fn(&Field) -> Option<String>| {
        new_values.iter().filter_map(|(field, _)| of(field)).collect::<Vec<String>>()
    };
    let properties = set(&|field| property_of(field).map(str::to_owned));
    let members = set(&|field| MEMBERS.contains(&field.name().as_str()).then(|| field.name().clone()));
    for (column, gone) in [(PROPERTIES, properties), (EXTRA, members)] {
        if gone.is_empty() {
            continue;
        }
        let without = |json: Expr| {
            let null = lit(ScalarValue::Utf8View(None));
            let left = gone.iter().fold(json, |json, name| json_set_udf().call(vec![json, text(name), null.clone()]));
            nullif(left, text("{}"))
        };
        match new_values.iter_mut().find(|(field, _)| field.name() == column) {
            Some((_, value)) => *value = without(value.clone()),
            None => {
                let (_, field) = table
                    .fields()
                    .find(column)
                    .ok_or_else(|| plan_datafusion_err!("the table has no column {column}"))?;
                new_values.push((Arc::clone(field), without(ident(column))));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::AsArray;
    use arrow::compute::cast;
    use arrow::datatypes::DataType;
    use datafusion::physical_plan::collect;
    use serde_json::{Value, json};

    use super::super::testing::{changed, dated, filled, item, rows, state};
    use crate::session::testing::Table;

    /// The Items by collection and id.
    async fn items(table: &Table) -> BTreeMap<(Option<String>, String), Value> {
        items_from(table, "items").await
    }

    async fn items_from(table: &Table, from: &str) -> BTreeMap<(Option<String>, String), Value> {
        let sql = format!("SELECT stac_item(*) AS item FROM {from}");
        let mut found = BTreeMap::new();
        for batch in table.reading().await.sql(&sql).await.unwrap().collect().await.unwrap() {
            for text in cast(batch.column(0), &DataType::Utf8).unwrap().as_string::<i32>() {
                let item: Value = serde_json::from_str(text.unwrap()).unwrap();
                let key = (item["collection"].as_str().map(str::to_owned), item["id"].as_str().unwrap().to_owned());
                // In whatever cell, a row has the same Item.
                assert_eq!(found.entry(key).or_insert_with(|| item.clone()), &item);
            }
        }
        found
    }

    fn quoted(collection: &Option<String>) -> String {
        collection.as_ref().map_or("NULL".to_owned(), |text| format!("'{text}'"))
    }

    #[tokio::test]
    async fn items_have_their_new_values_in_all_cells_and_nothing_else_is_other_than_it_was() {
        type Change = fn(&mut Value);
        let set: [(&str, &str, usize, Change); 9] = [
            ("platform = 'x'", "id = 'i0'", 1, |item| item["properties"]["platform"] = "x".into()),
            ("platform = upper(platform) || '!'", "true", 11, |item| {
                let platform = item["properties"]["platform"].as_str().unwrap().to_uppercase() + "!";
                item["properties"]["platform"] = platform.into();
            }),
            ("platform = NULL", "id = 'i1'", 2, |item| {
                item["properties"].as_object_mut().unwrap().remove("platform");
            }),
            ("properties = json_set(properties, 'eo:cloud_cover', 12.5)", "collection IS NULL", 4, |item| {
                item["properties"]["eo:cloud_cover"] = json!(12.5);
            }),
            (
                "properties = json_set_text(properties, 'a', id), platform = 'both'",
                "platform = 'old' AND id <> 'i1'",
                8,
                |item| {
                    item["properties"]["a"] = item["id"].clone();
                    item["properties"]["platform"] = "both".into();
                },
            ),
            ("assets = json_set(assets, 'data', '{\"href\": \"x\"}'), links = '[]'", "id = 'i3'", 1, |item| {
                item["assets"]["data"] = json!({"href": "x"});
            }),
            ("updated = '2030-01-01', mid_datetime = datetime", "id IN (SELECT 'i4')", 1, |item| {
                item["properties"]["updated"] = "2030-01-01T00:00:00Z".into();
                item["properties"]["mid_datetime"] = item["properties"]["datetime"].clone();
            }),
            (
                "platform = (SELECT max(o.id) FROM items AS o WHERE o.platform = items.platform)",
                "id = 'i0' AND collection IS NULL",
                1,
                |item| item["properties"]["platform"] = "i0".into(),
            ),
            ("platform = 'x'", "datetime < '2000-01-01'", 0, |_| unreachable!()),
        ];
        for (set, condition, count, change) in set {
            let table = filled().await;
            let doomed = items_from(&table, &format!("items WHERE {condition}")).await;
            assert_eq!(doomed.len(), count, "{condition}");
            let mut expected = items(&table).await;
            expected.iter_mut().filter(|(key, _)| doomed.contains_key(key)).for_each(|(_, item)| change(item));
            let snapshots = state(&table).await.metadata.snapshots().len();
            let update = format!("UPDATE items SET {set} WHERE {condition}");
            assert_eq!(changed(&table, &update).await.unwrap(), count as u64, "{update}");
            assert_eq!(items(&table).await, expected, "{update}");
            // No older version is left of an Item that was updated.
            for key in doomed.keys() {
                let of_item =
                    format!("item_cells WHERE id = '{}' AND collection IS NOT DISTINCT FROM {}", key.1, quoted(&key.0));
                assert_eq!(items_from(&table, &of_item).await[key], expected[key], "{update}");
            }
            let after = state(&table).await.metadata.snapshots().len();
            assert_eq!(after - snapshots, usize::from(count > 0), "{update}: a snapshot, or none");
            let several = "SELECT file_path FROM \"items$files\"";
            let files = rows(&table.reading().await, several).await;
            let buckets: std::collections::BTreeSet<_> =
                files.iter().filter_map(|file| Some(file.rsplit_once('/')?.0)).collect();
            assert!(count < 11 || buckets.len() == files.len(), "{update}: each bucket has one file: {files:?}");
            table.compact().await;
            assert_eq!(items(&table).await, expected, "{update}, compacted");
        }
    }

    #[tokio::test]
    async fn a_value_that_its_column_could_not_hold_goes_when_the_column_is_set() {
        let mut table = Table::new("platform VARCHAR").await;
        let mut odd = dated(item(None, "a", 0.0, "2021", "p"));
        odd["properties"]["platform"] = 7.into();
        odd["properties"]["created"] = "about noon".into();
        odd["assets"] = Value::Null;
        table.ingest(&[odd.clone()]).await;
        assert_eq!(items(&table).await.into_values().next().unwrap(), odd);
        // What stays as it was may have a column.
        changed(&table, "UPDATE items SET properties = json_set(properties, 'b', 1)").await.unwrap();
        odd["properties"]["b"] = 1.into();
        assert_eq!(items(&table).await.into_values().next().unwrap(), odd);
        let set = "platform = 'L8', created = '2020-01-01T00:00:00Z', assets = '{}'";
        changed(&table, &format!("UPDATE items SET {set}")).await.unwrap();
        odd["properties"]["platform"] = "L8".into();
        odd["properties"]["created"] = "2020-01-01T00:00:00Z".into();
        odd["assets"] = json!({});
        assert_eq!(items(&table).await.into_values().next().unwrap(), odd);
    }

    #[tokio::test]
    async fn what_cannot_be_set_is_refused_and_nothing_is_changed() {
        let table = filled().await;
        let before = items(&table).await;
        for (set, words) in [
            ("id = 'a'", "column id cannot be set"),
            ("geometry = NULL", "column geometry cannot be set"),
            ("datetime = now()", "column datetime cannot be set"),
            ("grid_partition = '811efffffffffff'", "column grid_partition cannot be set"),
            ("platfrom = 'a'", "platfrom"),
            ("platform = grid_partition", "has no column grid_partition"),
            ("properties = 'text'", "is no JSON object"),
            ("links = '{}'", "is no JSON list"),
            ("properties = json_set_text(properties, 'platform', 'x')", "has a column of its own"),
        ] {
            let error = changed(&table, &format!("UPDATE items SET {set} WHERE id = 'i0'")).await.unwrap_err();
            assert!(error.contains(words), "{set}: {error}");
            assert_eq!(items(&table).await, before, "{set}");
        }
    }

    #[tokio::test]
    async fn what_is_known_of_ids_stays_known_and_the_snapshot_says_what_was_updated() {
        let mut table = filled().await;
        changed(&table, "UPDATE items SET platform = 'u' WHERE id = 'i5'").await.unwrap();
        let now = state(&table).await;
        let summary = now.metadata.current_snapshot().unwrap().summary();
        assert_eq!(summary.operation.as_str(), "overwrite");
        assert_eq!(summary.additional_properties["earthcatalog.updated"], "1");
        assert!(summary.additional_properties.contains_key("earthcatalog.known-items"), "{summary:?}");
        let session = table.reading().await;
        assert_eq!(rows(&session, "SELECT kind, updated FROM runs WHERE kind = 'update'").await, ["|update|1|"]);
        let changes = "SELECT change, id FROM changes(items, 'last')";
        assert_eq!(rows(&session, changes).await, ["|changed|i5|"]);
        // A version that is newer wins, and one of the same time that comes later.
        table.ingest(&[dated(item(Some("b"), "i5", 15.0, "2021", "again"))]).await;
        let platform = "SELECT platform FROM items WHERE id = 'i5'";
        assert_eq!(rows(&table.reading().await, platform).await, ["|again|"]);
    }

    #[tokio::test]
    async fn what_another_writer_replaces_meanwhile_ends_the_update_and_nothing_is_changed() {
        let table = filled().await;
        let context = table.writing();
        let frame = context.sql("UPDATE items SET platform = 'u' WHERE id = 'i2'").await.unwrap();
        let planned = frame.create_physical_plan().await.unwrap();
        table.compact().await;
        let before = items(&table).await;
        let error = collect(planned, context.task_ctx()).await.unwrap_err().to_string();
        assert!(error.contains("another writer"), "{error}");
        assert_eq!(items(&table).await, before);
    }
}
