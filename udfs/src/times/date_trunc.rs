//! `date_trunc(precision, time)`: the beginning of a time's year, month, day and so on.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::kernels::numeric::{add, sub};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, FieldRef, Int64Type, TimeUnit};
use datafusion::common::{Result, exec_err};
use datafusion::functions::datetime;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::rows::Rows;

use super::as_time;

/// In seconds. The calendar, weekdays included, repeats after 400 years.
const CYCLE: i64 = 146_097 * 86_400;

/// What of the years around 1970 nanoseconds have on both sides, in seconds.
const REACH: i64 = CYCLE / 2;

/// `date_trunc(precision, time)`, as DataFusion has it, of all years.
///
/// `precision` is `year`, `quarter`, `month`, `week` (Monday), `day`, `hour`, `minute`, `second`, `millisecond` or
/// `microsecond`. The answer has the type of the time; of a date or a text, microseconds. Null for null.
///
/// Errors: a time before 1677 or after 2262 in a zone by name.
pub fn date_trunc_udf() -> ScalarUDF {
    ScalarUDF::from(DateTrunc {
        inner: datetime::date_trunc(),
        signature: Signature::user_defined(Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateTrunc {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [precision, time] => Ok(vec![precision.clone(), as_time(time)]),
            other => exec_err!("date_trunc takes a precision and a time, not {} arguments", other.len()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.inner().output_ordering(input)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    /// DataFusion's answer for the same time of a year that nanoseconds have, put back.
    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [_, time] = args.args.as_slice() else { return exec_err!("date_trunc takes a precision and a time") };
        let (data_type, answered) = (time.data_type(), Rows::of(std::slice::from_ref(time), args.number_rows));
        let seconds = match &data_type {
            // Where there is summer time, what is cut depends on the year: far ones stay an error.
            DataType::Timestamp(_, Some(zone)) if zone.as_ref() != "UTC" && !zone.starts_with(['+', '-']) => {
                return self.inner.invoke_with_args(args);
            }
            DataType::Timestamp(TimeUnit::Second, _) => 1,
            DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000,
            DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000_000,
            _ => return self.inner.invoke_with_args(args),
        };
        let rows = answered.count;
        let counts = cast(&time.to_array(rows)?, &DataType::Int64)?;
        let counts = counts.as_primitive::<Int64Type>();
        let (reach, cycle) = (REACH * seconds, CYCLE * seconds);
        if min(counts).is_none_or(|least| least >= -reach) && max(counts).is_none_or(|most| most < reach) {
            return self.inner.invoke_with_args(args);
        }
        // Half a cycle on, so that what is near 1970 stays where it is.
        let moved: Int64Array = counts.unary(|count| (count.saturating_add(reach)).div_euclid(cycle) * cycle);
        let near = cast(&sub(&counts, &moved)?, &data_type)?;
        args.args[1] = ColumnarValue::Array(near);
        args.number_rows = rows;
        let truncated = self.inner.invoke_with_args(args)?.into_array(rows)?;
        let truncated: ArrayRef = add(&cast(&truncated, &DataType::Int64)?, &moved)?;
        answered.answer(cast(&truncated, &data_type)?)
    }
}
