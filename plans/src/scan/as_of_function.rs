//! The table functions `items_at` and `item_cells_at`: a table as it was.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use chrono::DateTime;
use datafusion::catalog::{TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;

use crate::table::{AsOf, Warehouse};

/// The table as it was.
pub(crate) type TableAsOf = fn(Warehouse, AsOf) -> Arc<dyn TableProvider>;

/// `items_at(S)` and `item_cells_at(S)`: a table as of a snapshot, a time, a tag or a branch.
#[derive(Debug)]
pub(crate) struct AsOfFunction {
    pub name: &'static str,
    pub warehouse: Warehouse,
    pub table: TableAsOf,
}

impl TableFunctionImpl for AsOfFunction {
    fn call(&self, args: &[Expr]) -> Result<Arc<dyn TableProvider>> {
        let [argument] = args else {
            return plan_err!("{0} takes a snapshot, a time or a tag, as in {0}('2025-01-31')", self.name);
        };
        let as_of = match argument {
            Expr::Literal(value, _) => as_of(value)?,
            _ => None,
        };
        match as_of {
            Some(as_of) => Ok((self.table)(self.warehouse.clone(), as_of)),
            None => plan_err!(
                "{}: {argument} is neither a snapshot, nor a time, nor the name of a tag; give an id of \"items$snapshots\", a date ('2025-01-31'), a time ('2025-01-31T12:00:00Z'), or a name of \"items$refs\"",
                self.name
            ),
        }
    }
}

/// The state that a value means; `None` where it can mean none.
pub(crate) fn as_of(value: &ScalarValue) -> Result<Option<AsOf>> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Ok(match value {
        ScalarValue::Int64(Some(id)) => Some(AsOf::Snapshot(*id)),
        date @ (ScalarValue::Date32(Some(_)) | ScalarValue::Date64(Some(_))) => Some(AsOf::parse(&date.to_string())),
        value if matches!(value.data_type(), DataType::Timestamp(..)) => match value.cast_to(&micros)? {
            ScalarValue::TimestampMicrosecond(Some(micros), _) => {
                DateTime::from_timestamp_micros(micros).map(AsOf::Time)
            }
            _ => None,
        },
        value => value.try_as_str().flatten().map(AsOf::parse),
    })
}
