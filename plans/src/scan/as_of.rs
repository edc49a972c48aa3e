//! Time travel: [`AsOf`], and the table functions `items_at` and `item_cells_at`.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, SecondsFormat, TimeZone, Utc};
use datafusion::catalog::{TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_datafusion_err, plan_err};
use datafusion::logical_expr::Expr;
use iceberg::spec::{SnapshotRef, TableMetadata};

use crate::model::time::parse_period;
use crate::table::Warehouse;

/// Snapshots that an error lists.
const LISTED: usize = 5;

/// Which state of a table is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    Snapshot(i64),
    /// The newest snapshot that was there at that time.
    Time(DateTime<Utc>),
}

impl AsOf {
    /// Reads the argument of `function`: a snapshot id or a time; of a day, a month or a year, its end.
    fn parse(function: &str, argument: &Expr) -> Result<Self> {
        let Expr::Literal(value, _) = argument else { return Self::refuse(function, argument) };
        let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let time = match value {
            ScalarValue::Int64(Some(id)) => return Ok(Self::Snapshot(*id)),
            date @ (ScalarValue::Date32(Some(_)) | ScalarValue::Date64(Some(_))) => end(&date.to_string()),
            value if matches!(value.data_type(), DataType::Timestamp(..)) => match value.cast_to(&micros)? {
                ScalarValue::TimestampMicrosecond(Some(micros), _) => DateTime::from_timestamp_micros(micros),
                _ => None,
            },
            value => match value.try_as_str().flatten() {
                Some(text) => match (end(text), text.parse()) {
                    (None, Ok(id)) => return Ok(Self::Snapshot(id)),
                    (time, _) => time,
                },
                None => None,
            },
        };
        time.map_or_else(|| Self::refuse(function, argument), |time| Ok(Self::Time(time)))
    }

    fn refuse<T>(function: &str, argument: &Expr) -> Result<T> {
        plan_err!(
            "{function}: {argument} is neither a snapshot nor a time; give an id of \"items$snapshots\", a date ('2025-01-31') or a time ('2025-01-31T12:00:00Z')"
        )
    }

    /// The snapshot that is meant.
    ///
    /// Errors: there is none, or none any more; the message lists those that are nearest.
    pub(crate) fn find<'a>(&self, metadata: &'a TableMetadata) -> Result<&'a SnapshotRef> {
        let found = match self {
            Self::Snapshot(id) => metadata.snapshot_by_id(*id),
            Self::Time(time) => {
                let mut entries = metadata.history().iter().rev();
                let entry = entries.find(|entry| entry.timestamp_ms() <= time.timestamp_millis());
                entry.and_then(|entry| metadata.snapshot_by_id(entry.snapshot_id))
            }
        };
        found.ok_or_else(|| {
            let mut snapshots: Vec<_> = metadata.snapshots().collect();
            snapshots.sort_by_key(|snapshot| match self {
                Self::Snapshot(id) => (snapshot.snapshot_id().abs_diff(*id), 0),
                Self::Time(time) => (snapshot.timestamp_ms().abs_diff(time.timestamp_millis()), snapshot.snapshot_id()),
            });
            let listed = snapshots.iter().take(LISTED).map(|s| format!("{} of {}", s.snapshot_id(), committed_at(s)));
            let listed = listed.collect::<Vec<_>>().join(", ");
            let nearest = if listed.is_empty() { "it has none".to_owned() } else { format!("nearest are {listed}") };
            plan_datafusion_err!("the table has no snapshot {self}, or no longer; {nearest}")
        })
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(id) => write!(f, "{id}"),
            Self::Time(time) => write!(f, "as of {}", time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

fn committed_at(snapshot: &SnapshotRef) -> String {
    let time = Utc.timestamp_millis_opt(snapshot.timestamp_ms()).single();
    time.map_or_else(String::new, |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn end(text: &str) -> Option<DateTime<Utc>> {
    parse_period(text).map(|period| *period.end())
}

/// The table as it was.
pub(crate) type TableAsOf = fn(Warehouse, AsOf) -> Arc<dyn TableProvider>;

/// `items_at(snapshot or time)` and `item_cells_at(…)`: a table as it was.
#[derive(Debug)]
pub(crate) struct AsOfFunction {
    pub name: &'static str,
    pub warehouse: Warehouse,
    pub table: TableAsOf,
}

impl TableFunctionImpl for AsOfFunction {
    fn call(&self, args: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let [argument] = args else {
            return plan_err!("{0} takes a snapshot or a time, as in {0}('2025-01-31')", self.name);
        };
        Ok((self.table)(self.warehouse.clone(), AsOf::parse(self.name, argument)?))
    }
}
