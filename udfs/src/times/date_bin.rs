//! `date_bin(stride, time, origin)`: the beginning of the stride in which a time lies.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalUnit, TimeUnit};
use chrono::{DateTime, Datelike, Months, Utc};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err};
use datafusion::functions::datetime;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::rows::Rows;

use super::as_time;

const NANOS: i128 = 1_000_000_000;

/// `date_bin(stride, time[, origin])`, as DataFusion has it, of all years: beyond those of nanoseconds its answer was null.
///
/// `stride` is a constant interval, either of months or of days and less; strides are counted from the constant `origin`
/// (1970-01-01 UTC by default) in both directions. The answer has the type of the time; of a date or a text,
/// microseconds. Null for null.
pub fn date_bin_udf() -> ScalarUDF {
    ScalarUDF::from(DateBin { inner: datetime::date_bin(), signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateBin {
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for DateBin {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let ([_, time] | [_, time, _]) = types else {
            return exec_err!("date_bin takes a stride, a time and an origin, not {} arguments", types.len());
        };
        let stride = std::iter::once(DataType::Interval(IntervalUnit::MonthDayNano));
        let times = types[1..].iter();
        Ok(match time {
            DataType::Time32(_) | DataType::Time64(_) => stride.chain(times.cloned()).collect(),
            _ => stride.chain(times.map(as_time)).collect(),
        })
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.inner().output_ordering(input)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let data_type = args.args[1].data_type();
        let DataType::Timestamp(unit, _) = data_type else { return self.inner.invoke_with_args(args) };
        let origin = match args.args.get(2) {
            Some(ColumnarValue::Scalar(origin)) => nanos(origin)?,
            Some(ColumnarValue::Array(_)) => return exec_err!("date_bin: the origin must be a constant"),
            None => Some(0),
        };
        let (Some(stride), Some(origin)) = (Stride::read(&args.args[0])?, origin) else {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from(&data_type)?));
        };
        let rows = Rows::of(&args.args[1..2], args.number_rows);
        let times = args.args[1].to_array(rows.count)?;
        let counts = cast(&times, &DataType::Int64)?;
        let of_unit = nanos_of(unit);
        let bins: Int64Array = counts.as_primitive::<Int64Type>().try_unary(|count| {
            let bin = stride.bin(i128::from(count) * of_unit, origin)?;
            i64::try_from(bin.div_euclid(of_unit)).map_err(|_| out_of_range())
        })?;
        rows.answer(cast(&bins, &data_type)?)
    }
}

/// How wide a bin is; always more than nothing.
enum Stride {
    Nanos(i128),
    Months(i64),
}

impl Stride {
    /// `None` for null.
    fn read(stride: &ColumnarValue) -> Result<Option<Self>> {
        let ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(stride)) = stride else {
            return exec_err!("date_bin: the stride must be a constant interval, as INTERVAL '1 day'");
        };
        let Some(stride) = stride else { return Ok(None) };
        let nanos = i128::from(stride.days) * 86_400 * NANOS + i128::from(stride.nanoseconds);
        match (i64::from(stride.months), nanos) {
            (months @ 1.., 0) => Ok(Some(Self::Months(months))),
            (0, nanos @ 1..) => Ok(Some(Self::Nanos(nanos))),
            (0, _) => exec_err!("date_bin: the stride must be longer than nothing"),
            _ => exec_err!(
                "date_bin: the stride must be of months or years, or of weeks, days and less, and longer than nothing"
            ),
        }
    }

    /// The beginning of the bin of a time, in nanoseconds since 1970.
    fn bin(&self, time: i128, origin: i128) -> Result<i128> {
        match self {
            Self::Nanos(stride) => Ok(origin + (time - origin).div_euclid(*stride) * stride),
            Self::Months(stride) => {
                let (time, origin) = (date(time)?, date(origin)?);
                let month = |date: DateTime<Utc>| i64::from(date.year()) * 12 + i64::from(date.month0());
                let months = (month(time) - month(origin)).div_euclid(*stride) * stride;
                let mut bin = shifted(origin, months)?;
                // The day or the hour of the origin comes later in the month.
                if bin > time {
                    bin = shifted(origin, months - stride)?;
                }
                Ok(i128::from(bin.timestamp()) * NANOS + i128::from(bin.timestamp_subsec_nanos()))
            }
        }
    }
}

fn shifted(date: DateTime<Utc>, months: i64) -> Result<DateTime<Utc>> {
    let count = u32::try_from(months.unsigned_abs()).map(Months::new).map_err(|_| out_of_range())?;
    let shifted = if months < 0 { date.checked_sub_months(count) } else { date.checked_add_months(count) };
    shifted.ok_or_else(out_of_range)
}

fn date(nanos: i128) -> Result<DateTime<Utc>> {
    let seconds = i64::try_from(nanos.div_euclid(NANOS)).map_err(|_| out_of_range())?;
    DateTime::from_timestamp(seconds, nanos.rem_euclid(NANOS) as u32).ok_or_else(out_of_range)
}

/// A time in nanoseconds since 1970; `None` for null.
fn nanos(time: &ScalarValue) -> Result<Option<i128>> {
    let DataType::Timestamp(unit, _) = time.data_type() else {
        return exec_err!("date_bin: the origin must be a time, and is {}", time.data_type());
    };
    match time.cast_to(&DataType::Int64)? {
        ScalarValue::Int64(count) => Ok(count.map(|count| i128::from(count) * nanos_of(unit))),
        other => exec_err!("date_bin: the origin must be a time, and is {other}"),
    }
}

fn nanos_of(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => NANOS,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

fn out_of_range() -> datafusion::common::DataFusionError {
    exec_datafusion_err!("date_bin: the bin begins in a year that no time has")
}
