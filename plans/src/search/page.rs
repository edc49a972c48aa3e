//! [`Page`]: the answer to a search, a part at a time; [`Position`]: where a part ends.

use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, ScalarValue, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, cast, ident, lit};
use serde_json::Value;

use super::interval::literal;
use super::names::{Kind, Names};
use super::plan::{self, Key};
use super::{Search, SearchError};
use crate::model::item_key::ItemKey;

/// Name of a column with what rows are sorted by, without its number.
const KEY: &str = "earthcatalog:key_";

/// Where an Item is in the order of a search: the values of what it is sorted by, then `collection` and `id`.
///
/// As JSON, it is a list of texts, numbers (a double as its bits, a time as microseconds since 1970), booleans and nulls.
#[derive(Debug, Clone, PartialEq)]
pub struct Position(Vec<ScalarValue>);

impl Position {
    pub fn to_json(&self) -> Value {
        let value = |value: &ScalarValue| match value {
            ScalarValue::Utf8View(Some(text)) => text.as_str().into(),
            ScalarValue::Float64(Some(number)) => number.to_bits().into(),
            ScalarValue::Boolean(Some(value)) => (*value).into(),
            ScalarValue::TimestampMicrosecond(Some(micros), _) => (*micros).into(),
            _ => Value::Null,
        };
        self.0.iter().map(value).collect()
    }

    /// Reads what [`Self::to_json`] gave for the same `sortby` over a table with this schema; `None` if it is not that.
    pub fn from_json(json: &Value, search: &Search, schema: &Schema) -> Option<Self> {
        let keys = plan::order(&search.sortby, Names { schema });
        let values = json.as_array().filter(|values| values.len() == keys.len())?;
        let values: Vec<_> =
            values.iter().zip(&keys).map(|(value, key)| scalar(value, key.kind)).collect::<Option<_>>()?;
        // An Item has an id.
        values.last().is_some_and(|id| !id.is_null()).then_some(Self(values))
    }

    /// The time by which Items are sorted first, if it is a time, and not null.
    pub fn time(&self) -> Option<DateTime<Utc>> {
        match self.0.first()? {
            ScalarValue::TimestampMicrosecond(micros, _) => DateTime::from_timestamp_micros((*micros)?),
            _ => None,
        }
    }
}

fn scalar(json: &Value, kind: Kind) -> Option<ScalarValue> {
    Some(match (kind, json) {
        (_, Value::Null) => ScalarValue::try_from(kind.data_type()).ok()?,
        (Kind::Text, Value::String(text)) => ScalarValue::Utf8View(Some(text.clone())),
        (Kind::Number, Value::Number(bits)) => ScalarValue::Float64(Some(f64::from_bits(bits.as_u64()?))),
        (Kind::Boolean, Value::Bool(value)) => ScalarValue::Boolean(Some(*value)),
        (Kind::Time, Value::Number(micros)) => {
            ScalarValue::TimestampMicrosecond(Some(micros.as_i64()?), Some("UTC".into()))
        }
        _ => return None,
    })
}

/// A part of the answer to a search, from a position on.
#[derive(Debug)]
pub struct Page {
    /// Rows as those of [`search_plan`](super::search_plan), sorted also where `sortby` is empty; behind their columns,
    /// those of their positions.
    pub plan: LogicalPlan,
    keys: usize,
}

impl Page {
    /// The rows of `table` that a search asks for, behind `after`; as many as its limit says. With `since`, of those whose
    /// `datetime` is as late alone: the first ones of all, where the search [is newest first](Self::is_newest_first).
    ///
    /// Errors: a filter that puts together what does not fit.
    pub fn new(
        name: &TableReference,
        table: Arc<dyn TableProvider>,
        search: &Search,
        after: Option<&Position>,
        since: Option<DateTime<Utc>>,
    ) -> Result<Self> {
        let schema = table.schema();
        let keys = plan::order(&search.sortby, Names { schema: &schema });
        if after.is_some_and(|position| position.0.len() != keys.len()) {
            return Err(SearchError::new("sortby", "the position is of another order").into());
        }
        let behind = after.map(|position| behind(&keys, &position.0));
        let since = since.map(|since| ident("datetime").gt_eq(literal(since)));
        let plan =
            plan::found(name, table, search, behind.into_iter().chain(since))?.sort(keys.iter().map(Key::sort))?;
        let plan = plan.limit(0, search.limit)?;
        let key = |(i, key): (usize, &Key)| cast(key.value.clone(), key.kind.data_type()).alias(format!("{KEY}{i}"));
        let columns = plan::columns(&schema, search.fields.as_ref());
        let plan = plan.project(columns.into_iter().chain(keys.iter().enumerate().map(key)))?;
        Ok(Self { plan: plan.build()?, keys: keys.len() })
    }

    /// Whether a search goes by `datetime` before all else, the newest Items first.
    pub fn is_newest_first(search: &Search) -> bool {
        let first = search.sortby.first();
        first.is_some_and(|key| key.descending && matches!(&*key.property, "datetime" | "properties.datetime"))
    }

    /// The columns of the Items alone.
    pub fn items(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns: Vec<usize> = (0..batch.num_columns() - self.keys).collect();
        Ok(batch.project(&columns)?)
    }

    /// Where the Item of a row is.
    pub fn position(&self, batch: &RecordBatch, row: usize) -> Result<Position> {
        let keys = &batch.columns()[batch.num_columns() - self.keys..];
        keys.iter().map(|column| ScalarValue::try_from_array(column, row)).collect::<Result<_>>().map(Position)
    }

    /// The Item of a row.
    pub fn key(&self, batch: &RecordBatch, row: usize) -> Result<ItemKey> {
        let at = batch.num_columns() - ItemKey::COLUMNS.len();
        let text = |column: usize| ScalarValue::try_from_array(batch.column(at + column), row);
        let [collection, id] = [text(0)?, text(1)?];
        let text = |value: &ScalarValue| value.try_as_str().flatten().map(str::to_owned);
        Ok(ItemKey { collection: text(&collection), id: text(&id).unwrap_or_default() })
    }
}

/// Whether a row comes behind `position`, by keys of which nulls are last.
fn behind(keys: &[Key], position: &[ScalarValue]) -> Expr {
    keys.iter().zip(position).rev().fold(lit(false), |ties, (key, value)| {
        let of_row = || key.value.clone();
        if value.is_null() {
            return of_row().is_null().and(ties);
        }
        let value = || lit(value.clone());
        let (beyond, reaches) = match key.descending {
            true => (of_row().lt(value()), of_row().lt_eq(value())),
            false => (of_row().gt(value()), of_row().gt_eq(value())),
        };
        // That it reaches the value follows from the rest; files are chosen by it.
        let reaches = reaches.or(of_row().is_null());
        reaches.and(beyond.or(of_row().is_null()).or(of_row().eq(value()).and(ties)))
    })
}
